//! Users who lack a value that the system email uses are counted before anything is sent.

use crate::json;
use harness::{Setup, World};
use serde_json::Value;

/// Users of whom only some have names and rooms.
const PEOPLE: &str = "email,first name,last name,room\n\
    ann@lerna.example,Ann,Lee,12\n\
    bob@lerna.example,,Stone,12\n\
    cia@lerna.example,,,14\n\
    dan@lerna.example,Dan,Moe,\n\
    eli@lerna.example,,Ray,\n\
    fen@lerna.example,Fen,Wu,15\n";

async fn save(world: &World, subject: &str, body: &str) {
    let letter = json!({ "subject": subject, "body": body });
    world
        .ask(reqwest::Method::PUT, "/v1/system-emails/invite", Some(letter), None)
        .await
        .expect(200);
}

async fn invite(world: &World, body: Value) -> Value {
    let missing = world.post("/v1/invites", body).await.expect(202)["missing"].clone();
    let mut shown = missing.as_array().cloned().unwrap();
    for value in &mut shown {
        // The link lists exactly the counted users.
        let url = value.as_object_mut().unwrap().remove("users_url").unwrap();
        let listed = world.get(url.as_str().unwrap()).await.expect(200);
        assert_eq!(
            listed["items"].as_array().map(Vec::len),
            value["people"].as_u64().and_then(|n| n.try_into().ok()),
            "{value}"
        );
    }
    Value::from(shown)
}

#[tokio::test]
async fn the_response_counts_missing_values_by_field() {
    World::run_with(Setup::default().workers(0), async |world| {
        let import = world.import(PEOPLE).await.expect(201)["id"].clone();
        save(
            world,
            "{{ first_name }}, your place is ready",
            "Dear {{ first_name }},\n\nyour seat is in room {{ room }}.\n\n[Accept]({{ sign_in_url }})\n",
        )
        .await;

        let bare = invite(world, json!({ "import": import, "hold_seconds": 600 })).await;
        // They wait for this batch, and are not counted where they are left out.
        let again = invite(world, json!({ "import": import, "hold_seconds": 600 })).await;
        save(
            world,
            "Your place is ready",
            "Dear {{ first_name | default(\"colleague\") }},\n\nwelcome, {{ full_name }}.\n\n[Accept]({{ sign_in_url }})\n",
        )
        .await;
        world
            .import("email,first name\ngus@lerna.example,\nhal@lerna.example,Hal\n")
            .await
            .expect(201);
        let defaulted = invite(
            world,
            json!({ "emails": ["gus@lerna.example", "hal@lerna.example"], "hold_seconds": 600 }),
        )
        .await;

        assert_eq!(
            bare,
            json!([
                { "field": "first_name", "people": 3, "default": null },
                { "field": "room", "people": 2, "default": null },
            ])
        );
        assert_eq!(again, json!([]));
        assert_eq!(
            defaulted,
            json!([
                { "field": "full_name", "people": 1, "default": null },
                { "field": "first_name", "people": 1, "default": "colleague" },
            ])
        );
    })
    .await;
}

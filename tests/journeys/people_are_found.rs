//! Who has been written to and who has come in, asked in the list and chosen for a batch.

use crate::json;
use harness::World;
use serde_json::Value;
use shared::store::everybody;
use shared::store::users::{self, UserFilter};

const PEOPLE: &str = "email,first name,last name\n\
    ada@example.org,Ada,Lovelace\n\
    bob@example.com,Bob,Builder\n\
    cleo@example.org,Cleo,Patra\n\
    550+dan@example.org,Dan,Builder\n";

// In the order of the alphabet.
const DAN: &str = "550+dan@example.org";
const ADA: &str = "ada@example.org";
const BOB: &str = "bob@example.com";
const CLEO: &str = "cleo@example.org";
const ZED: &str = "zed@example.net";

/// Ada is invited and has signed in, Bob has a password, Cleo an invite, Dan an invite that was
/// refused.
async fn a_world_on_its_way() -> (World, Value) {
    let world = World::start().await;
    let import = world.import(PEOPLE).await.expect(201)["id"].clone();
    let invites = world.invite(json!({ "emails": [ADA, CLEO, DAN] })).await;
    let passwords = world.reset_passwords(json!({ "emails": [ADA, BOB] })).await;
    world.finished(invites).await;
    world.finished(passwords).await;
    let mails = world.relay.mails_to(ADA).unwrap();
    let password = mails.iter().find_map(|mail| mail.password()).unwrap();
    world.sign_in(ADA, password).await;
    // Somebody from elsewhere, whom no question about the import may find.
    world.person(ZED).await;
    (world, import)
}

async fn found(world: &World, question: &str) -> Vec<String> {
    let page = world.get(&format!("/v1/users?{question}")).await.expect(200);
    let users = page["items"].as_array().unwrap().iter();
    let mut emails: Vec<String> = users.map(|user| user["email"].as_str().unwrap().to_owned()).collect();
    emails.sort_unstable();
    emails
}

#[tokio::test]
async fn a_filter_finds_who_matches_all_of_it() {
    let (world, import) = a_world_on_its_way().await;
    let import = import.as_str().unwrap();
    let again = "email,first name\nada@example.org,Augusta\nbob@example.com,Bob\n";
    let again = world.import(again).await.expect(201);
    let again = again["id"].as_str().unwrap();

    for (question, people) in [
        ("invited=true", vec![ADA, CLEO]),
        ("invited=false", vec![DAN, BOB, ZED]),
        ("signed_in=true", vec![ADA]),
        ("signed_in=false&invited=true", vec![CLEO]),
        ("q=EXAMPLE.com", vec![BOB]),
        ("q=builder", vec![DAN, BOB]),
        ("q=augusta%20love", vec![ADA]),
        ("q=love%20augusta", vec![]),
        ("q=builder&invited=true", vec![]),
        ("q=zed", vec![ZED]),
        (&format!("import={again}"), vec![ADA, BOB]),
        (&format!("import={again}&effect=updated"), vec![ADA]),
        (&format!("import={again}&effect=unchanged"), vec![BOB]),
        (&format!("import={again}&effect=created"), vec![]),
        (&format!("import={import}&effect=created"), vec![DAN, ADA, BOB, CLEO]),
        ("effect=updated", vec![ADA]),
        (&format!("import={import}&invited=false"), vec![DAN, BOB]),
        (&format!("import={import}"), vec![DAN, ADA, BOB, CLEO]),
    ] {
        assert_eq!(found(&world, question).await, people, "{question}");
    }
    world.end().await;
}

#[tokio::test]
async fn the_list_tells_how_far_everybody_has_come() {
    let (world, import) = a_world_on_its_way().await;

    let page = world
        .get(&format!("/v1/users?import={}", import.as_str().unwrap()))
        .await
        .expect(200);

    let mut told: Vec<[&str; 3]> = page["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|user| {
            assert_eq!(user["invite"]["sent_at"].is_string(), user["invite"]["state"] == "sent");
            [&user["email"], &user["invite"]["state"], &user["access"]["state"]].map(|text| text.as_str().unwrap())
        })
        .collect();
    told.sort_unstable();
    assert_eq!(
        told,
        [
            [DAN, "failed", "none"],
            [ADA, "sent", "signed_in"],
            [BOB, "not_invited", "password_mailed"],
            [CLEO, "sent", "none"],
        ],
        "{page}"
    );
    world.end().await;
}

#[tokio::test]
async fn a_batch_goes_to_those_its_filter_finds() {
    let (world, import) = a_world_on_its_way().await;

    let batch = world
        .invite(json!({ "filter": { "import": import, "effect": "created", "invited": false, "q": "builder" } }))
        .await;
    let finished = world.finished(batch).await;
    let nobody = world
        .post(
            "/v1/invites",
            json!({ "filter": { "signed_in": true, "q": "builder" } }),
        )
        .await;

    assert_eq!(finished["counts"]["selected"], 2, "{finished}");
    let addresses: Vec<Value> = world
        .deliveries(batch)
        .await
        .iter()
        .map(|line| line["email"].clone())
        .collect();
    assert!(addresses.contains(&json!(BOB)), "{addresses:?}");
    assert!(addresses.contains(&json!(DAN)), "{addresses:?}");
    assert_eq!(nobody.status, 422, "{}", nobody.text);
    world.assert_promises_kept().await;
    world.end().await;
}

#[tokio::test]
async fn a_page_is_the_same_whether_people_are_looked_at_one_by_one_or_all_at_once() {
    let (world, import) = a_world_on_its_way().await;
    let import = import.as_str().unwrap().parse().ok();
    let yes_and_no = [None, Some(true), Some(false)];
    let mut filters = Vec::new();
    for invited in yes_and_no {
        for signed_in in yes_and_no {
            for failed in yes_and_no {
                for (import, search) in [(None, None), (import, None), (None, Some("BUILDER".to_owned()))] {
                    filters.push(UserFilter {
                        search,
                        import,
                        invited,
                        signed_in,
                        failed,
                        ..UserFilter::default()
                    });
                }
            }
        }
    }
    let cleo = world.get("/v1/users?q=cleo").await.expect(200)["items"][0]["id"].clone();
    let cleo = cleo.as_str().unwrap().parse().ok();

    for filter in filters {
        for (before, after) in [(None, None), (cleo, None), (None, cleo)] {
            let one_by_one = users::page(&world.db, &filter, before, after, 2).await.unwrap();
            let one_by_one: Vec<_> = one_by_one.into_iter().map(|user| user.id).collect();
            let at_once = everybody::page(&world.db, &filter, before, after, 2).await.unwrap();
            assert_eq!(one_by_one, at_once, "{filter:?} before {before:?} after {after:?}");
        }
    }
    world.end().await;
}

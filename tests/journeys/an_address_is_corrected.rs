//! Once a user's wrong address is corrected, passwords mailed to the old one no longer work.

use crate::json;
use harness::World;
use reqwest::Method;
use serde_json::Value;
use uuid::Uuid;

const WRONG: &str = "ada@example.org";
const RIGHT: &str = "ada@example.com";
const OWN: &str = "correct horse battery staple";

async fn change(world: &World, id: Uuid, email: &str) -> Value {
    let change = json!({ "email": email });
    world
        .ask(Method::PATCH, &format!("/v1/users/{id}"), Some(change), None)
        .await
        .expect(200)
}

async fn mailed(world: &World, id: Uuid, email: &str) -> String {
    let recipients = json!({ "users": [id], "include_recent": true, "include_signed_in": true });
    let batch = world.reset_passwords(recipients).await;
    world.finished(batch).await;
    let mails = world.relay.mails_to(email).unwrap();
    mails.last().unwrap().password().unwrap().to_owned()
}

#[tokio::test]
async fn passwords_mailed_to_the_wrong_address_end_and_waiting_ones_are_cancelled() {
    World::run(async |world| {
        let id = world.person(WRONG).await;
        let used = mailed(world, id, WRONG).await;
        world.sign_in(WRONG, &used).await;
        let unused = mailed(world, id, WRONG).await;
        let recipients =
            json!({ "users": [id], "include_recent": true, "include_signed_in": true, "hold_seconds": 600 });
        let owed = world.reset_passwords(recipients).await;
        let invite = world
            .invite(json!({ "users": [id], "include_signed_in": true, "hold_seconds": 600 }))
            .await;

        let same = change(world, id, "ADA@Example.org").await;
        let corrected = change(world, id, RIGHT).await;

        let counts =
            |answer: &Value| ["passwords_ended", "mails_cancelled", "mails_in_hand"].map(|name| answer[name].clone());
        assert_eq!(
            counts(&same),
            [0, 0, 0].map(Value::from),
            "it is the same address: {same}"
        );
        assert_eq!(counts(&corrected), [2, 1, 0].map(Value::from), "{corrected}");
        assert_eq!(corrected["email"], RIGHT, "{corrected}");
        for password in [&used, &unused] {
            for email in [WRONG, RIGHT] {
                assert!(!world.signs_in(email, password).await);
            }
        }
        assert_eq!(world.deliveries(owed).await[0]["reason"], "address_changed");
        assert_eq!(
            world.count(invite, "waiting").await,
            1,
            "an invite goes to the right address"
        );
        let right = mailed(world, id, RIGHT).await;
        world.sign_in(RIGHT, &right).await;
        world.assert_sums().await;
    })
    .await;
}

#[tokio::test]
async fn a_chosen_password_stays_when_the_address_is_corrected() {
    World::run(async |world| {
        let id = world.person(WRONG).await;
        let password = mailed(world, id, WRONG).await;
        let choice = json!({ "email": WRONG, "password": password, "new_password": OWN });
        world.post("/v1/credentials/choose", choice).await.expect(200);

        let corrected = change(world, id, RIGHT).await;

        assert_eq!(corrected["passwords_ended"], 0, "{corrected}");
        world.sign_in(RIGHT, OWN).await;
        assert!(!world.signs_in(WRONG, OWN).await);
    })
    .await;
}

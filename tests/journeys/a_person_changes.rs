//! A user may change or be deleted between the decision to send and the mail.

use crate::json;
use harness::relay::{Behaviour, Step};
use harness::world::PATIENCE;
use harness::{Setup, World};
use reqwest::Method;
use serde_json::Value;

async fn delete(world: &World, user: &Value) {
    let path = format!("/v1/users/{}", user.as_str().unwrap());
    world.ask(Method::DELETE, &path, None, None).await.expect(204);
    assert_eq!(world.get(&path).await.status, 404);
}

#[tokio::test]
async fn the_next_mail_has_the_current_values() {
    World::run_with(Setup::default().workers(0), async |world| {
        let user = world.person("ada@example.org").await;
        let letter =
            json!({ "subject": "Hello {{ first_name }}", "body": "Bring {{ email }} to {{ last_name }} Hall." });
        world
            .ask(Method::PUT, "/v1/system-emails/invite", Some(letter), None)
            .await
            .expect(200);
        let batch = world.invite(json!({ "users": [user] })).await;

        let change = json!({ "email": "countess@example.com", "first_name": "Augusta", "last_name": "King" });
        let path = format!("/v1/users/{user}");
        let changed = world.ask(Method::PATCH, &path, Some(change), None).await.expect(200);
        world.start_worker().await.unwrap();
        world.finished(batch).await;

        assert_eq!(changed["email"], "countess@example.com", "{changed}");
        let mail = world.relay.mails_to("countess@example.com").unwrap().remove(0);
        assert_eq!(mail.subject, "Hello Augusta");
        assert_eq!(mail.to_name, "Augusta King");
        assert!(
            mail.text.contains("Bring countess@example.com to King Hall."),
            "{}",
            mail.text
        );
        assert_eq!(world.relay.accepted_count(), 1, "nothing goes to the old address");
        assert_eq!(world.deliveries(batch).await[0]["email"], "countess@example.com");
        world.assert_promises_kept().await;
    })
    .await;
}

#[tokio::test]
async fn a_user_deleted_while_mails_wait_gets_none() {
    World::run_with(Setup::default().workers(0), async |world| {
        let import = world.people(3).await;
        let held = world.invite(json!({ "import": import, "hold_seconds": 600 })).await;
        let queued = world.reset_passwords(json!({ "import": import })).await;
        world.until(queued, "queued", 3).await;

        let lines = world.deliveries(queued).await;
        delete(world, &lines[1]["user"]).await;
        let without = world.batch(held).await;
        world.start_worker().await.unwrap();
        let finished = world.finished(queued).await;
        world
            .post(&format!("/v1/batches/{held}/stop"), json!({}))
            .await
            .expect(200);
        world.finished(held).await;

        assert_eq!(
            (&without["counts"]["waiting"], &without["counts"]["cancelled"]),
            (&json!(2), &json!(1)),
            "{without}"
        );
        assert_eq!(finished["counts"]["selected"], 3, "{finished}");
        assert_eq!(finished["counts"]["sent"], 2, "{finished}");
        assert_eq!(finished["counts"]["cancelled"], 1, "{finished}");
        let line = world.deliveries(queued).await[1].clone();
        assert_eq!(line["id"], lines[1]["id"]);
        assert_eq!(
            (&line["state"], &line["reason"]),
            (&json!("cancelled"), &json!("user_deleted")),
            "{line}"
        );
        assert!(line["user"].is_null() && line["email"].is_null(), "{line}");
        let address = lines[1]["email"].as_str().unwrap();
        assert!(world.relay.mails_to(address).unwrap().is_empty());
        world.assert_promises_kept().await;
    })
    .await;
}

#[tokio::test]
async fn a_user_deleted_while_a_mail_is_sent_gets_no_second_attempt() {
    World::run(async |world| {
        world.person("ada@example.org").await;
        world.relay.set("ada@example.org", Behaviour::Silence { at: Step::Dot });
        let batch = world.reset_passwords(json!({ "emails": ["ada@example.org"] })).await;
        world
            .relay
            .wait_until("a whole message", PATIENCE, |counts| counts.dots == 1)
            .await
            .unwrap();

        let line = world.deliveries(batch).await[0].clone();
        delete(world, &line["user"]).await;
        let in_hand = world.batch(batch).await;
        world.relay.hang_up();
        world.until(batch, "retrying", 1).await;
        world.let_pauses_pass().await;
        let finished = world.finished(batch).await;

        assert_eq!(in_hand["counts"]["sending"], 1, "{in_hand}");
        assert_eq!(finished["counts"]["cancelled"], 1, "{finished}");
        assert_eq!(finished["counts"]["unsure"], 1, "{finished}");
        let story = world.story(&line).await;
        assert_eq!(story["reason"], "user_deleted", "{story}");
        assert_eq!(story["attempts"].as_array().map(Vec::len), Some(1), "{story}");
        assert_eq!(world.relay.counts().dots, 1);
        let again = world
            .post(
                &format!("/v1/deliveries/{}/send-again", line["id"].as_str().unwrap()),
                json!({}),
            )
            .await;
        assert_eq!(again.status, 409, "{}", again.text);
        world.assert_sums().await;
    })
    .await;
}

//! A user whose password was stolen is locked: no password signs in until the user is unlocked and mailed a new one.

use crate::json;
use harness::{Setup, World};
use reqwest::Method;
use serde_json::Value;
use uuid::Uuid;

const ADA: &str = "ada@example.org";
const OWN: &str = "correct horse battery staple";

async fn mailed(world: &World) -> String {
    let recipients = json!({ "emails": [ADA], "include_recent": true, "include_signed_in": true });
    let batch = world.reset_passwords(recipients).await;
    world.finished(batch).await;
    let mails = world.relay.mails_to(ADA).unwrap();
    mails.last().unwrap().password().unwrap().to_owned()
}

async fn choose(world: &World, password: &str, new: &str) -> u16 {
    let choice = json!({ "email": ADA, "password": password, "new_password": new });
    world.post("/v1/credentials/choose", choice).await.status
}

async fn acts(world: &World, id: Uuid) -> Vec<(String, Value)> {
    let acts = world.audit_log().await.into_iter();
    let acts = acts.filter(|act| act.subject == format!("user {id}"));
    acts.map(|act| (act.action, act.details)).collect()
}

/// Number of clients with which users have signed in.
async fn known_clients(world: &World) -> i64 {
    world.rows("known_clients").count().await
}

#[tokio::test]
async fn ending_passwords_forgets_the_clients_that_used_them() {
    World::run(async |world| {
        let id = world.person(ADA).await;
        let revoke = json!({ "users": [id], "include_used": true });
        let other = json!({ "email": "ada.other@example.org" });
        let user = format!("/v1/users/{id}");
        let endings = [
            (Method::POST, format!("{user}/lock"), json!({})),
            (Method::POST, "/v1/credentials/revoke".to_owned(), revoke),
            (Method::PATCH, user.clone(), other),
        ];

        for (method, path, body) in endings {
            let password = mailed(world).await;
            let claim = json!({ "email": ADA, "password": password, "client": "a thief's browser" });
            let signed_in = world.post("/v1/credentials/verify", claim).await.expect(200);
            assert_eq!(signed_in["valid"], true, "{path}: {signed_in}");
            assert_eq!(known_clients(world).await, 1, "{path}");

            world.ask(method, &path, Some(body), None).await.expect(200);

            assert_eq!(known_clients(world).await, 0, "{path}");
            world.post(&format!("{user}/unlock"), json!({})).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_locked_user_cannot_sign_in_until_they_are_unlocked_and_sent_a_password() {
    World::run(async |world| {
        let id = world.person(ADA).await;
        let user = format!("/v1/users/{id}");
        let first = mailed(world).await;
        assert_eq!(choose(world, &first, OWN).await, 200);
        let second = mailed(world).await;
        world.sign_in(ADA, &second).await;
        let held = world
            .reset_passwords(json!({
                "emails": [ADA], "include_recent": true, "include_signed_in": true, "hold_seconds": 600
            }))
            .await;
        let wrong = world.verify(ADA, "abcde-fghjk-mnpqr-stuvw").await;

        let locked = world.post(&format!("{user}/lock"), json!({})).await.expect(200);
        let again = world.post(&format!("{user}/lock"), json!({})).await.expect(200);

        assert_eq!(locked["passwords_ended"], 2, "the chosen and the used one: {locked}");
        assert_eq!(
            (&locked["mails_cancelled"], &locked["mails_in_hand"]),
            (&json!(1), &json!(0))
        );
        assert_eq!(again["locked_at"], locked["locked_at"]);
        assert_eq!(again["passwords_ended"], 0, "{again}");
        let shown = world.get(&user).await.expect(200);
        assert_eq!(shown["locked_at"], locked["locked_at"], "{shown}");
        assert_eq!(world.deliveries(held).await[0]["reason"], "user_locked");
        for password in [OWN, second.as_str()] {
            let tried = world.verify(ADA, password).await;
            assert_eq!((&tried.body, &tried.text), (&json!({ "valid": false }), &wrong.text));
            assert_eq!(choose(world, password, "another battery staple").await, 422);
        }
        let left_out = world
            .post(
                "/v1/password-resets",
                json!({ "emails": [ADA], "include_recent": true, "include_signed_in": true }),
            )
            .await
            .expect(202);
        assert_eq!(left_out["left_out"], json!({ "user_locked": 1 }), "{left_out}");

        is_unlocked(world, id, &[OWN, &second]).await;
        let ended = json!({ "passwords_ended": 2, "mails_cancelled": 1, "mails_in_hand": 0 });
        assert_eq!(
            acts(world, id).await,
            [
                ("user_locked".to_owned(), ended),
                ("user_unlocked".to_owned(), json!({}))
            ]
        );
        for act in ["lock", "unlock"] {
            let unknown = format!("/v1/users/00000000-0000-7000-8000-000000000000/{act}");
            world.post(&unknown, json!({})).await.expect(404);
        }
        world.assert_promises_kept().await;
    })
    .await;
}

/// Unlocks the user: none of these passwords works again, and a new one can be mailed.
async fn is_unlocked(world: &World, id: Uuid, before: &[&str]) {
    let user = format!("/v1/users/{id}");
    let unlocked = world.post(&format!("{user}/unlock"), json!({})).await.expect(200);
    let once_more = world.post(&format!("{user}/unlock"), json!({})).await.expect(200);

    assert_eq!(unlocked, json!({ "user": id, "was_locked": true }));
    assert_eq!(once_more, json!({ "user": id, "was_locked": false }));
    assert!(world.get(&user).await.expect(200)["locked_at"].is_null());
    for password in before {
        assert!(!world.signs_in(ADA, password).await, "a password came back");
    }
    let third = mailed(world).await;
    world.sign_in(ADA, &third).await;
}

#[tokio::test]
async fn a_password_mail_accepted_while_its_user_is_locked_is_not_sent() {
    World::run_with(Setup::default().workers(0), async |world| {
        let id = world.person(ADA).await;
        let password = world.reset_passwords(json!({ "users": [id] })).await;
        let invite = world.invite(json!({ "users": [id] })).await;

        // As if the batch had been accepted while the lock was being written.
        world
            .rows("users")
            .with("id", id)
            .set(json!({ "locked_at": "now" }))
            .await;
        world.start_worker().await.unwrap();
        let finished = world.finished(password).await;
        let invited = world.finished(invite).await;

        assert_eq!(finished["counts"]["cancelled"], 1, "{finished}");
        assert_eq!(world.deliveries(password).await[0]["reason"], "user_locked");
        assert_eq!(invited["counts"]["sent"], 1, "an invite carries no password: {invited}");
        assert_eq!(world.relay.accepted_count(), 1);
        world.assert_promises_kept().await;
    })
    .await;
}

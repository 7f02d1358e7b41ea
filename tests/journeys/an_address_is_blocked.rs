//! An address that does not exist gets one mail and no more, until it is unblocked or corrected.

use crate::json;
use crate::manual_dispatch::{claim, due, settle, world_that_owes};
use harness::World;
use harness::relay::{Behaviour, Step};
use reqwest::Method;
use serde_json::Value;
use shared::store::settle::Ending;
use shared::store::users;
use shared::store::users_in_bulk;
use shared::user_filter::UserFilter;
use uuid::Uuid;

const GONE: &str = "Ada.550@Example.org";

/// How many transactions the relay saw for this address.
fn asked(world: &World, address: &str) -> usize {
    let log = world.relay.log();
    log.iter()
        .filter(|one| one.recipient.eq_ignore_ascii_case(address))
        .count()
}

async fn blocked(world: &World, query: &str) -> Vec<Value> {
    let list = world.get(&format!("/v1/blocked-addresses{query}")).await.expect(200);
    list["items"].as_array().unwrap().clone()
}

async fn unblock(world: &World, address: &str) {
    let path = format!("/v1/blocked-addresses/{address}");
    let answer = world.ask(Method::DELETE, &path, None, None).await;
    assert_eq!(answer.status, 204, "{}", answer.text);
}

/// A batch that is paused until [`go_on`].
async fn waits(world: &World, recipients: Value) -> Uuid {
    let batch = world.reset_passwords(recipients).await;
    world
        .post(&format!("/v1/batches/{batch}/pause"), json!({}))
        .await
        .expect(200);
    batch
}

/// Resumes a batch and waits until it finishes.
async fn go_on(world: &World, batch: Uuid) -> Value {
    world.end_hold(batch).await;
    world
        .post(&format!("/v1/batches/{batch}/resume"), json!({}))
        .await
        .expect(200);
    world.finished(batch).await
}

/// A world in which a mail to [`GONE`] has failed, and the id of that user.
async fn an_address_is_unknown() -> (World, Uuid) {
    let world = World::start().await;
    world
        .relay
        .set(GONE, Behaviour::answer(Step::Rcpt, "550 5.1.1 User unknown"));
    let ada = world.person(GONE).await;
    let batch = world.invite(json!({ "users": [ada] })).await;
    let finished = world.finished(batch).await;
    assert_eq!(finished["counts"]["failed"], 1, "{finished}");
    (world, ada)
}

#[tokio::test]
async fn an_unknown_address_gets_no_second_mail_from_any_queue() {
    World::run(async |world| {
        world
            .relay
            .set(GONE, Behaviour::answer(Step::Rcpt, "550 5.1.1 User unknown"));
        let ada = world.person(GONE).await;
        world.person("fay@example.org").await;
        // It waits in a paused batch before the address is known to be invalid.
        let both = json!({ "emails": [GONE, "fay@example.org"], "hold_seconds": 600 });
        let waiting = waits(world, both).await;

        let first = world.invite(json!({ "users": [ada] })).await;
        world.finished(first).await;
        let list = blocked(world, "").await;
        let finished = go_on(world, waiting).await;
        let recipients = json!({ "emails": [GONE, "fay@example.org"] });
        let again = world.post("/v1/invites", recipients).await.expect(202);
        let second = world.finished(again["batch"].as_str().unwrap().parse().unwrap()).await;

        assert_eq!(list.len(), 1, "{list:?}");
        assert_eq!(list[0]["email"], GONE);
        assert_eq!(list[0]["reason"], "address_unknown");
        assert_eq!(list[0]["code"], 550);
        assert_eq!(list[0]["enhanced_code"], "5.1.1");
        assert!(list[0]["reply"].as_str().unwrap().contains("User unknown"), "{list:?}");
        assert_eq!(list[0]["user"], json!(ada));
        assert_eq!(list[0]["delivery"], world.deliveries(first).await[0]["id"]);
        assert_eq!(
            (&finished["counts"]["suppressed"], &finished["counts"]["sent"]),
            (&json!(1), &json!(1)),
            "{finished}"
        );
        assert_eq!(
            (&again["accepted"], &again["left_out"]),
            (&json!(1), &json!({ "address_blocked": 1 })),
            "{again}"
        );
        assert_eq!(second["counts"]["sent"], 1, "{second}");
        assert_eq!(second["left_out"], again["left_out"], "{second}");
        let lines = world.deliveries(waiting).await;
        let line = lines.iter().find(|line| line["email"] == GONE).unwrap();
        assert_eq!(
            (&line["state"], &line["reason"], &line["attempts"]),
            (&json!("suppressed"), &json!("address_blocked"), &json!(0)),
            "{line}"
        );
        assert_eq!(line["status"], "Not sent: blocked address", "{line}");
        let csv = world.get(&format!("/v1/batches/{waiting}/deliveries.csv")).await.text;
        assert!(csv.contains("suppressed") && csv.contains("address_blocked"), "{csv}");
        assert_eq!(asked(world, GONE), 1, "the relay was asked again");
        assert_left_no_trace(world, ada).await;
        let user = world.get(&format!("/v1/users/{ada}")).await.expect(200);
        assert_eq!(user["blocked_at"], list[0]["blocked_at"], "{user}");
        world.assert_promises_kept().await;
    })
    .await;
}

/// Asserts that no password was made for the user and that no log contains the address.
async fn assert_left_no_trace(world: &World, user: Uuid) {
    let passwords = world.rows("credentials").with("user_id", user).count().await;
    assert_eq!(passwords, 0, "a password was made for a mail that is not sent");
    let logs = world.logs();
    assert!(logs.contains("Did not send an email: its address is blocked"), "{logs}");
    assert!(!logs.to_lowercase().contains("ada.550"), "a log contains an address");
}

#[tokio::test]
async fn an_unblocked_user_gets_the_suppressed_email() {
    World::run(async |world| {
        world
            .relay
            .set(GONE, Behaviour::answer(Step::Rcpt, "550 5.1.1 User unknown"));
        let ada = world.person(GONE).await;
        let batch = waits(world, json!({ "users": [ada], "hold_seconds": 600 })).await;
        let failing = world.invite(json!({ "users": [ada] })).await;
        world.finished(failing).await;
        let finished = go_on(world, batch).await;
        assert_eq!(finished["counts"]["suppressed"], 1, "{finished}");
        let last_failed = UserFilter {
            last_email_failed: Some(true),
            ..UserFilter::default()
        };
        let found = async || users::list(&world.db, &last_failed, None, 10).await.unwrap().len();
        // They match the filter even though their latest mail was suppressed without an attempt.
        assert_eq!(
            (
                found().await,
                users_in_bulk::count(&world.db, &last_failed).await.unwrap()
            ),
            (1, 1)
        );
        world.relay.set(GONE, Behaviour::Accept);

        // Case does not matter; unblocking a second time has no effect.
        unblock(world, "ADA.550@example.org").await;
        unblock(world, GONE).await;
        let again = world
            .post(
                &format!("/v1/batches/{batch}/send-again"),
                json!({ "outcomes": ["suppressed"] }),
            )
            .await
            .expect(202);
        let sent = world.finished(again["batch"].as_str().unwrap().parse().unwrap()).await;

        assert_eq!(sent["counts"]["sent"], 1, "{sent}");
        assert!(blocked(world, "").await.is_empty());
        assert_eq!(
            (
                found().await,
                users_in_bulk::count(&world.db, &last_failed).await.unwrap()
            ),
            (0, 0)
        );
        let acts = world.audited("address_unblocked").await;
        let acts: Vec<(&str, &Value)> = acts.iter().map(|act| (&*act.subject, &act.details)).collect();
        assert_eq!(acts, [(&*format!("user {ada}"), &json!({}))]);
        let unknown = world
            .ask(Method::DELETE, "/v1/blocked-addresses/unknown", None, None)
            .await;
        assert_eq!(unknown.status, 404, "{}", unknown.text);
        world.assert_promises_kept().await;
    })
    .await;
}

#[tokio::test]
async fn a_corrected_address_is_unblocked_at_once_and_a_deleted_user_is_forgotten() {
    let (world, ada) = an_address_is_unknown().await;
    World::run_in(world, async |world| {
        let eve = world.person("550+eve@example.org").await;
        let batch = world.invite(json!({ "users": [eve] })).await;
        world.finished(batch).await;

        let path = format!("/v1/users/{ada}");
        let corrected = json!({ "email": "ada@example.org" });
        world.ask(Method::PATCH, &path, Some(corrected), None).await.expect(200);
        let batch = world.invite(json!({ "users": [ada] })).await;
        let sent = world.finished(batch).await;
        let without_user = blocked(world, "?q=ada.550").await;
        let first = world.get("/v1/blocked-addresses?limit=1").await.expect(200);
        let cursor = first["next_cursor"].as_str().unwrap();
        let rest = blocked(world, &format!("?limit=1&cursor={cursor}")).await;
        for user in [ada, eve] {
            world
                .ask(Method::DELETE, &format!("/v1/users/{user}"), None, None)
                .await;
        }

        assert_eq!(sent["counts"]["sent"], 1, "{sent}");
        assert_eq!(
            (&without_user[0]["email"], &without_user[0]["user"]),
            (&json!(GONE), &Value::Null)
        );
        assert_eq!(first["items"][0]["email"], "550+eve@example.org", "{first}");
        assert_eq!(rest[0]["email"], GONE, "{rest:?}");
        assert!(blocked(world, "").await.is_empty(), "a deleted user is still named");
    })
    .await;
}

#[tokio::test]
async fn nothing_is_blocked_on_a_suspicion() {
    World::run(async |world| {
        let refusals = [
            ("bare@example.org", "550 no"),
            ("full@example.org", "552 5.2.2 mailbox full"),
            ("spam@example.org", "550 5.7.1 not from you"),
        ];
        for (address, reply) in refusals {
            world.relay.set(address, Behaviour::answer(Step::Rcpt, reply));
            world.person(address).await;
        }
        let emails = refusals.map(|(address, _)| address);

        let batch = world.invite(json!({ "emails": emails })).await;
        let finished = world.finished(batch).await;
        // A test mail reports its outcome to the administrator and blocks no address.
        world
            .post("/v1/system-emails/invite/test", json!({ "to": "550+me@example.org" }))
            .await
            .expect(202);
        world
            .eventually("the test mail to fail", async || {
                (asked(world, "550+me@example.org") == 1).then_some(())
            })
            .await;
        world.person("550+me@example.org").await;
        let later = world.invite(json!({ "emails": ["550+me@example.org"] })).await;
        let not_blocked_by_a_test = world.finished(later).await;

        assert_eq!(finished["counts"]["failed"], 3, "{finished}");
        assert_eq!(not_blocked_by_a_test["counts"]["failed"], 1, "{not_blocked_by_a_test}");
        let list = blocked(world, "").await;
        assert_eq!(list.len(), 1, "{list:?}");
    })
    .await;
}

#[tokio::test]
async fn a_mail_in_delivery_blocks_the_address_it_was_sent_to() {
    let world = world_that_owes(&[json!({ "emails": ["ada@example.org"] })]).await;
    World::run_in(world, async |world| {
        let token = Uuid::new_v4();
        let due = due(world, 1).await;
        let first = claim(world, &due, token).await;

        // Meanwhile the address is corrected, and another mail blocks the old one. The claim keeps its address, even
        // when it is requested again because the answer was lost.
        world.block_address(world.user_id("ada@example.org").await).await;
        let asked_again = claim(world, &due, token).await;
        world.rows("blocked_addresses").delete().await;
        let corrected = json!({ "email": "ada@example.net", "email_key": "ada@example.net" });
        world.rows("users").set(corrected).await;
        let failed = Ending::Failed {
            reason: "address_unknown",
        };
        settle(world, &first[0], token, failed.clone(), false).await;
        settle(world, &first[0], token, failed, true).await;

        assert_eq!(asked_again.len(), 1, "{asked_again:?}");
        let blocked: Vec<String> = world.rows("blocked_addresses").column("email_key").await;
        assert_eq!(blocked, ["ada@example.org"]);
    })
    .await;
}

//! Retries end: by age, by count, or before the first attempt.

use crate::json;
use harness::{Setup, World};
use serde_json::Value;
use std::time::Duration;
use uuid::Uuid;

const LATER: &str = "451@example.org";

/// Lets this many hours pass for retrying deliveries.
async fn let_hours_pass(world: &World, hours: u64) {
    let retrying = world.rows("deliveries").with("state", "retrying");
    retrying.age(&["give_up_at"], Duration::from_hours(hours)).await;
}

/// Waits until a batch's only mail has had this many attempts and waits again.
async fn tried(world: &World, batch: Uuid, times: i64) -> Value {
    world
        .eventually(&format!("{times} attempts"), async || {
            let line = world.deliveries(batch).await.remove(0);
            let is_there = line["attempts"].as_i64() == Some(times) && line["state"] == "retrying";
            is_there.then_some(line)
        })
        .await
}

#[tokio::test]
async fn a_password_mail_is_abandoned_after_a_day_and_an_invite_after_two() {
    World::run(async |world| {
        world.person(LATER).await;
        let invite = world.invite(json!({ "emails": [LATER] })).await;
        let password = world.reset_passwords(json!({ "emails": [LATER] })).await;
        tried(world, invite, 1).await;
        tried(world, password, 1).await;

        let_hours_pass(world, 22).await;
        world.let_pauses_pass().await;
        tried(world, invite, 2).await;
        tried(world, password, 2).await;
        let_hours_pass(world, 3).await;
        world.let_pauses_pass().await;
        tried(world, invite, 3).await;
        let after_a_day = world.finished(password).await;
        let_hours_pass(world, 24).await;
        world.let_pauses_pass().await;
        let after_two = world.finished(invite).await;

        assert_eq!(after_a_day["counts"]["expired"], 1, "{after_a_day}");
        assert_eq!(after_two["counts"]["expired"], 1, "{after_two}");
        let line = world.deliveries(password).await.remove(0);
        assert_eq!((&line["reason"], &line["attempts"]), (&json!("throttled"), &json!(2)));
        let story = world.story(&line).await;
        assert_eq!(story["attempts"][1]["verdict"], "try_later", "{story}");
        let live = world.rows("credentials").count().await;
        assert_eq!(live, 0, "the password of a mail that was never sent does not exist");
        assert_eq!(world.relay.accepted_count(), 0);
        world.assert_promises_kept().await;
    })
    .await;
}

#[tokio::test]
async fn the_settings_determine_when_a_mail_is_abandoned() {
    // The back-off after the first attempt is at least four minutes.
    let setup = Setup::default()
        .worker_setting("BECKON_INVITE_GIVE_UP", "3min")
        .worker_setting("BECKON_PASSWORD_GIVE_UP", "10min");
    World::run_with(setup, async |world| {
        world.person(LATER).await;

        let invite = world.invite(json!({ "emails": [LATER] })).await;
        let password = world.reset_passwords(json!({ "emails": [LATER] })).await;
        let finished = world.finished(invite).await;

        assert_eq!(finished["counts"]["expired"], 1, "{finished}");
        tried(world, password, 1).await;
    })
    .await;
}

#[tokio::test]
async fn after_twenty_attempts_a_mail_has_failed() {
    World::run(async |world| {
        world.person(LATER).await;
        let batch = world.invite(json!({ "emails": [LATER] })).await;
        let line = tried(world, batch, 1).await;
        world.repeat_attempts(17).await;

        world.let_pauses_pass().await;
        tried(world, batch, 19).await;
        world.let_pauses_pass().await;
        let finished = world.finished(batch).await;

        assert_eq!(finished["counts"]["failed"], 1, "{finished}");
        let story = world.story(&line).await;
        assert_eq!(story["attempts"].as_array().map(Vec::len), Some(20), "{story}");
        assert_eq!(story["state"], "failed", "{story}");
        world.assert_promises_kept().await;
    })
    .await;
}

#[tokio::test]
async fn a_password_mail_not_attempted_in_time_expires_unsent() {
    let setup = Setup::default()
        .api_setting("BECKON_PASSWORD_STALE", "1s")
        .api_setting("BECKON_MAIL_RATE", "0.001");
    World::run_with(setup, async |world| {
        let import = world.people(3).await;
        world.person("first@example.org").await;
        // The only mail that the rate allows in a quarter of an hour.
        let first = world.invite(json!({ "emails": ["first@example.org"] })).await;
        world.finished(first).await;

        let invites = world.invite(json!({ "import": import })).await;
        let passwords = world.reset_passwords(json!({ "import": import })).await;
        let finished = world.finished(passwords).await;

        assert_eq!(finished["counts"]["expired"], 3, "{finished}");
        for line in world.deliveries(passwords).await {
            assert_eq!(
                (&line["reason"], &line["attempts"]),
                (&json!("stale"), &json!(0)),
                "{line}"
            );
        }
        assert_eq!(
            world.count(invites, "waiting").await,
            3,
            "an invite is of use at any time"
        );
        assert_eq!(world.relay.accepted_count(), 1);
        world.assert_sums().await;
    })
    .await;
}

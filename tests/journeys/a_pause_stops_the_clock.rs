//! However long a batch is paused, none of its mails expire meanwhile.

use crate::json;
use harness::relay::Behaviour;
use harness::world::PATIENCE;
use harness::{Setup, World};
use serde_json::Value;
use shared::batch::PauseCause;
use shared::store::auto_pause::{self, Running};
use std::time::Duration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

/// The default of `BECKON_PASSWORD_STALE`, in hours and in seconds.
const HOURS: i32 = 24;
const SECONDS: i64 = 24 * 3_600;

/// Their mails are deferred and retried.
const PAUSED: &str = "451+paused@example.org";
const OTHER: &str = "451+other@example.org";
const FRESH: &str = "451+fresh@example.org";

async fn control(world: &World, batch: Uuid, what: &str) -> Value {
    world
        .post(&format!("/v1/batches/{batch}/{what}"), json!({}))
        .await
        .expect(200)
}

/// A password batch for five users of its own.
async fn passwords(world: &World, name: &str, hold_seconds: u32) -> Uuid {
    let emails: Vec<String> = (1..=5).map(|n| format!("{name}{n}@example.org")).collect();
    world
        .import(&format!("email\n{}\n", emails.join("\n")))
        .await
        .expect(201);
    world
        .reset_passwords(json!({ "emails": emails, "hold_seconds": hold_seconds }))
        .await
}

/// Pauses the batch as Beckon does when too much of it fails.
async fn brake(world: &World, batch: Uuid) {
    let seen = Running {
        batch,
        resumed_at: None,
        unknown: 0,
        policy: 20,
    };
    let is_paused = auto_pause::pause(&world.db, &seen, PauseCause::Policy, "20 of 20 were refused", json!({})).await;
    assert!(is_paused.unwrap());
}

/// How long the mails of a running batch have left.
fn seconds_left(batch: &Value) -> i64 {
    let at = OffsetDateTime::parse(batch["expires_at"].as_str().unwrap(), &Rfc3339).unwrap();
    let left = std::time::SystemTime::from(at)
        .duration_since(shared::trace::now())
        .unwrap();
    i64::try_from(left.as_secs()).unwrap()
}

fn is_about(seconds: i64, expected: i64) -> bool {
    (expected - 120..=expected).contains(&seconds)
}

#[tokio::test]
async fn passwords_paused_for_days_are_all_sent_after_the_resume() {
    World::run_with(Setup::default().workers(0), async |world| {
        let running = passwords(world, "running", 0).await;
        let by_a_person = passwords(world, "person", 0).await;
        let by_the_brake = passwords(world, "brake", 0).await;
        let in_its_hold = passwords(world, "hold", 3_600).await;
        control(world, by_a_person, "pause").await;
        brake(world, by_the_brake).await;
        control(world, in_its_hold, "pause").await;
        let paused = [by_a_person, by_the_brake, in_its_hold];

        world.let_hours_pass(HOURS + 6).await;
        // Once it finishes, everything too old has expired.
        let expired = world.finished(running).await;
        let mut resumed = Vec::new();
        for batch in paused {
            let rests = world.batch(batch).await;
            assert_eq!(rests["counts"]["waiting"], 5, "{rests}");
            assert_eq!(rests["expires_at"], Value::Null, "{rests}");
            let left = rests["expires_after_resume_seconds"].as_i64().unwrap();
            assert!(is_about(left, SECONDS), "{rests}");
            resumed.push(control(world, batch, "resume").await);
        }
        world.start_worker().await.unwrap();

        assert_eq!(expired["counts"]["expired"], 5, "{expired}");
        assert_eq!(expired["expires_at"], Value::Null, "{expired}");
        for (batch, resumed) in paused.into_iter().zip(resumed) {
            assert_eq!(resumed["state"], "running", "{resumed}");
            assert!(is_about(seconds_left(&resumed), SECONDS), "{resumed}");
            assert_eq!(resumed["expires_after_resume_seconds"], Value::Null, "{resumed}");
            let finished = world.finished(batch).await;
            assert_eq!(finished["counts"]["sent"], 5, "{finished}");
        }
        world.assert_promises_kept().await;
    })
    .await;
}

#[tokio::test]
async fn the_remaining_time_continues_after_each_pause() {
    World::run_with(Setup::default().workers(0), async |world| {
        let batch = passwords(world, "person", 0).await;
        let other = passwords(world, "other", 0).await;

        for _ in 0..2 {
            world.let_hours_pass(9).await;
            control(world, batch, "pause").await;
            world.let_hours_pass(40).await;
            control(world, batch, "resume").await;
        }
        let after_18_hours = world.batch(batch).await;
        let never_paused = world.finished(other).await;
        world.let_hours_pass(7).await;
        let after_25 = world.finished(batch).await;

        assert!(is_about(seconds_left(&after_18_hours), 6 * 3_600), "{after_18_hours}");
        assert_eq!(after_18_hours["counts"]["expired"], 0, "{after_18_hours}");
        assert_eq!(never_paused["counts"]["expired"], 5, "{never_paused}");
        assert_eq!(after_25["counts"]["expired"], 5, "{after_25}");
        assert_eq!(world.deliveries(batch).await[0]["reason"], "stale");
    })
    .await;
}

/// Waits until a batch's only mail has had this many attempts and waits again.
async fn tried(world: &World, batch: Uuid, times: i64) {
    world
        .eventually(&format!("{times} attempts"), async || {
            let line = world.deliveries(batch).await.remove(0);
            (line["attempts"].as_i64() == Some(times) && line["state"] == "retrying").then_some(())
        })
        .await;
}

#[tokio::test]
async fn a_pause_does_not_count_towards_abandoning_a_retried_mail() {
    World::run(async |world| {
        for name in [PAUSED, OTHER, FRESH] {
            world.person(name).await;
        }
        let invite = world.invite(json!({ "emails": [PAUSED] })).await;
        let password = world.reset_passwords(json!({ "emails": [PAUSED] })).await;
        let never_paused = world.reset_passwords(json!({ "emails": [OTHER] })).await;
        let fresh = json!({ "emails": [FRESH], "hold_seconds": 3_600 });
        let fresh = world.reset_passwords(fresh).await;
        for batch in [invite, password, never_paused] {
            tried(world, batch, 1).await;
        }
        for batch in [invite, password, fresh] {
            control(world, batch, "pause").await;
        }

        world.let_hours_pass(60).await;
        let given_up = world.finished(never_paused).await;
        for batch in [invite, password, fresh] {
            control(world, batch, "resume").await;
        }
        for batch in [invite, password] {
            tried(world, batch, 2).await;
        }
        // Its first attempt is after the pause, so the pause gives it no extra time.
        tried(world, fresh, 1).await;
        world.let_hours_pass(25).await;
        let after_a_day = [world.finished(password).await, world.finished(fresh).await];
        let not_yet = world.batch(invite).await;
        world.let_hours_pass(24).await;
        let after_two = world.finished(invite).await;

        assert_eq!(given_up["counts"]["expired"], 1, "{given_up}");
        for batch in after_a_day {
            assert_eq!(batch["counts"]["expired"], 1, "{batch}");
        }
        assert_eq!(not_yet["counts"]["expired"], 0, "{not_yet}");
        assert_eq!(after_two["counts"]["expired"], 1, "{after_two}");
        world.assert_promises_kept().await;
    })
    .await;
}

#[tokio::test]
async fn a_paused_batch_with_nothing_left_finishes() {
    World::run(async |world| {
        world.person("ada@example.org").await;
        world.relay.set_default(Behaviour::SlowDot(Duration::from_secs(2)));
        let batch = world.invite(json!({ "emails": ["ada@example.org"] })).await;
        let dot = world.relay.wait_until("its dot", PATIENCE, |counts| counts.dots == 1);
        dot.await.unwrap();

        let paused = control(world, batch, "pause").await;
        let finished = world.finished(batch).await;
        let resumed = world.post(&format!("/v1/batches/{batch}/resume"), json!({})).await;

        assert_eq!(paused["state"], "paused", "{paused}");
        assert_eq!(finished["state"], "finished", "{finished}");
        assert_eq!(finished["counts"]["sent"], 1, "{finished}");
        assert_eq!(finished["reason"], Value::Null, "{finished}");
        assert_eq!(resumed.status, 409, "{}", resumed.text);
        world.assert_promises_kept().await;
    })
    .await;
}

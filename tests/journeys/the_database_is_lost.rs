//! Postgres is the source of truth: while it is down nothing is accepted, and when it is back everything continues
//! without intervention.

use crate::json;
use harness::relay::Behaviour;
use harness::stack::Stop;
use harness::world::PATIENCE;
use harness::{Setup, World};
use serde_json::Value;
use std::time::Duration;

/// Enough that Postgres goes away in the middle.
const PEOPLE: i64 = 600;

/// The response to the caller: status, `Retry-After` and body.
async fn invited(world: &World, import: uuid::Uuid, key: &str) -> (u16, Option<String>, Value) {
    let asked = reqwest::Client::new()
        .post(format!("{}/v1/invites", world.base()))
        .bearer_auth(world.key())
        .header("Idempotency-Key", key)
        .json(&json!({ "import": import }));
    let answer = asked.send().await.unwrap();
    let retry_after = answer.headers().get("Retry-After");
    let retry_after = retry_after.map(|seconds| seconds.to_str().unwrap().to_owned());
    (
        answer.status().as_u16(),
        retry_after,
        answer.json().await.unwrap_or_default(),
    )
}

async fn through(how: Stop) {
    let setup = Setup::default()
        .own_stack()
        .workers(2)
        .api_setting("BECKON_MAIL_RATE", "200");
    World::run_with(setup, async |world| {
        let import = world.people(usize::try_from(PEOPLE).unwrap()).await;
        let later = world.person("ada@example.com").await;
        let later_import = world.get(&format!("/v1/users/{later}")).await.expect(200);
        let batch = world.invite(json!({ "import": import })).await;
        world.relay.wait_for(100, harness::world::PATIENCE).await.unwrap();

        world.stack().stop_postgres(how).await.unwrap();
        let refused = invited(world, import, "again").await;
        let settled = world.relay.accepted_count();
        world.stack().start_postgres().await.unwrap();
        let answered = world.get(&format!("/v1/users/{later}")).await.expect(200);
        let accepted = invited(world, import, "again").await;
        let finished = world.finished(batch).await;

        assert_eq!((refused.0, refused.1.as_deref()), (503, Some("2")), "{}", refused.2);
        assert_eq!(refused.2["type"], "/problems/unavailable", "{}", refused.2);
        assert_eq!(answered, later_import);
        assert_eq!(accepted.0, 202, "{}", accepted.2);
        assert_eq!(accepted.2["selected"], PEOPLE, "{}", accepted.2);
        assert!(
            i64::try_from(settled).unwrap() < PEOPLE,
            "the batch finished before the test could check"
        );
        assert_eq!(finished["counts"]["sent"], PEOPLE, "{finished}");
        let programs = world.api.iter().chain(&world.workers);
        let ended: Vec<i32> = programs.filter_map(harness::program::Program::exit_code).collect();
        assert!(ended.is_empty(), "{ended:?}");
        world
            .finished(accepted.2["batch"].as_str().unwrap().parse().unwrap())
            .await;
        world.assert_promises_kept().await;
    })
    .await;
}

#[tokio::test]
async fn a_restart_during_a_batch_loses_nothing() {
    through(Stop::Graceful).await;
}

#[tokio::test]
async fn a_crash_during_a_batch_loses_nothing() {
    through(Stop::Kill).await;
}

#[tokio::test]
async fn mails_accepted_by_the_relay_meanwhile_are_recorded_afterwards() {
    // Longer than Postgres is down.
    let setup = Setup::default().own_stack().worker_setting("BECKON_LEASE", "2min");
    World::run_with(setup, async |world| {
        let import = world.people(5).await;
        world.relay.set_default(Behaviour::SlowDot(Duration::from_secs(2)));

        let batch = world.reset_passwords(json!({ "import": import })).await;
        let dots = world.relay.wait_until("five dots", PATIENCE, |counts| counts.dots == 5);
        dots.await.unwrap();
        world.stack().stop_postgres(Stop::Kill).await.unwrap();
        world.relay.wait_for(5, PATIENCE).await.unwrap();
        world.stack().start_postgres().await.unwrap();
        let finished = world.finished(batch).await;

        assert_eq!(finished["counts"]["sent"], 5, "{finished}");
        assert_eq!(finished["counts"]["unsure"], 0, "{finished}");
        for mail in world.relay.all_mails().unwrap() {
            world.sign_in(&mail.recipient, mail.password().unwrap()).await;
        }
        world.assert_promises_kept().await;
    })
    .await;
}

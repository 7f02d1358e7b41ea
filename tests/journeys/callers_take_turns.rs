//! Callers take turns: one caller's email does not wait behind all the emails of another.

use crate::json;
use harness::World;
use harness::world::PATIENCE;
use std::time::{Duration, Instant};

/// Single-recipient batches that a program requests.
const BATCHES: i32 = 20_000;

/// Recipients of its large batch.
const PEOPLE: usize = 3_000;

/// A resend goes out within this time on a busy machine; behind the program's mails it would take a minute.
const SOON: Duration = Duration::from_secs(5);

#[tokio::test]
async fn a_resend_is_sent_promptly_beside_twenty_thousand_batches_of_one() {
    World::run(async |world| {
        let import = world.people(PEOPLE).await;
        world.person("ada@example.com").await;
        world.owe_one_by_one(BATCHES, "ada@example.com").await;
        world.invite(json!({ "import": import })).await;
        world.relay.wait_for(500, PATIENCE).await.unwrap();
        // A program requests them over some time; here the dispatcher must count all of them first.
        world
            .eventually("the batches to be counted", async || {
                let uncounted = world.rows("count_changes").with("state", "waiting");
                (uncounted.count().await < 1_000).then_some(())
            })
            .await;

        let began = Instant::now();
        world.invite(json!({ "emails": ["ada@example.com"] })).await;
        world
            .eventually("the resend to be taken", async || {
                let log = world.relay.log();
                log.iter().any(|one| one.recipient == "ada@example.com").then_some(())
            })
            .await;
        let waited = began.elapsed();

        let unfinished = world.rows("batches").without("finished_at").count().await;
        assert!(
            unfinished > 10_000,
            "only {unfinished} were left: nothing to wait behind"
        );
        assert!(waited < SOON, "{waited:?}");
    })
    .await;
}

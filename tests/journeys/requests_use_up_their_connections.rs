//! Requests that wait for Postgres use up the connections of other requests, but not those that mail needs.

use crate::json;
use harness::world::PATIENCE;
use harness::{Setup, World};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Connections for requests in a world's API.
const CONNECTIONS: usize = 6;
const CALLERS: usize = 16;

#[tokio::test]
async fn mail_continues_and_callers_get_an_early_response() {
    World::run_with(Setup::default().api_setting("BECKON_MAIL_RATE", "40"), async |world| {
        let import = world.people(120).await;
        let batch = world.invite(json!({ "import": import })).await;
        world.relay.wait_for(10, PATIENCE).await.unwrap();
        let lock = world.block_table("api_keys").await;

        // As many as there are connections wait for the lock; the others wait for a connection.
        let (began, refused) = (Instant::now(), AtomicUsize::new(0));
        let asked = (0..CALLERS).map(|_| async {
            let status = world.get("/v1/batches").await.status;
            if status == 503 {
                refused.fetch_add(1, Ordering::Relaxed);
            }
            (status, began.elapsed())
        });
        let mails = async {
            world.relay.wait_for(120, PATIENCE).await.unwrap();
            world
                .eventually("all but those with a connection to be refused", async || {
                    (refused.load(Ordering::Relaxed) >= CALLERS - CONNECTIONS).then_some(())
                })
                .await;
            lock.release().await;
        };
        let (answers, ()) = tokio::join!(futures_util::future::join_all(asked), mails);
        let finished = world.finished(batch).await;

        let waited = answers.iter().filter(|answer| answer.0 == 503).map(|answer| answer.1);
        assert!(waited.max().unwrap() < Duration::from_secs(20), "{answers:?}");
        assert!(
            answers.iter().all(|answer| matches!(answer.0, 200 | 503)),
            "{answers:?}"
        );
        assert_eq!(finished["counts"]["sent"], 120, "{finished}");
        world.assert_promises_kept().await;
    })
    .await;
}

//! A worker that cannot send does not keep jobs from one that can.

use crate::json;
use harness::{Setup, World};

/// No server listens there.
const NOWHERE: &str = "smtp://127.0.0.1:1?tls=none";

#[tokio::test]
async fn its_jobs_go_to_a_worker_that_can_reach_it() {
    World::run_with(Setup::default().workers(0), async |world| {
        world.start_worker_unready(&[("SMTP_URL", NOWHERE)]).await.unwrap();
        let import = world.people(400).await;
        let batch = world.invite(json!({ "import": import })).await;
        world
            .eventually("the worker to give its jobs back", async || {
                world.logs().contains("Returned jobs to their queues").then_some(())
            })
            .await;

        world.start_worker().await.unwrap();
        let finished = world.finished(batch).await;

        assert_eq!(finished["counts"]["sent"], 400, "{finished}");
        assert_eq!(finished["counts"]["unsure"], 0, "{finished}");
        assert_eq!(world.relay.accepted_count(), 400);
        world.assert_promises_kept().await;
    })
    .await;
}

//! On SIGTERM a worker finishes started mails and gives the rest back without spending an attempt.

use crate::json;
use harness::World;
use harness::relay::Behaviour;
use harness::world::PATIENCE;
use nix::sys::signal::Signal;
use std::time::Duration;

#[tokio::test]
async fn a_stopped_worker_finishes_its_mails_and_another_sends_the_rest() {
    World::run(async |world| {
        world.relay.set_default(Behaviour::SlowDot(Duration::from_millis(200)));
        let import = world.people(300).await;

        let batch = world.invite(json!({ "import": import })).await;
        world.relay.wait_for(30, PATIENCE).await.unwrap();
        let code = world.stop_worker(0).await;
        let stopped = world.batch(batch).await;
        world.start_worker().await.unwrap();
        let finished = world.finished(batch).await;

        assert_eq!(code, 0);
        assert_eq!(stopped["counts"]["sending"], 0, "{stopped}");
        assert_eq!(finished["counts"]["sent"], 300, "{finished}");
        assert_eq!(finished["counts"]["unsure"], 0, "{finished}");
        assert_eq!(world.relay.accepted_count(), 300);
        world.assert_promises_kept().await;
    })
    .await;
}

#[tokio::test]
async fn a_second_signal_ends_at_once() {
    World::run(async |world| {
        world.person("slow-dot-30s@example.org").await;
        world.invite(json!({ "emails": ["slow-dot-30s@example.org"] })).await;
        let begun = world.relay.wait_until("a dot", PATIENCE, |counts| counts.dots == 1);
        begun.await.unwrap();

        let worker = world.workers.remove(0);
        worker.signal(Signal::SIGTERM);
        world
            .eventually("the first signal to be handled", async || {
                worker.log().contains("Stopping after SIGTERM").then_some(())
            })
            .await;
        worker.signal(Signal::SIGTERM);
        let code = worker.ended(Duration::from_secs(5)).await.unwrap();

        assert_ne!(code, 0, "something was left unfinished");
    })
    .await;
}

//! Combined faults: workers are killed repeatedly while passwords are mailed, and the broker restarts in between.

use crate::json;
use harness::stack::Stop;
use harness::world::PATIENCE;
use harness::{Setup, World};
use std::time::Duration;

/// Time between two kills.
const LIFETIME: Duration = Duration::from_secs(2);

async fn through(people: usize, single_sign_ins: usize) {
    let setup = Setup::default()
        .own_stack()
        .workers(2)
        .worker_setting("BECKON_LEASE", "5s");
    World::run_with(setup, async |world| {
        let import = world.people(people).await;
        let batch = world.reset_passwords(json!({ "import": import })).await;

        for restart_after in [people / 4, people / 2] {
            while world.relay.accepted_count() < restart_after {
                tokio::time::sleep(LIFETIME).await;
                world.kill_worker(0).await;
                world.start_worker().await.unwrap();
            }
            world.stack().restart_broker(Stop::Graceful).await.unwrap();
        }
        while world.relay.accepted_count() < people * 9 / 10 {
            tokio::time::sleep(LIFETIME).await;
            world.kill_worker(0).await;
            world.start_worker().await.unwrap();
        }
        let finished = world.finished(batch).await;

        let (sent, unsure) = (
            finished["counts"]["sent"].as_u64(),
            finished["counts"]["unsure"].as_u64(),
        );
        assert_eq!(sent, u64::try_from(people).ok(), "{finished}");
        world.relay.wait_for(people, PATIENCE).await.unwrap();
        let second = world.relay.accepted_count() - people;
        println!(
            "{people} people, {second} second mails, {} unsure",
            unsure.unwrap_or_default()
        );
        world.assert_promises_kept().await;
        world.assert_mailed_passwords_work(|_| true, single_sign_ins).await;
    })
    .await;
}

#[tokio::test]
async fn all_passwords_of_eight_hundred_mails_work() {
    through(800, 40).await;
}

#[tokio::test]
#[ignore = "ten minutes; by hand with --ignored"]
async fn all_passwords_of_ten_thousand_mails_work() {
    through(10_000, 10_000).await;
}

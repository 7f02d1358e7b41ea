//! The rate limit applies to all workers together.

use crate::json;
use harness::{Setup, World};
use nix::sys::signal::Signal;
use std::time::Duration;
use uuid::Uuid;

/// Mails per second.
const RATE: usize = 50;

/// Jobs in a full queue: one second's worth.
#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
const FULL: f64 = RATE as f64;

/// Connections of each of two workers.
const CONNECTIONS: usize = 4;

/// The most mails that can be claimed, and so are neither in a queue nor still to be published: a worker claims one per
/// connection and a tenth of a second's work ahead.
const CLAIMED: usize = 2 * (CONNECTIONS + RATE / 10);

#[tokio::test]
async fn the_rate_holds_for_any_number_of_workers() {
    let (world, batch) = sending().await;

    is_held(world, batch).await;
}

/// The backlog goes out with what the next second allows, and no more.
#[tokio::test]
async fn the_rate_holds_after_all_workers_were_stopped() {
    let (world, batch) = sending().await;
    world.relay.wait_for(RATE, Duration::from_secs(30)).await.unwrap();

    world.workers.iter().for_each(|worker| worker.signal(Signal::SIGSTOP));
    world
        .eventually("the queue to be full", async || {
            (world.api_metric("beckon_queued_deliveries").await >= FULL).then_some(())
        })
        .await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    world.workers.iter().for_each(|worker| worker.signal(Signal::SIGCONT));

    is_held(world, batch).await;
}

async fn sending() -> (World, Uuid) {
    let setup = Setup::default()
        .workers(2)
        .worker_setting("BECKON_SMTP_CONNECTIONS", &CONNECTIONS.to_string())
        .api_setting("BECKON_MAIL_RATE", &RATE.to_string());
    let world = World::with(setup).await;
    let import = world.people(5 * RATE).await;
    let batch = world.invite(json!({ "import": import })).await;
    (world, batch)
}

async fn is_held(world: World, batch: Uuid) {
    let finished = world.finished(batch).await;
    assert_eq!(finished["counts"]["sent"], json!(5 * RATE), "{finished}");
    let mut taken: Vec<Duration> = world.relay.log().iter().map(|one| one.after).collect();
    taken.sort_unstable();
    let most = (0..taken.len()).map(|first| {
        let second = taken.iter().skip(first);
        second
            .take_while(|at| **at < taken[first] + Duration::from_secs(1))
            .count()
    });
    let most = most.max().unwrap();
    assert!(most <= 2 * RATE + CLAIMED, "{most} in one second: {taken:?}");
    let soonest = taken[0] + Duration::from_secs(3);
    assert!(taken[taken.len() - 1] >= soonest, "too fast: {taken:?}");
    world.assert_promises_kept().await;
    world.end().await;
}

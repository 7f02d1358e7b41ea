//! Under a memory or disk alarm the broker blocks publishers. Postgres accepts batches meanwhile, and workers can still
//! acknowledge jobs.

use crate::json;
use harness::relay::Behaviour;
use harness::stack::Stop;
use harness::world::PATIENCE;
use harness::{Setup, World};
use std::time::{Duration, Instant};
use uuid::Uuid;

async fn until_blocked(world: &World, is_blocked: bool) {
    let wish = format!("beckon_amqp_blocked to be {is_blocked}");
    world
        .eventually(&wish, async || {
            let reported = world.api_metric("beckon_amqp_blocked").await > 0.5;
            (reported == is_blocked).then_some(())
        })
        .await;
}

/// Sends through a memory alarm: a mail that a worker has started is settled and acknowledged, and a batch is accepted
/// and goes out when the alarm ends.
async fn through_an_alarm(world: &mut World, import: Uuid) {
    let dots = world.relay.counts().dots;
    world.relay.set_default(Behaviour::SlowDot(Duration::from_secs(1)));
    let recipients = json!({ "emails": ["ada@example.com"], "include_recent": true });
    let in_hand = world.invite(recipients).await;
    let with_the_relay = world.relay.wait_until("a dot", PATIENCE, |counts| counts.dots > dots);
    with_the_relay.await.unwrap();

    world.stack().broker_alarm(true).await.unwrap();
    let began = Instant::now();
    let batch = world.invite(json!({ "import": import, "include_recent": true })).await;
    let accepted_after = began.elapsed();
    until_blocked(world, true).await;
    world.finished(in_hand).await;
    let code = world.stop_worker(0).await;
    let unacknowledged = world.message_count("beckon.interactive").await;
    world.relay.set_default(Behaviour::Accept);
    world.start_worker().await.unwrap();
    let blocked = world.batch(batch).await;
    world.stack().broker_alarm(false).await.unwrap();
    let finished = world.finished(batch).await;

    assert!(accepted_after < Duration::from_secs(5), "{accepted_after:?}");
    assert_eq!((code, unacknowledged), (0, 0), "a job that was done came back");
    assert_eq!(blocked["counts"]["sent"], 0, "{blocked}");
    assert_eq!(finished["counts"]["sent"], 100, "{finished}");
    until_blocked(world, false).await;
    world.assert_promises_kept().await;
}

#[tokio::test]
async fn batches_are_accepted_and_sent_when_the_alarm_ends() {
    World::run_with(Setup::default().own_stack(), async |world| {
        world.person("ada@example.com").await;
        let import = world.people(100).await;

        through_an_alarm(world, import).await;

        // An alarm that ends with its broker is never cleared; this one is about the disk.
        world.stack().broker_disk_alarm(true).await.unwrap();
        let again = world.invite(json!({ "import": import, "include_recent": true })).await;
        until_blocked(world, true).await;
        world.stack().restart_broker(Stop::Kill).await.unwrap();
        let finished = world.finished(again).await;

        assert_eq!(finished["counts"]["sent"], 100, "{finished}");
        until_blocked(world, false).await;
        world.assert_promises_kept().await;
    })
    .await;
}

//! RabbitMQ 4 drops a job that was delivered twenty times. Here a policy makes RabbitMQ 3 do the same;
//! `three_brokers.rs` tests RabbitMQ 4 without a policy.

use crate::{figure, json};
use harness::relay::{Behaviour, Mode};
use harness::world::PATIENCE;
use harness::{Setup, World};
use std::time::{Duration, Instant};

const PEOPLE: usize = 150;

/// The longest time from the end of a fault to the last mail.
const MAX_LATE: Duration = Duration::from_secs(30);

/// The default limit of RabbitMQ 4, for both lanes.
pub(crate) async fn limit_deliveries(world: &World) {
    let limit = json!({
        "pattern": "^beckon\\.(interactive|bulk)$",
        "definition": { "delivery-limit": 20 },
        "apply-to": "queues",
        "priority": 20,
    });
    world.stack().put_policy(world.vhost(), "limit", &limit).await.unwrap();
}

/// Kills workers with their jobs repeatedly, until the broker has none left.
pub(crate) async fn die_in_a_circle(world: &mut World, times: usize) {
    world.relay.set_mode(Mode::NeverGreets);
    let mut connections = world.relay.counts().connections;
    for _ in 0..times {
        // It claims few of the jobs it has received.
        let own = [("BECKON_SMTP_CONNECTIONS", "2"), ("BECKON_LEASE", "3s")];
        world.start_worker_unready(&own).await.unwrap();
        let begun = world
            .relay
            .wait_until("a connection", PATIENCE, move |counts| counts.connections > connections);
        connections = begun.await.unwrap().connections;
        world.kill_worker(0).await;
    }
}

#[tokio::test]
#[ignore = "nightly: a minute"]
async fn jobs_of_workers_in_a_crash_loop_are_published_again_at_once() {
    World::run_with(Setup::default().workers(0), async |world| {
        let import = world.people(PEOPLE).await;
        limit_deliveries(world).await;
        let batch = world.invite(json!({ "import": import })).await;

        die_in_a_circle(world, 26).await;
        world.relay.set_mode(Mode::Normal);
        let began = Instant::now();
        world.start_worker().await.unwrap();
        let finished = world.finished(batch).await;
        let waited = figure("26 workers died with their jobs, until the last mail", began);

        assert!(waited < MAX_LATE, "{waited:?}");
        assert_eq!(finished["counts"]["sent"], PEOPLE, "{finished}");
        world.assert_promises_kept().await;
    })
    .await;
}

/// Sends to `people` through `workers` workers, while the relay is busy three times for longer than they keep their
/// jobs. Asserts that no job is thrown away and that the last mail is sent soon after the relay's return.
pub(crate) async fn the_relay_is_busy(mut world: World, people: usize, workers: usize) {
    let import = world.people(people).await;
    for _ in 0..workers {
        world
            .start_worker_with(&[("BECKON_SMTP_CONNECTIONS", "2")])
            .await
            .unwrap();
    }
    world.relay.set_default(Behaviour::SlowDot(Duration::from_millis(20)));
    let batch = world.invite(json!({ "import": import })).await;
    world.relay.wait_for(people / 10, PATIENCE).await.unwrap();

    for _ in 0..3 {
        world.relay.set_mode(Mode::Busy);
        tokio::time::sleep(Duration::from_secs(4)).await;
        world.relay.set_mode(Mode::Normal);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let began = Instant::now();
    let finished = world.finished(batch).await;
    let waited = figure(
        &format!("{workers} workers, the relay was busy three times, from its return to the last of {people} mails"),
        began,
    );
    assert!(waited < MAX_LATE, "{waited:?}");

    let logs = world.logs();
    assert!(
        logs.contains("Gave back deliveries that were not begun"),
        "no worker had jobs in hand"
    );
    assert!(
        !logs.contains("Could not give deliveries back"),
        "jobs went back to the broker"
    );
    assert_eq!(finished["counts"]["sent"], people, "{finished}");
    world.assert_promises_kept().await;
    world.end().await;
}

#[tokio::test]
async fn workers_that_cannot_reach_the_relay_do_not_use_up_the_delivery_limit() {
    let world = World::with(Setup::default().workers(0)).await;
    // Lower than the number of workers that could pass a job on to each other.
    let limit = json!({
        "pattern": "^beckon\\.(interactive|bulk)$",
        "definition": { "delivery-limit": 3 },
        "apply-to": "queues",
        "priority": 20,
    });
    world.stack().put_policy(world.vhost(), "limit", &limit).await.unwrap();
    the_relay_is_busy(world, 1_500, 4).await;
}

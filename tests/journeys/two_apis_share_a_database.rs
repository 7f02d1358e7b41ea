//! Several API processes take requests; one of them dispatches, and when it dies another takes over.

use crate::json;
use harness::world::PATIENCE;
use harness::{Setup, World};
use std::time::{Duration, Instant};

/// How many of the processes with these addresses report that they dispatch.
async fn dispatching(world: &mut World, addresses: [(&str, &str); 2]) -> f64 {
    let mut sum = 0.0;
    for (base, probes) in addresses {
        world.turn_to(base, probes);
        sum += world.api_metric("beckon_dispatching").await;
    }
    sum
}

#[tokio::test]
async fn one_dispatches_and_another_takes_over() {
    let setup = Setup::default().workers(2).api_setting("BECKON_MAIL_RATE", "150");
    World::run_with(setup, async |world| {
        let (first, its_probes) = (world.base().to_owned(), world.probes().to_owned());
        let import = world.people(600).await;
        let standby = world.another_api(&[]).await.unwrap();

        world.turn_to(&standby.base, &standby.probes);
        let batch = world.invite(json!({ "import": import })).await;
        world.relay.wait_for(50, PATIENCE).await.unwrap();
        let before = dispatching(world, [(&first, &its_probes), (&standby.base, &standby.probes)]).await;
        let by_the_standby = world.api_metric("beckon_dispatching").await;
        world.kill_api().await;
        let at_the_kill = world.relay.accepted_count();
        let finished = world.finished(batch).await;

        assert!((before - 1.0).abs() < 0.1, "{before} processes dispatched");
        assert!(by_the_standby < 0.1, "the standby dispatched");
        assert!(at_the_kill < 600, "the batch finished before the test could check");
        assert_eq!(finished["counts"]["sent"], 600, "{finished}");
        assert_eq!(finished["counts"]["unsure"], 0, "{finished}");
        assert_eq!(world.relay.accepted_count(), 600);
        assert!(world.api_metric("beckon_dispatching").await > 0.9);
        world.assert_promises_kept().await;
        drop(standby);
    })
    .await;
}

#[tokio::test]
async fn batches_accepted_by_the_standby_are_sent_promptly() {
    World::run(async |world| {
        world.people(1).await;
        let standby = world.another_api(&[]).await.unwrap();
        world.turn_to(&standby.base, &standby.probes);

        let batch = world.invite(json!({ "emails": ["person1@example.org"] })).await;
        let began = Instant::now();
        world.relay.wait_for(1, PATIENCE).await.unwrap();
        let waited = began.elapsed();

        assert!(waited < Duration::from_secs(5), "{waited:?}");
        assert!(world.api_metric("beckon_dispatching").await < 0.1);
        world.finished(batch).await;
        world.assert_promises_kept().await;
        drop(standby);
    })
    .await;
}

//! A dispatcher freezes without dying. Another takes over by the database's clock, and the first changes nothing when
//! it resumes. Settings are the defaults.

use crate::json;
use harness::World;
use harness::world::PATIENCE;
use nix::sys::signal::Signal;
use std::time::{Duration, Instant};

#[tokio::test]
async fn a_frozen_dispatcher_is_replaced_and_changes_nothing_when_it_wakes() {
    World::run(async |world| {
        let (first, its_probes) = (world.base().to_owned(), world.probes().to_owned());
        let import = world.people(200).await;
        let standby = world.another_api(&[]).await.unwrap();
        world.api.as_ref().unwrap().signal(Signal::SIGSTOP);
        world.turn_to(&standby.base, &standby.probes);

        let began = Instant::now();
        let batch = world.invite(json!({ "import": import })).await;
        world.relay.wait_for(1, PATIENCE).await.unwrap();
        let waited = began.elapsed();
        world.finished(batch).await;
        let at_the_standby = world.api_metric("beckon_dispatching").await;
        world.api.as_ref().unwrap().signal(Signal::SIGCONT);
        world.turn_to(&first, &its_probes);
        world
            .eventually("the first dispatcher to stand by", async || {
                (world.api_metric("beckon_dispatching").await < 0.1).then_some(())
            })
            .await;
        world.turn_to(&standby.base, &standby.probes);
        let again = world.invite(json!({ "import": import, "include_recent": true })).await;
        world.finished(again).await;

        assert!(waited < Duration::from_secs(20), "{waited:?}");
        assert!(at_the_standby > 0.9);
        world.assert_promises_kept().await;
        drop(standby);
    })
    .await;
}

#[tokio::test]
async fn a_locked_batch_delays_no_other() {
    World::run(async |world| {
        world.people(3).await;
        world.person("ada@example.org").await;
        let held = world
            .invite(json!({ "emails": ["person1@example.org"], "hold_seconds": 1 }))
            .await;
        let lock = world.block_batch(held).await;
        tokio::time::sleep(Duration::from_secs(2)).await;

        let began = Instant::now();
        let single = world.invite(json!({ "emails": ["ada@example.org"] })).await;
        world.finished(single).await;
        let waited = began.elapsed();
        lock.release().await;
        world.finished(held).await;

        assert!(waited < Duration::from_secs(10), "{waited:?}");
    })
    .await;
}

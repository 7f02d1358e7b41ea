//! The dispatcher is frozen, or gets no more replies from Postgres. Settings are as shipped.

use crate::{figure, json};
use harness::world::PATIENCE;
use harness::{Setup, World};
use nix::sys::signal::Signal;
use std::time::{Duration, Instant};

/// Time within which another process must dispatch.
const REPLACED: Duration = Duration::from_secs(15);

#[tokio::test]
#[ignore = "nightly: three rounds of a quarter of a minute"]
async fn a_frozen_dispatcher_is_replaced_within_fifteen_seconds() {
    for round in 1..=3 {
        let mut world = World::start().await;
        let import = world.people(50).await;
        let standby = world.another_api(&[]).await.unwrap();
        world.api.as_ref().unwrap().signal(Signal::SIGSTOP);
        world.turn_to(&standby.base, &standby.probes);

        let began = Instant::now();
        let batch = world.invite(json!({ "import": import })).await;
        world.relay.wait_for(1, PATIENCE).await.unwrap();
        let waited = figure(&format!("dispatcher frozen, round {round}, until the next mail"), began);
        world.finished(batch).await;

        world.api.as_ref().unwrap().signal(Signal::SIGCONT);
        assert!(waited < REPLACED, "{waited:?}");
        world.assert_promises_kept().await;
        drop(standby);
        world.end().await;
    }
}

#[tokio::test]
#[ignore = "nightly: three rounds of a quarter of a minute"]
async fn a_black_holed_dispatcher_is_replaced_within_fifteen_seconds() {
    for round in 1..=3 {
        let mut world = World::with(Setup::default()).await;
        let import = world.people(50).await;
        let (line, url) = world.detour("DATABASE_URL").await;
        world.start_api_with(&[("DATABASE_URL", &url)]).await.unwrap();
        world
            .eventually("it to dispatch", async || {
                (world.api_metric("beckon_dispatching").await > 0.9).then_some(())
            })
            .await;
        let standby = world.another_api(&[]).await.unwrap();
        line.stall();
        world.turn_to(&standby.base, &standby.probes);

        let began = Instant::now();
        let batch = world.invite(json!({ "import": import })).await;
        world.relay.wait_for(1, PATIENCE).await.unwrap();
        let waited = figure(
            &format!("dispatcher cut off from Postgres, round {round}, until the next mail"),
            began,
        );
        world.finished(batch).await;

        assert!(waited < REPLACED, "{waited:?}");
        world.assert_promises_kept().await;
        line.restore().await.unwrap();
        drop(standby);
        world.end().await;
    }
}

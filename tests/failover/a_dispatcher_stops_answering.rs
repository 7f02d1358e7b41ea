//! The dispatcher is frozen, or gets no more replies from Postgres. Settings are as shipped.

use crate::{figure, json, not_ready, readiness};
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
        World::run(async |world| {
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
        })
        .await;
    }
}

#[tokio::test]
#[ignore = "nightly: three rounds of a quarter of a minute"]
async fn a_black_holed_dispatcher_is_replaced_within_fifteen_seconds() {
    for round in 1..=3 {
        World::run(async |world| {
            let import = world.people(50).await;
            let (line, url) = world.detour("DATABASE_URL").await;
            world.start_api_with(&[("DATABASE_URL", &url)]).await.unwrap();
            world
                .eventually("it to dispatch", async || {
                    (world.api_metric("beckon_dispatching").await > 0.9).then_some(())
                })
                .await;
            let standby = world.another_api(&[]).await.unwrap();
            let cut_off = world.probes().to_owned();
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
            let server = line.address().to_string();
            not_ready(world, &cut_off, &[&server, "no answer within 1.5 s"]).await;

            assert!(waited < REPLACED, "{waited:?}");
            world.assert_promises_kept().await;
            line.restore().await.unwrap();
            drop(standby);
        })
        .await;
    }
}

#[tokio::test]
async fn a_worker_without_replies_from_postgres_is_not_ready_and_names_the_server() {
    World::run_with(Setup::default().workers(0), async |world| {
        let (line, url) = world.detour("DATABASE_URL").await;
        let address = world.spare_address().unwrap().to_string();
        let own = [("DATABASE_URL", url.as_str()), ("BECKON_PROBES_LISTEN", &address)];
        world.start_worker_with(&own).await.unwrap();
        let probes = format!("http://{address}");

        line.stall();
        let server = line.address().to_string();
        not_ready(world, &probes, &[&server, "no answer within 1.5 s"]).await;
        line.restore().await.unwrap();

        world
            .eventually("the worker to be ready again", async || {
                (readiness(&probes).await.0 == 200).then_some(())
            })
            .await;
    })
    .await;
}

//! A pooler in session mode is between Beckon and Postgres when the standby is promoted.

use crate::postgres_moves::usual;
use crate::{figure, json};
use harness::World;
use harness::faults::FaultProxy;
use harness::pooler::{Pooler, Release};
use harness::replicated::{Replicated, Which};
use harness::stack::Stop;
use harness::world::PATIENCE;
use std::time::{Duration, Instant};

const PEOPLE: usize = 400;

/// How long the pooler keeps a connection to a server. `deploy/README.md` recommends 30 s instead of its hour.
const SERVER_LIFETIME: Duration = Duration::from_secs(5);

/// The longest time from the move of the pooler's target to the next mails, if the pooler opens new connections.
const MAX_OUTAGE: Duration = Duration::from_secs(15);

/// API and workers reach the first server through the pooler, tests directly.
async fn pooled_world(pooler: &Pooler, direct: &str) -> World {
    let pooled = pooler.url(direct).unwrap();
    let own = [("DATABASE_URL", pooled.as_str())];
    let mut world = World::with(usual().workers(0).on_database(direct)).await;
    // In order, so that the next API dispatches at once.
    world.stop_api().await;
    world.start_api_with(&own).await.unwrap();
    for _ in 0..2 {
        world.start_worker_with(&own).await.unwrap();
    }
    world
}

/// Promotes the standby in the middle of a batch, with or without stopping the old primary, and asserts that mail
/// flows within this time after the pooler's target has moved.
async fn the_standby_is_promoted(is_fenced: bool, within: Duration) {
    let mut servers = Replicated::start().await.unwrap();
    servers.ask(Which::First, "create database beckon").await.unwrap();
    let target = FaultProxy::start(servers.address(Which::First)).await.unwrap();
    let direct = format!("postgres://postgres@{}/beckon", target.address());
    let lifetime = format!("server_lifetime = {}", SERVER_LIFETIME.as_secs());
    let pooler = Pooler::start_with(Release::Installed, "session", &direct, &[&lifetime])
        .await
        .unwrap();
    let mut world = pooled_world(&pooler, &direct).await;
    servers.synchronous().await.unwrap();
    let import = world.people(PEOPLE).await;
    let batch = world.invite(json!({ "import": import })).await;
    world.relay.wait_for(100, PATIENCE).await.unwrap();

    if is_fenced {
        servers.stop(Which::First, Stop::Kill).await.unwrap();
    }
    servers.promote(Which::Second).await.unwrap();
    target.lead_to(servers.address(Which::Second));
    let began = Instant::now();
    // Mails in progress are still sent; the next ones need the new primary.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let before = world.relay.accepted_count();
    world.relay.wait_for(before + 10, 2 * PATIENCE).await.unwrap();
    let how = if is_fenced { "stopped" } else { "still running" };
    let what = format!("behind a pooler, the old primary {how}, from the move of the target to the next mails");
    let waited = figure(&what, began);
    world.turn_to_database(&direct).unwrap();
    let finished = world.finished(batch).await;

    let second = world.relay.accepted_count() - PEOPLE;
    let unsure = finished["counts"]["unsure"].as_u64().unwrap();
    println!("figure: second mails: {second}, unsure: {unsure}");
    assert!(waited < within, "{waited:?}");
    assert_eq!(finished["counts"]["sent"], PEOPLE, "{finished}");
    assert!(second as u64 <= unsure, "{second} second mails: {finished}");
    world.assert_promises_kept().await;
}

#[tokio::test]
async fn mail_flows_after_the_old_primary_was_stopped() {
    the_standby_is_promoted(true, MAX_OUTAGE).await;
}

/// The pooler hands its open connections to the old primary to new clients until they have reached their lifetime.
#[tokio::test]
#[ignore = "nightly: half a minute"]
async fn mail_flows_once_connections_to_a_running_old_primary_have_reached_their_lifetime() {
    the_standby_is_promoted(false, SERVER_LIFETIME + MAX_OUTAGE).await;
}

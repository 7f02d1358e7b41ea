//! Postgres fails over to its standby, or is switched over to it.

use crate::{figure, json, not_ready, readiness};
use harness::faults::FaultProxy;
use harness::replicated::{Replicated, Which};
use harness::stack::Stop;
use harness::world::PATIENCE;
use harness::{Setup, World};
use serde_json::Value;
use std::time::{Duration, Instant};

pub(crate) const PEOPLE: usize = 1_500;

/// A world on a primary with a standby, with one address that can lead to either.
pub(crate) struct Moving {
    pub(crate) servers: Replicated,
    pub(crate) address: FaultProxy,
    pub(crate) world: World,
    /// The URL of Postgres at that address.
    pub(crate) url: String,
}

impl Moving {
    pub(crate) async fn start(setup: Setup) -> Self {
        Self::start_on(Replicated::start().await.unwrap(), setup).await
    }

    pub(crate) async fn start_on(servers: Replicated, setup: Setup) -> Self {
        servers.ask(Which::First, "create database beckon").await.unwrap();
        let address = FaultProxy::start(servers.address(Which::First)).await.unwrap();
        let url = format!("postgres://postgres@{}/beckon", address.address());
        let world = World::with(setup.on_database(&url)).await;
        Self {
            servers,
            address,
            world,
            url,
        }
    }

    /// Makes the address lead to the other server.
    pub(crate) fn lead_to(&self, which: Which) {
        self.address.lead_to(self.servers.address(which));
    }

    /// Waits until each process has left the old primary. Until then, its requests may fail once.
    pub(crate) async fn all_moved(&self) {
        let processes = 1 + self.world.workers.len();
        let is_moved = "closing the connections to the previous server";
        self.world
            .eventually("each process to log the move", async || {
                (self.world.logs().matches(is_moved).count() >= processes).then_some(())
            })
            .await;
    }

    /// The time from now until another mail is sent.
    pub(crate) async fn next_mail(&self, what: &str) -> Duration {
        let began = Instant::now();
        let before = self.world.relay.accepted_count();
        self.world.relay.wait_for(before + 1, 2 * PATIENCE).await.unwrap();
        figure(what, began)
    }

    pub(crate) async fn begin(&self) -> uuid::Uuid {
        let import = self.world.people(PEOPLE).await;
        let batch = self.world.invite(json!({ "import": import })).await;
        self.world.relay.wait_for(100, PATIENCE).await.unwrap();
        batch
    }
}

pub(crate) fn usual() -> Setup {
    Setup::default()
        .workers(2)
        .api_setting("BECKON_MAIL_RATE", "50")
        .worker_setting("BECKON_LEASE", "1min")
}

#[tokio::test]
async fn after_a_switchover_no_connection_stays_with_the_old_server() {
    let mut moving = Moving::start(usual().workers(1)).await;
    let worker = moving.world.spare_address().unwrap().to_string();
    let own = [("BECKON_PROBES_LISTEN", worker.as_str())];
    moving.world.start_worker_with(&own).await.unwrap();
    let batch = moving.begin().await;

    // The address leads to the old server for a while after it has become the standby of the other.
    moving.servers.caught_up().await.unwrap();
    moving.servers.stop(Which::First, Stop::Graceful).await.unwrap();
    moving.servers.promote(Which::Second).await.unwrap();
    moving.servers.start_as_standby(Which::First).await.unwrap();
    let server = moving.address.address().to_string();
    let both = [moving.world.probes().to_owned(), format!("http://{worker}")];
    for probes in &both {
        not_ready(&moving.world, probes, &[&server, "it is a standby"]).await;
    }
    tokio::time::sleep(Duration::from_secs(12)).await;
    moving.lead_to(Which::Second);
    let waited = moving
        .next_mail("switchover, from the move of the address to the next mail")
        .await;
    moving.all_moved().await;
    let finished = moving.world.finished(batch).await;
    for probes in &both {
        let (status, body) = readiness(probes).await;
        assert_eq!(status, 200, "{body}");
    }

    assert!(waited < Duration::from_secs(15), "{waited:?}");
    assert_eq!(finished["counts"]["sent"], PEOPLE, "{finished}");
    assert_counted(&moving.world, &finished);
    assert!(
        moving.world.logs().contains("accepts no writes there"),
        "the log does not name the server that takes no writes"
    );
    moving.world.assert_promises_kept().await;
}

#[tokio::test]
async fn a_synchronous_failover_loses_nothing() {
    let mut moving = Moving::start(usual()).await;
    moving.servers.synchronous().await.unwrap();
    let batch = moving.begin().await;

    moving.servers.stop(Which::First, Stop::Kill).await.unwrap();
    moving.servers.promote(Which::Second).await.unwrap();
    moving.lead_to(Which::Second);
    // Fenced: it is still a primary, but no address leads to it.
    moving.servers.start_again(Which::First).await.unwrap();
    let waited = moving
        .next_mail("synchronous failover, from the move of the address to the next mail")
        .await;
    let finished = moving.world.finished(batch).await;

    assert!(waited < Duration::from_secs(20), "{waited:?}");
    assert_eq!(finished["counts"]["sent"], PEOPLE, "{finished}");
    assert_counted(&moving.world, &finished);
    moving.world.assert_promises_kept().await;
}

/// Asserts that every duplicate mail is recorded as unsure.
pub(crate) fn assert_counted(world: &World, finished: &Value) {
    let second = world.relay.accepted_count() - PEOPLE;
    let unsure = finished["counts"]["unsure"].as_u64().unwrap();
    println!("figure: second mails: {second}, unsure: {unsure}");
    assert!(second as u64 <= unsure, "{second} second mails: {finished}");
}

#[tokio::test]
#[ignore = "nightly: a quarter of a minute"]
async fn a_stalled_synchronous_standby_delays_mail_until_it_answers() {
    let moving = Moving::start(usual()).await;
    moving.servers.synchronous().await.unwrap();
    let batch = moving.begin().await;

    moving.servers.stream().stall();
    tokio::time::sleep(Duration::from_secs(3)).await;
    let before = moving.world.relay.accepted_count();
    tokio::time::sleep(Duration::from_secs(10)).await;
    let meanwhile = moving.world.relay.accepted_count() - before;
    moving.servers.stream().restore().await.unwrap();
    let waited = moving
        .next_mail("synchronous standby stalled for 13 s, from its return to the next mail")
        .await;
    let finished = moving.world.finished(batch).await;

    assert_eq!(meanwhile, 0, "mail went out that could not be recorded");
    assert!(waited < Duration::from_secs(20), "{waited:?}");
    assert_eq!(finished["counts"]["sent"], PEOPLE, "{finished}");
    assert_counted(&moving.world, &finished);
    moving.world.assert_promises_kept().await;
}

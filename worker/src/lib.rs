//! One job at a time, to the end: claim, compose, send, settle.
//!
//! [`run`] starts a worker and is what `main` calls. [`pipeline`] is the place to begin reading.

pub mod acks;
pub mod claim;
pub mod compose;
pub mod config;
pub mod consume;
pub mod credential;
pub mod gate;
pub mod group;
pub mod leases;
pub mod metrics;
pub mod outcome;
pub mod pipeline;
pub mod presence;
pub mod retry;
pub mod send;
mod session;
pub mod settle;
pub mod spans;

use config::Settings;
use metrics::WorkerMetrics;
use pipeline::Pipeline;
use shared::connections::{self, Findings};
use shared::lifecycle::{LAST_WORDS, Lifecycle};
use shared::metrics::Metrics;
use shared::password::HashPool;
use shared::probes::{self, Readiness};
use shared::queue::{BrokerStatus, Brokers};
use shared::reconnect::Delays;
use shared::store::{self, Db, schema};
use shared::trace;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::time::{Instant, timeout};
use tracing::{info, warn};

/// Passwords that may wait for a hash. More than are in hand: each of at most 1,000 connections has one
/// mail under way and one prepared.
const HASHES_WAITING_MAX: usize = 4_096;

/// Why a worker could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address of Postgres cannot be used.
    #[error("could not prepare connections to Postgres")]
    Store(#[from] store::StoreError),
    /// The relay's settings cannot be used.
    #[error("could not prepare the relay: {0}")]
    Mailer(#[from] send::MailerError),
    /// A port or a thread is not to be had.
    #[error("could not {0}")]
    System(&'static str, #[source] std::io::Error),
}

/// Runs a worker until the lifecycle stops it, and tells whether everything in hand was finished.
///
/// # Errors
///
/// [`StartError`]; once it runs it goes on through any trouble of its neighbours.
pub async fn run(settings: Settings, lifecycle: Lifecycle) -> Result<bool, StartError> {
    let traces = trace::start("beckon-worker", settings.collector.as_deref());
    let metrics = Metrics::for_process();
    let counted = Arc::new(WorkerMetrics::declare(&metrics));
    let name = worker_name();
    let db = store::connect(&settings.database, &name)?;
    metrics.show_connections(&db);
    let connections = settings.connections;
    let grace = settings.stop_grace;
    let relay = settings.relay.server();
    let brokers = Brokers::new(settings.brokers.clone());
    let listener = TcpListener::bind(settings.probes_listen)
        .await
        .map_err(|fault| StartError::System("listen for probes (BECKON_PROBES_LISTEN)", fault))?;
    let pipeline = Arc::new(pipeline(settings, &lifecycle, &db, &name, &metrics, &counted)?);

    let side = tokio::spawn(Arc::clone(&pipeline.leases).keep_renewing(db.clone()));
    let (bulk, interactive) = gates(connections);
    let rates = [
        tokio::spawn(Arc::clone(&bulk).follow_rate()),
        tokio::spawn(Arc::clone(&interactive).follow_rate()),
    ];
    let broker = BrokerStatus::default();
    let obstacles = Obstacles::of(&db, &pipeline, relay, &broker);
    let probing = tokio::spawn(serve_probes(listener, metrics, obstacles));
    let gauges = tokio::spawn(show_gauges(Arc::clone(&pipeline)));
    let presence = presence::Presence {
        db: db.clone(),
        name: name.clone(),
        began: Instant::now(),
        mailer: Arc::clone(&pipeline.mailer),
        broker: broker.clone(),
    };
    let telling = tokio::spawn(presence.clone().keep_telling());
    info!(worker = name, "Worker is running");
    until_postgres_is_ready(&db, &lifecycle).await;

    let mailer = Arc::clone(&pipeline.mailer);
    let consumer = consume::Consumer {
        brokers,
        db: db.clone(),
        pipeline,
        bulk,
        interactive,
        parking: Arc::default(),
        broker,
        lifecycle: lifecycle.clone(),
        name,
    };
    consumer.run().await;
    gauges.abort();
    let _ = gauges.await;
    let finished = lifecycle.finished(grace).await;
    // A relay that no longer answers must not hold up the last words.
    let _ = timeout(LAST_WORDS / 3, mailer.close()).await;
    rates
        .iter()
        .chain([&side, &probing, &telling])
        .for_each(tokio::task::JoinHandle::abort);
    // The last word must not be overtaken by one that was on its way.
    let _ = telling.await;
    presence.leave().await;
    traces.end().await;
    info!("Worker has stopped");
    Ok(finished)
}

/// Asks every server that the settings name once.
pub async fn check_connections(settings: Settings) -> Findings {
    let hello = settings.letters.from.domain().to_owned();
    let send_settings = send::Settings::for_connections(settings.connections, hello);
    let relay = settings.relay.server();
    let (mut findings, answer) = tokio::join!(
        connections::check(&settings.database, &settings.brokers, &settings.letters.sign_in_url),
        send::check(settings.relay, &send_settings),
    );
    findings.add(match answer {
        Ok(()) => Ok(format!("SMTP_URL: the relay at {relay} answers")),
        Err(reason) => Err(format!("could not use the relay at {relay} (SMTP_URL): {reason}")),
    });
    findings
}

/// Waits until Postgres lets us in and has the schema of this release. A worker without them takes
/// no jobs: it could not claim them, and another could.
async fn until_postgres_is_ready(db: &Db, lifecycle: &Lifecycle) {
    let mut delays = Delays::for_a_near_server();
    while !lifecycle.is_stopping() {
        let obstacle = match schema::missing(db).await {
            Ok(missing) if missing.is_empty() => return,
            Ok(missing) => schema::told(&missing),
            Err(fault) => fault.explained(db).await.to_string(),
        };
        let delay = delays.next_delay();
        warn!(
            error = obstacle,
            retry_seconds = delay.as_secs_f32(),
            "Taking no jobs until Postgres can be used"
        );
        lifecycle.pause(delay).await;
    }
}

fn pipeline(
    settings: Settings,
    lifecycle: &Lifecycle,
    db: &Db,
    name: &str,
    metrics: &Metrics,
    counted: &Arc<WorkerMetrics>,
) -> Result<Pipeline, StartError> {
    let leases = leases::Leases::of(settings.lease);
    let hello = settings.letters.from.domain().to_owned();
    let send_settings = send::Settings::for_connections(settings.connections, hello);
    let pool = HashPool::start(settings.hash_threads, HASHES_WAITING_MAX)
        .map_err(|fault| StartError::System("start threads for hashing", fault))?;
    Ok(Pipeline {
        claims: claim::Claims::start(
            lifecycle,
            db.clone(),
            Arc::clone(&leases),
            name.to_owned(),
            settings.retries,
            Arc::clone(counted),
        ),
        credentials: credential::Credentials::start(
            lifecycle,
            db.clone(),
            pool,
            settings.lifetimes,
            settings.mailed_password_cost,
            Arc::clone(counted),
        ),
        composer: compose::Composer::new(db.clone(), settings.letters),
        mailer: Arc::new(send::Mailer::new(
            settings.relay,
            send_settings,
            metrics.registry(),
            lifecycle.clone(),
        )?),
        settling: settle::Settling::start(lifecycle, db.clone(), Arc::clone(counted)),
        leases,
        retries: settings.retries,
        metrics: Arc::clone(counted),
    })
}

/// Bounds what is claimed in each lane by the connections that are there for it; the mailer keeps
/// bulk mail off the others.
fn gates(connections: usize) -> (Arc<gate::Gate>, Arc<gate::Gate>) {
    let bulk = send::for_bulk(connections);
    (
        gate::Gate::for_connections(bulk),
        gate::Gate::for_connections(connections.saturating_sub(bulk).max(2)),
    )
}

/// Which worker made an attempt: this machine's name and the process's number.
fn worker_name() -> String {
    let host = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
    let host = host.trim();
    format!(
        "{}/{}",
        if host.is_empty() { "worker" } else { host },
        std::process::id()
    )
}

/// What can keep a worker from its work, for `/readyz`.
#[derive(Clone)]
struct Obstacles {
    db: Db,
    mailer: Arc<send::Mailer>,
    /// The relay's host and port.
    relay: String,
    broker: BrokerStatus,
}

impl Obstacles {
    fn of(db: &Db, pipeline: &Pipeline, relay: String, broker: &BrokerStatus) -> Self {
        Self {
            db: db.clone(),
            mailer: Arc::clone(&pipeline.mailer),
            relay,
            broker: broker.clone(),
        }
    }

    async fn look(self) -> Readiness {
        let mut obstacles = Vec::new();
        match store::answer_or_cause(&self.db, schema::missing(&self.db)).await {
            Ok(missing) if missing.is_empty() => {}
            Ok(missing) => obstacles.push(schema::told(&missing)),
            Err(fault) => obstacles.push(fault.to_string()),
        }
        // While the relay or Postgres is in trouble, the connection to RabbitMQ is closed on purpose.
        if let send::RelayState::Down { reason, .. } = self.mailer.relay_state() {
            obstacles.push(format!(
                "the relay at {} (SMTP_URL) takes no mail: {reason}",
                self.relay
            ));
        }
        obstacles.extend(self.broker.obstacle());
        Readiness {
            obstacles,
            impairments: Vec::new(),
        }
    }
}

async fn serve_probes(listener: TcpListener, metrics: Metrics, obstacles: Obstacles) {
    let routes = probes::routes(metrics, move || obstacles.clone().look());
    if let Err(fault) = probes::serve(listener, routes).await {
        tracing::error!(error = %fault, "The probes stopped answering");
    }
}

async fn show_gauges(pipeline: Arc<Pipeline>) {
    let mut pace = tokio::time::interval(Duration::from_secs(1));
    loop {
        pace.tick().await;
        pipeline.credentials.show();
        pipeline
            .metrics
            .leases
            .set(i64::try_from(pipeline.leases.count()).unwrap_or(i64::MAX));
    }
}

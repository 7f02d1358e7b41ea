//! The worker: claims deliveries, composes their mails, sends them and settles the outcomes.
//!
//! [`run`] starts a worker and is what `main` calls. Start reading at [`pipeline`].

pub mod acks;
pub mod batcher;
pub mod claim;
pub mod compose;
pub mod config;
pub mod consume;
pub mod credential;
pub mod journal;
mod lane;
pub mod leases;
pub mod metrics;
pub mod outcome;
pub mod pipeline;
mod prefetch;
pub mod presence;
mod refusal_reports;
pub mod retry;
pub mod send;
pub mod sending;
mod session;
pub mod settle;
pub mod spans;
pub mod step;
pub mod work;

use config::Settings;
use journal::Journal;
use metrics::WorkerMetrics;
use pipeline::Pipeline;
use shared::config::EXIT_CONFIG;
use shared::connections::{self, Findings};
use shared::instance::instance_name;
use shared::lifecycle::Lifecycle;
use shared::metrics::Metrics;
use shared::probes::{self, Readiness};
use shared::queue::{BrokerStatus, Brokers};
use shared::reconnect::Delays;
use shared::store::{self, Db, PlanCacheMode, schema};
use shared::trace;
use std::path::Path;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::time::Instant;
use tracing::{info, warn};

/// Why a worker could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The Postgres settings cannot be used.
    #[error("could not prepare connections to Postgres")]
    Store(#[from] store::StoreError),
    /// The relay settings cannot be used.
    #[error("could not prepare the relay: {0}")]
    Mailer(#[from] send::MailerError),
    /// Postgres is behind an unsuitable connection pooler.
    #[error(transparent)]
    Pooler(#[from] store::SharedSessions),
    /// A port could not be opened or a thread could not be started.
    #[error("could not {0}")]
    System(&'static str, #[source] std::io::Error),
}

impl StartError {
    /// The exit code of the process. [`EXIT_CONFIG`] means that an operator has to fix the settings.
    pub const fn exit_code(&self) -> u8 {
        if matches!(self, Self::Pooler(_)) {
            EXIT_CONFIG
        } else {
            1
        }
    }
}

/// Runs a worker until the lifecycle stops it. Returns whether all work in flight was finished.
///
/// # Errors
///
/// [`StartError`]. Once running, a worker survives any failure of Postgres, the broker or the relay.
pub async fn run(settings: Settings, lifecycle: Lifecycle) -> Result<bool, StartError> {
    let traces = trace::start("beckon-worker", settings.collector.as_deref());
    let metrics = Metrics::for_process();
    let counted = Arc::new(WorkerMetrics::declare(&metrics));
    let name = instance_name("worker");
    let db = store::connect(&settings.database, &name, PlanCacheMode::GenericPlans)?;
    metrics.show_connections(&db);
    let grace = settings.stop_grace;
    let relay = settings.relay.server();
    let brokers = Brokers::new(settings.brokers.clone());
    let listener = TcpListener::bind(settings.probes_listen)
        .await
        .map_err(|fault| StartError::System("listen for probes (BECKON_PROBES_LISTEN)", fault))?;
    let leases = leases::Leases::of(settings.lease);
    let journal = settings.journal.as_deref().and_then(|folder| journal(folder, &db));
    let parts = Parts {
        db: &db,
        name: &name,
        leases: &leases,
        journal: journal.as_ref(),
        metrics: &metrics,
        counted: &counted,
    };
    let pipeline = Arc::new(pipeline(settings, &lifecycle, &parts)?);

    let renewing = tokio::spawn(leases.keep_renewing(db.clone()));
    let broker = BrokerStatus::default();
    let obstacles = ReadinessCheck::of(&db, &pipeline, relay, &broker);
    let probing = tokio::spawn(serve_probes(listener, metrics, obstacles));
    let presence = presence::Presence {
        db: db.clone(),
        name: name.clone(),
        began: Instant::now(),
        mailer: pipeline.mailer.clone(),
        broker: broker.clone(),
    };
    let reporting = tokio::spawn(presence.clone().keep_reporting());
    info!(worker = name, "Worker is running");
    until_postgres_is_ready(&db, &lifecycle, &presence).await?;
    recover(journal, &db, &name, &counted, &lifecycle);

    let consumer = consume::Consumer {
        brokers,
        db: db.clone(),
        pipeline,
        parking: Arc::default(),
        broker,
        lifecycle: lifecycle.clone(),
        name,
    };
    consumer.run().await;
    let finished = lifecycle.finished(grace).await;
    [&renewing, &probing, &reporting]
        .into_iter()
        .for_each(tokio::task::JoinHandle::abort);
    // A status report that is still being written must not overwrite the final one.
    let _ = reporting.await;
    presence.deregister().await;
    traces.end().await;
    info!("Worker has stopped");
    Ok(finished)
}

/// Checks the connection to every server in the settings once.
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

/// Waits until Postgres accepts connections and has the schema of this release. Until then the worker takes
/// no jobs: it could not claim them, and other workers could.
///
/// # Errors
///
/// A pooler shares sessions: waiting cannot help.
async fn until_postgres_is_ready(
    db: &Db,
    lifecycle: &Lifecycle,
    presence: &presence::Presence,
) -> Result<(), store::SharedSessions> {
    let mut delays = Delays::for_a_near_server();
    while !lifecycle.is_stopping() {
        if let Ok(Some(shared)) = store::shares_sessions(db).await {
            presence.deregister().await;
            return Err(shared);
        }
        let obstacle = match schema::missing(db).await {
            Ok(missing) if missing.is_empty() => return Ok(()),
            Ok(missing) => schema::describe(&missing),
            Err(fault) => fault.explained(db).await.to_string(),
        };
        let delay = delays.next_delay();
        warn!(
            error = obstacle,
            retry_seconds = delay.as_secs_f32(),
            "Consuming no jobs until Postgres can be used"
        );
        lifecycle.pause(delay).await;
    }
    Ok(())
}

/// Opens the journal. A worker without one sends as well.
fn journal(folder: &Path, db: &Db) -> Option<Arc<Journal>> {
    let options = db.connect_options();
    // Several installations on one machine may share the folder.
    let database = format!("{} {}", store::server(db), options.get_database().unwrap_or_default());
    match Journal::open(folder, &database) {
        Ok(journal) => Some(Arc::new(journal)),
        Err(fault) => {
            warn!(
                error = %fault,
                folder = %folder.display(),
                "Working without a journal (BECKON_JOURNAL): a worker that is killed causes more second mails"
            );
            None
        }
    }
}

/// Starts recording what dead workers left in the journal.
fn recover(journal: Option<Arc<Journal>>, db: &Db, name: &str, counted: &Arc<WorkerMetrics>, lifecycle: &Lifecycle) {
    let Some(journal) = journal else { return };
    let recovering = journal.keep_recovering(db.clone(), name.to_owned(), Arc::clone(counted), lifecycle.clone());
    lifecycle.spawn(recovering);
}

/// What a pipeline is built from, besides its settings.
struct Parts<'a> {
    db: &'a Db,
    name: &'a str,
    leases: &'a Arc<leases::Leases>,
    journal: Option<&'a Arc<Journal>>,
    metrics: &'a Metrics,
    counted: &'a Arc<WorkerMetrics>,
}

fn pipeline(settings: Settings, lifecycle: &Lifecycle, parts: &Parts<'_>) -> Result<Pipeline, StartError> {
    let (db, counted) = (parts.db, parts.counted);
    let hello = settings.letters.from.domain().to_owned();
    let send_settings = send::Settings::for_connections(settings.connections, hello);
    let mailer = send::Mailer::new(
        settings.relay,
        send_settings,
        parts.metrics.registry(),
        lifecycle.clone(),
    )?;
    lifecycle.spawn(refusal_reports::record(db.clone(), mailer.clone(), lifecycle.clone()));
    Ok(Pipeline {
        claims: claim::Claims::new(
            lifecycle,
            db.clone(),
            Arc::clone(parts.leases),
            parts.name.to_owned(),
            settings.retries,
            Arc::clone(counted),
        ),
        credentials: credential::Credentials::new(
            db.clone(),
            settings.lifetimes,
            settings.mailed_password_cost,
            Arc::clone(counted),
        ),
        composer: compose::Composer::new(db.clone(), settings.letters),
        mailer,
        settler: settle::Settler::start(
            lifecycle,
            db.clone(),
            Arc::clone(parts.leases),
            parts.name.to_owned(),
            Arc::clone(counted),
            parts.journal.map(Arc::clone),
        ),
        retries: settings.retries,
        metrics: Arc::clone(counted),
    })
}

/// Reports for `/readyz` what keeps the worker from working.
#[derive(Clone)]
struct ReadinessCheck {
    db: Db,
    mailer: send::Mailer<sending::Sending>,
    /// The relay's host and port.
    relay: String,
    broker: BrokerStatus,
}

impl ReadinessCheck {
    fn of(db: &Db, pipeline: &Pipeline, relay: String, broker: &BrokerStatus) -> Self {
        Self {
            db: db.clone(),
            mailer: pipeline.mailer.clone(),
            relay,
            broker: broker.clone(),
        }
    }

    async fn check(self) -> Readiness {
        let mut obstacles = Vec::new();
        match store::answer_or_cause(&self.db, schema::missing(&self.db)).await {
            Ok(missing) if missing.is_empty() => {
                if let Err(fault) = store::takes_writes(&self.db).await {
                    obstacles.push(fault.to_string());
                }
            }
            Ok(missing) => obstacles.push(schema::describe(&missing)),
            Err(fault) => obstacles.push(fault.to_string()),
        }
        // While the relay or Postgres is failing, the connection to RabbitMQ is closed on purpose.
        if let send::RelayState::Down { reason, .. } = self.mailer.relay_state() {
            obstacles.push(format!(
                "the relay at {} (SMTP_URL) accepts no mail: {reason}",
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

async fn serve_probes(listener: TcpListener, metrics: Metrics, obstacles: ReadinessCheck) {
    let routes = probes::routes(metrics, move || obstacles.clone().check());
    if let Err(fault) = probes::serve(listener, routes).await {
        tracing::error!(error = %fault, "The probes stopped answering");
    }
}

//! The API process: accepts requests, publishes jobs, and serves the console.
//!
//! [`run`], called by `main`, starts the process. [`app`] has the use cases, [`http`] the endpoints of the API,
//! [`console`] the pages, and the crate `dispatcher` publishes due deliveries.

pub mod administrators;
pub mod app;
pub mod backlog;
pub mod config;
pub mod console;
pub mod failover;
pub mod http;
pub mod metrics;
pub mod partitions;
pub mod spans;

use app::api_keys::{details_of, make_key};
use app::concurrency_limits::ConcurrencyLimits;
use app::credentials::AttemptLimiter;
use app::imports::staged::StagedImports;
use app::schema_gate::SchemaGate;
use app::state::AppState;
use backlog::BacklogGauges;
use config::{KeyRequest, Settings};
use dispatcher::{Dispatcher, DispatcherMetrics};
use http::{routes, server};
use metrics::ApiMetrics;
use shared::config::{CheckRequest, DatabaseSettings, EXIT_CONFIG};
use shared::connections;
use shared::instance::instance_name;
use shared::lifecycle::{LAST_WORDS, Lifecycle};
use shared::metrics::Metrics;
use shared::name::check as check_name;
use shared::password::HashPool;
use shared::queue::{BrokerStatus, Brokers, QueueError};
use shared::store::api_keys::{Created, NewKey};
use shared::store::audit::{Action, Actor, AuditEntry};
use shared::store::{self, Db, PlanCacheMode, StoreResult, schema};
use shared::system_email::{SystemEmailKind, Template};
use shared::trace;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::net::TcpListener;
use tracing::{info, warn};

/// Connections to Postgres reserved for the dispatcher, however many requests wait for one: one for each of its tasks
/// (two publishers, the lease, sweeps, auto-pause, housekeeping, heartbeat, lost jobs). The connection for
/// notifications is additional.
const DISPATCHER_CONNECTIONS: u32 = 8;

/// Maximum number of passwords waiting per hashing thread, for the platform and the console separately. The last one
/// waits for 24 hashes of its own queue and as many of the other, 48 × 19 ms, so a sign-in takes less than 2 s on a
/// machine of half the speed. Further callers get 503.
const MAX_WAITING_HASHES: usize = 24;

/// Maximum number of waiting light checks. Their thread completes 3,000 a second.
const LIGHT_CHECKS_WAITING_MAX: usize = 64;

/// Why an API process cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Postgres refused a statement or is unavailable.
    #[error("could not use Postgres (DATABASE_URL): {}: {}", .0, .0.cause())]
    Store(#[from] store::StoreError),
    /// Postgres cannot be reached, or refuses the login.
    #[error(transparent)]
    Postgres(#[from] store::Unusable),
    /// A connection pooler in front of Postgres cannot be used.
    #[error(transparent)]
    Pooler(#[from] store::SharedSessions),
    /// The schema could not be migrated to this release.
    #[error("could not migrate the database (DATABASE_URL) to this release: {0}")]
    Migrate(#[from] schema::MigrateError),
    /// A port or a thread is not available.
    #[error("could not {0}: {1}")]
    System(&'static str, #[source] std::io::Error),
    /// A queue exists with other arguments.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// The operating system provides no randomness.
    #[error("could not generate a secret: {0}")]
    Randomness(String),
    /// No key was created, with the reason.
    #[error("could not create the API key: {0}")]
    Key(String),
    /// Nothing was resumed or marked, with the reason.
    #[error("{0}")]
    Failover(String),
    /// No administrator was added, with the reason.
    #[error("could not add the administrator: {0}")]
    Administrator(String),
}

impl StartError {
    /// The exit code. [`EXIT_CONFIG`] means that an operator must fix the cause.
    pub const fn exit_code(&self) -> u8 {
        if matches!(self, Self::Queue(_) | Self::Pooler(_)) {
            EXIT_CONFIG
        } else {
            1
        }
    }

    /// Adds the server and the cause if Postgres cannot be used.
    pub async fn explained(self, database: &DatabaseSettings) -> Self {
        let Ok(db) = store::connect(database, "beckon-api: diagnosis", PlanCacheMode::CustomPlans) else {
            return self;
        };
        match self {
            Self::Store(fault) if fault.is_transient() => Self::Postgres(fault.explained(&db).await),
            Self::Migrate(schema::MigrateError::Execute(fault)) if store::StoreError::is_of_the_server(&fault) => {
                Self::Postgres(store::explain(&db, &fault).await)
            }
            other => other,
        }
    }
}

/// Migrates the schema to this release and stores the shipped system emails.
///
/// # Errors
///
/// The error from Postgres.
pub async fn migrate(database: &DatabaseSettings) -> Result<(), StartError> {
    migrate_and_install_templates(&store::connect(
        database,
        "beckon-api: migrate",
        PlanCacheMode::CustomPlans,
    )?)
    .await
}

/// Refuses a pooler that shares sessions. An unavailable database is not an error here.
async fn check_pooler(db: &Db) -> Result<(), StartError> {
    match store::shares_sessions(db).await {
        Ok(Some(shared)) => Err(shared.into()),
        Ok(None) | Err(_) => Ok(()),
    }
}

async fn migrate_and_install_templates(db: &Db) -> Result<(), StartError> {
    check_pooler(db).await?;
    schema::migrate(db).await?;
    for kind in SystemEmailKind::ALL {
        let shipped = Template::shipped(kind);
        store::system_emails::ensure_shipped(db, kind, &shipped.subject, &shipped.body).await?;
    }
    Ok(())
}

/// Reports that the settings are valid, or connects once to each configured server.
pub async fn check_config(settings: &Settings, request: CheckRequest) -> ExitCode {
    if request.connect {
        let found = connections::check(&settings.database, &settings.brokers, &settings.letters.sign_in_url);
        return found.await.report();
    }
    println!("The settings are valid.");
    ExitCode::SUCCESS
}

/// Creates an API key and returns it. It cannot be shown again.
///
/// # Errors
///
/// [`StartError::Key`] with advice if the name is not acceptable, or the error from Postgres or the operating system.
pub async fn create_key(settings: &Settings, request: KeyRequest) -> Result<String, StartError> {
    check_name(&request.name).map_err(|fault| StartError::Key(format!("--name: {fault}")))?;
    let db = store::connect(&settings.database, "beckon-api: create-key", PlanCacheMode::CustomPlans)?;
    let (key, digest) = make_key().map_err(|fault| StartError::Randomness(fault.to_string()))?;
    let mut transaction = store::begin(&db).await?;
    let actor = Actor::command_line();
    let new = NewKey {
        name: request.name.trim().to_owned(),
        digest,
        created_by: actor.name.clone(),
        created_by_id: None,
        expires_after: request.expires.duration(),
        may_read_audit_log: request.read_audit_log,
    };
    let id = match store::api_keys::create(&mut transaction, &new).await? {
        Created::Done(id) => id,
        Created::NameTaken(taken) => {
            return Err(StartError::Key(format!(
                "a valid key has the name {taken}, which is the same or looks the same; give another --name, or \
                 revoke that key first"
            )));
        }
    };
    AuditEntry::new(&actor, Action::KeyMade)
        .subject("key", id)
        .details(details_of(&new))
        .record(&mut transaction)
        .await?;
    store::commit(transaction).await?;
    Ok(key)
}

/// Runs an API process until the lifecycle stops it. Returns whether all work in progress was completed.
///
/// # Errors
///
/// [`StartError`] at startup. Later, only a queue that an operator must fix ends the process; it survives all other
/// failures of Postgres and RabbitMQ.
pub async fn run(settings: Settings, lifecycle: Lifecycle) -> Result<bool, StartError> {
    let traces = trace::start("beckon-api", settings.collector.as_deref());
    let listener = listen(settings.listen, "listen (BECKON_LISTEN)").await?;
    let probes_listener = listen(settings.probes_listen, "listen for probes (BECKON_PROBES_LISTEN)").await?;
    let db = store::connect(&settings.database, "beckon-api", PlanCacheMode::CustomPlans)?;
    let schema = SchemaGate::default();
    let is_schema_known = if settings.migrate {
        migrate_and_install_templates(&db).await?;
        true
    } else {
        check_pooler(&db).await?;
        schema.check(&db).await
    };
    let registry = Metrics::for_process();
    registry.show_connections(&db);
    let metrics = Arc::new(ApiMetrics::declare(&registry));
    let dispatcher_metrics = DispatcherMetrics::declare(&registry, metrics.heartbeats.clone());
    let backlog = BacklogGauges::declare(&registry, metrics.heartbeats.with_label_values(&["recorded"]));
    let partitions_ahead = partitions::declare(&registry);
    let api = shared_state(&settings, db, schema, metrics, &lifecycle)?;
    let dispatcher = dispatcher(&settings, dispatcher_metrics, &api)?;
    lifecycle.limit_stop(settings.stop_grace);
    info!(address = %settings.listen, "API is running");
    let probing = tokio::spawn(serve_probes(probes_listener, routes::probes(&api, registry)));
    let proxies = settings.trusted_proxies;
    let serving = server::serve(listener, routes::routes(&api), proxies, lifecycle.clone());
    let looking = async {
        if !is_schema_known {
            api.schema.keep_checking(&api.db, &lifecycle).await;
        }
    };
    let dispatched = OnceLock::new();
    let working = async {
        api.schema.opened(&lifecycle).await;
        let dispatching = async {
            let _ = dispatched.set(dispatcher.run().await);
            lifecycle.stopping().cancel();
        };
        tokio::join!(
            dispatching,
            backlog.keep_counting(&api.db, &lifecycle),
            partitions::maintain(&api.db, settings.details_kept, &partitions_ahead, &lifecycle),
            api.access_events.keep_writing(&api.db, &lifecycle),
        );
    };
    tokio::select! {
        _ = async { tokio::join!(serving, looking, working) } => {}
        // A task waits for a reply that does not come.
        () = lifecycle.ending().cancelled() => {}
    }
    let finished = finish(&lifecycle, settings.stop_grace).await;
    let last_words = async {
        api.access_events.write(&api.db).await;
        traces.end().await;
    };
    let _ = tokio::time::timeout(LAST_WORDS, last_words).await;
    probing.abort();
    dispatched.into_inner().unwrap_or(Ok(()))?;
    info!("API has stopped");
    Ok(finished)
}

/// Creates the state shared by all requests.
fn shared_state(
    settings: &Settings,
    db: Db,
    schema: SchemaGate,
    metrics: Arc<ApiMetrics>,
    lifecycle: &Lifecycle,
) -> Result<AppState, StartError> {
    let hashing = hash_pool(settings.hash_threads, settings.hash_threads * MAX_WAITING_HASHES)?
        .with_mailed_cost(settings.mailed_password_cost);
    let concurrency_limits: Arc<ConcurrencyLimits> = Arc::default();
    let staged_imports = StagedImports {
        db: db.clone(),
        concurrency_limits: Arc::clone(&concurrency_limits),
        metrics: Arc::clone(&metrics),
        lifecycle: lifecycle.clone(),
    };
    Ok(AppState {
        db,
        schema,
        letters: Arc::new(settings.letters.clone()),
        attempt_limiter: Arc::new(AttemptLimiter::for_threads(settings.hash_threads)),
        console_hashing: Arc::new(hashing.another_queue(settings.hash_threads * MAX_WAITING_HASHES)),
        hashing: Arc::new(hashing),
        light_hashing: Arc::new(hash_pool(1, LIGHT_CHECKS_WAITING_MAX)?),
        access_events: Arc::default(),
        concurrency_limits,
        staged_imports,
        stall_banners: Arc::default(),
        mail_rate: settings.mail_rate,
        password_stale: settings.password_stale,
        hold: settings.hold,
        watches: Arc::default(),
        broker: BrokerStatus::default(),
        metrics,
        lifecycle: lifecycle.clone(),
    })
}

fn hash_pool(threads: usize, max_waiting: usize) -> Result<HashPool, StartError> {
    HashPool::start(threads, max_waiting).map_err(|fault| StartError::System("start threads for hashing", fault))
}

/// Answers probes until the process has stopped, including while it completes requests.
async fn serve_probes(listener: TcpListener, routes: axum::Router) {
    if let Err(fault) = shared::probes::serve(listener, routes).await {
        tracing::error!(error = %fault, "The probes stopped answering");
    }
}

async fn listen(address: SocketAddr, what: &'static str) -> Result<TcpListener, StartError> {
    let listening = TcpListener::bind(address).await;
    listening.map_err(|fault| StartError::System(what, fault))
}

/// Waits for work in progress. Returns whether it ended within the grace period of a shutdown.
async fn finish(lifecycle: &Lifecycle, grace: Duration) -> bool {
    let finished = lifecycle.finished(grace).await;
    if !finished {
        warn!("Some requests were ended before they were complete; repeating them with their key is safe");
    }
    finished
}

/// Creates the dispatcher, with its own connections.
fn dispatcher(settings: &Settings, metrics: DispatcherMetrics, api: &AppState) -> StoreResult<Dispatcher> {
    let database = DatabaseSettings {
        connections: DISPATCHER_CONNECTIONS,
        ..settings.database.clone()
    };
    Ok(Dispatcher {
        db: store::connect(&database, "beckon-api: dispatcher", PlanCacheMode::CustomPlans)?,
        brokers: Brokers::new(settings.brokers.clone()),
        name: instance_name("api"),
        rate: api.mail_rate,
        auto_pause_bounces: settings.brake_bounces,
        holds_after_promotion: settings.hold_after_promotion,
        broker: api.broker.clone(),
        metrics: Arc::new(metrics),
        lifecycle: api.lifecycle.clone(),
    })
}

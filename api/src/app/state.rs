//! State shared by all requests.

use crate::app::access_events::AccessEvents;
use crate::app::concurrency_limits::ConcurrencyLimits;
use crate::app::credentials::AttemptLimiter;
use crate::app::imports::staged::StagedImports;
use crate::app::schema_gate::SchemaGate;
use crate::app::stall_banner::StallBanners;
use crate::app::watch::Watches;
use crate::metrics::ApiMetrics;
use shared::config::LetterSettings;
use shared::lifecycle::Lifecycle;
use shared::password::HashPool;
use shared::queue::BrokerStatus;
use shared::store::Db;
use shared::store::audit::{AccessEvent, Action, Actor};
use std::sync::Arc;
use std::time::Duration;

/// State shared by all requests; cheap to clone.
#[derive(Clone)]
pub struct AppState {
    /// Postgres.
    pub db: Db,
    /// Whether Postgres has the schema of this release.
    pub schema: SchemaGate,
    /// Sender details and other settings for rendering emails.
    pub letters: Arc<LetterSettings>,
    /// Hashes and checks passwords for the platform.
    pub hashing: Arc<HashPool>,
    /// Hashes and checks passwords for the console. It shares the platform's threads in turn, so that neither waits for
    /// the other's queue.
    pub console_hashing: Arc<HashPool>,
    /// Compares passwords with mailed passwords, on its own thread.
    pub light_hashing: Arc<HashPool>,
    /// Rate limits for password checks.
    pub attempt_limiter: Arc<AttemptLimiter>,
    /// Failed sign-ins and similar events that the audit log records as counts.
    pub access_events: Arc<AccessEvents>,
    /// Concurrency limits for imports, batches and uploads.
    pub concurrency_limits: Arc<ConcurrencyLimits>,
    /// Imports that an administrator reviews before they are stored.
    pub staged_imports: StagedImports,
    /// The warning on every page while mail is stalled.
    pub stall_banners: Arc<StallBanners>,
    /// Emails per second over all workers, if that is limited.
    pub mail_rate: Option<f64>,
    /// When a password email that has not been tried expires.
    pub password_stale: Duration,
    /// How long a batch sent from the console can be undone before it starts.
    pub hold: Duration,
    /// The batches that are being watched.
    pub watches: Arc<Watches>,
    /// Whether the dispatcher is connected to `RabbitMQ`.
    pub broker: BrokerStatus,
    /// Metrics.
    pub metrics: Arc<ApiMetrics>,
    /// Signals that the process stops.
    pub lifecycle: Lifecycle,
}

impl AppState {
    /// Records a failed sign-in or a similar event in the background: the response does not wait for it, so its timing
    /// reveals nothing.
    pub fn record_access(&self, action: Action, actor: &Actor, subject: Option<String>) {
        let event = AccessEvent {
            action,
            actor: actor.clone(),
            subject,
        };
        let this = self.clone();
        self.lifecycle
            .spawn(async move { this.access_events.record(&this.db, event).await });
    }
}

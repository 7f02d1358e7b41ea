//! What every request may need.

use crate::access_events::AccessEvents;
use crate::credentials::Tries;
use crate::metrics::ApiMetrics;
use crate::problem::Problem;
use crate::schema_gate::SchemaGate;
use crate::storing::Room;
use crate::strip::Strips;
use crate::watch::Watches;
use shared::config::LetterSettings;
use shared::lifecycle::Lifecycle;
use shared::password::HashPool;
use shared::queue::BrokerStatus;
use shared::store::Db;
use shared::store::audit::{AccessEvent, Action, Actor};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tracing::Instrument as _;

/// Shared by all requests; cheap to clone.
#[derive(Clone)]
pub struct Api {
    /// Postgres.
    pub db: Db,
    /// Whether Postgres has the schema of this release.
    pub schema: SchemaGate,
    /// What mails say about their sender.
    pub letters: Arc<LetterSettings>,
    /// Checks and hashes passwords for the platform.
    pub hashing: Arc<HashPool>,
    /// Checks and hashes passwords for the console: on the same threads, in turn, so that neither waits for the
    /// other's line.
    pub console_hashing: Arc<HashPool>,
    /// Checks candidates against mailed passwords, on a thread of its own.
    pub light_hashing: Arc<HashPool>,
    /// The passwords that may still be tried.
    pub tries: Arc<Tries>,
    /// Failed sign-ins and the like that are written to the audit log by number.
    pub access_events: Arc<AccessEvents>,
    /// Who may store at length now.
    pub room: Arc<Room>,
    /// What every page says while mail is stalled.
    pub strips: Arc<Strips>,
    /// Mails a second over all workers, where that is set.
    pub mail_rate: Option<f64>,
    /// When an untried password mail expires.
    pub password_stale: Duration,
    /// How long a batch sent from the console can be undone before it starts.
    pub hold: Duration,
    /// The batches that somebody watches.
    pub watches: Arc<Watches>,
    /// Whether the dispatcher is connected to `RabbitMQ`.
    pub broker: BrokerStatus,
    /// What is counted.
    pub metrics: Arc<ApiMetrics>,
    /// When the process stops.
    pub lifecycle: Lifecycle,
}

/// However much a request asks for. A million rows take less than a minute to import; what takes
/// longer waits for something that does not come.
const WORK_MOST: Duration = Duration::from_mins(10);

impl Api {
    /// Does work that must not stop in the middle when the client hangs up: axum drops a request's
    /// future then, and a transaction half-way would be dropped with it.
    ///
    /// # Errors
    ///
    /// The work's own, or [`Problem::internal`] when it panicked.
    pub async fn to_the_end<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Problem>> + Send + 'static,
    ) -> Result<T, Problem> {
        whole(&self.lifecycle, work).await
    }

    /// Puts a failed sign-in or the like on record, beside the request that caused it: the answer does not wait, so
    /// its time tells nothing about what was found.
    pub fn record_access(&self, action: Action, actor: &Actor, subject: Option<String>) {
        let event = AccessEvent {
            action,
            actor: actor.clone(),
            subject,
        };
        let this = self.clone();
        self.lifecycle
            .spawn(async move { this.access_events.note(&this.db, event).await });
    }
}

/// As [`Api::to_the_end`], for what has no [`Api`].
///
/// # Errors
///
/// As there.
pub async fn whole<T: Send + 'static>(
    lifecycle: &Lifecycle,
    work: impl Future<Output = Result<T, Problem>> + Send + 'static,
) -> Result<T, Problem> {
    let work = tokio::time::timeout(WORK_MOST, work.in_current_span());
    match lifecycle.spawn(work).await {
        Ok(Ok(done)) => done,
        Ok(Err(_)) => {
            tracing::error!(
                seconds = WORK_MOST.as_secs(),
                "The work of a request was ended after its time"
            );
            Err(Problem::internal())
        }
        Err(fault) => {
            tracing::error!(error = %fault, "The work of a request came to no end");
            Err(Problem::internal())
        }
    }
}

//! Puts right what the passage of time put wrong: lost jobs, vanished workers, mails of no use.

use crate::metrics::DispatcherMetrics;
use shared::delivery::ATTEMPTS_MOST;
use shared::store::dispatch as rows;
use shared::store::dispatcher_lease::Turn;
use shared::store::{Db, StoreResult, batches};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{info, warn};

/// How often to sweep.
const PACE: Duration = Duration::from_secs(1);

/// Rows a sweep ends at a time, so that none holds locks for long.
const GROUP: i64 = 5_000;

/// Sweeps while a turn lasts.
pub(super) struct Sweeper {
    pub(super) db: Db,
    pub(super) turn: Turn,
    pub(super) metrics: Arc<DispatcherMetrics>,
}

impl Sweeper {
    /// Sweeps until dropped.
    pub(super) async fn run(&self) {
        let mut pace = interval(PACE);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            pace.tick().await;
            self.once().await;
        }
    }

    /// One sweep over everything that can be stuck. A statement that fails, as one that waits for a
    /// locked row does, keeps none of the others from being tried.
    pub(super) async fn once(&self) {
        let Self { db, turn, .. } = self;
        let started = self.count("", rows::start_held(db, *turn).await);
        if started > 0 {
            info!(batches = started, "Started batches whose hold is over");
        }
        let lost = self.count("lost_in_queue", rows::requeue_lost(db, *turn).await);
        if lost > 0 {
            warn!(
                deliveries = lost,
                "Jobs lay in a queue unclaimed until the broker dropped them; publishing again"
            );
        }
        let vanished = self.count("worker_vanished", rows::end_vanished(db, *turn, ATTEMPTS_MOST).await);
        if vanished > 0 {
            warn!(
                deliveries = vanished,
                "Workers vanished in the middle of attempts; these count as unsure and are tried again"
            );
        }
        self.count("taken_back", batches::take_back(db).await);
        self.count("useless", rows::end_useless(db, GROUP).await);
        self.count("given_up", rows::end_given_up(db, GROUP).await);
        match rows::finish(db).await {
            Ok(finished) => {
                for batch in finished {
                    info!(batch.id = %batch, "Batch has finished");
                    self.metrics.batches_finished.inc();
                }
            }
            Err(fault) => warn!(error = %fault, cause = %fault.cause(), "Could not finish batches; trying again"),
        }
    }

    /// The rows a statement changed, counted under a sweep's name where it has one.
    fn count(&self, sweep: &str, changed: StoreResult<u64>) -> u64 {
        match changed {
            Ok(rows) => {
                if !sweep.is_empty() {
                    self.metrics.sweeps.with_label_values(&[sweep]).inc_by(rows);
                }
                rows
            }
            Err(fault) => {
                warn!(error = %fault, cause = %fault.cause(), sweep, "A sweep was interrupted; trying again");
                0
            }
        }
    }
}

//! Handles what becomes due with time: lost jobs, vanished workers, expired mails, finished batches.

use crate::database_clock::DatabaseClock;
use crate::lease::HeldLease;
use crate::metrics::DispatcherMetrics;
use crate::publisher::QUEUE_LEASE;
use shared::delivery::MAX_ATTEMPTS;
use shared::store::dispatcher_lease::DispatcherLease;
use shared::store::{Db, StoreResult, database_history as history, sweeps as rows};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tracing::{error, info, warn};

/// How often to sweep.
const PACE: Duration = Duration::from_secs(1);

/// Maximum number of rows per statement, so that no sweep holds locks for long.
const GROUP: i64 = 5_000;

/// Grace period after a possible outage of Postgres, before expired claims count as abandoned.
///
/// It lets workers record their outcomes and renew their leases. They look for leases to renew every ten seconds.
const REPORTING: Duration = Duration::from_secs(15);

/// The same after the clock of Postgres was set. Workers do not notice that, and renew a lease of a minute when it is
/// twenty to thirty seconds old.
const RENEWING: Duration = Duration::from_secs(35);

/// Sweeps for as long as the lease lasts.
pub(super) struct Sweeper {
    db: Db,
    lease: DispatcherLease,
    /// Until then, workers may still renew expired leases.
    vanished_from: Instant,
    clock: DatabaseClock,
    /// Whether sending is held after a promotion of Postgres.
    holds_after_promotion: bool,
    metrics: Arc<DispatcherMetrics>,
}

impl Sweeper {
    /// Creates a sweeper for a held lease.
    pub(super) fn new(db: Db, held: &HeldLease, holds_after_promotion: bool, metrics: Arc<DispatcherMetrics>) -> Self {
        let grace = if held.is_after_silence() {
            REPORTING
        } else {
            Duration::ZERO
        };
        Self {
            db,
            lease: held.lease(),
            vanished_from: Instant::now() + grace,
            clock: DatabaseClock::default(),
            holds_after_promotion,
            metrics,
        }
    }

    /// Sweeps until dropped.
    pub(super) async fn run(mut self) {
        let mut pace = interval(PACE);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            pace.tick().await;
            self.once().await;
        }
    }

    /// Runs every sweep once. A failed statement, for example one that waits for a locked row, does not keep
    /// the others from running.
    pub(super) async fn once(&mut self) {
        let is_held = self.check_history().await;
        let Self { db, lease, .. } = &*self;
        let started = self.count("", rows::start_held(db, *lease).await);
        if started > 0 {
            info!(batches = started, "Started batches whose hold has ended");
        }
        let lost = self.count("lost_in_queue", rows::requeue_lost(db, *lease, QUEUE_LEASE).await);
        if lost > 0 {
            warn!(
                deliveries = lost,
                "No worker claimed jobs within six minutes, and RabbitMQ keeps none for longer than five; publishing them \
                 again"
            );
        }
        if Instant::now() >= self.vanished_from {
            let vanished = self.count(
                "worker_vanished",
                rows::end_expired_leases(db, *lease, MAX_ATTEMPTS).await,
            );
            if vanished > 0 {
                warn!(
                    deliveries = vanished,
                    "Workers vanished during attempts; these count as unsure and are retried"
                );
            }
        }
        self.count("taken_back", rows::take_back(db).await);
        // Mails do not age while sending is held.
        if !is_held {
            let swept = rows::end_useless(db, None, GROUP).await;
            self.count(
                "useless",
                swept.map(|swept| u64::try_from(swept.ended).unwrap_or_default()),
            );
        }
        self.count("", rows::add_up(db, *lease).await);
        self.finish().await;
    }

    /// Returns whether sending is held, or may be because the check failed.
    async fn check_history(&mut self) -> bool {
        let asked = Instant::now();
        let reading = match history::check(&self.db, self.lease, self.holds_after_promotion).await {
            Ok(reading) => reading,
            Err(fault) => {
                warn!(error = %fault, cause = %fault.cause(), "Could not read the timeline of Postgres; retrying");
                return true;
            }
        };
        if let Some(difference) = self.clock.observe(reading.server_time, asked, Instant::now()) {
            self.vanished_from = Instant::now() + RENEWING;
            warn!(
                seconds = difference.as_seconds_f64(),
                "The clock of Postgres jumped. After a jump back, retries are late by the same amount; after a jump \
                 forward, held batches and retries start early and passwords expire early"
            );
        }
        let is_held = reading.held_at.is_some();
        self.metrics.show_history(&reading);
        match reading.changed_from {
            Some(before) if is_held => warn!(
                before,
                timeline = reading.timeline,
                "Postgres was promoted or restored, and sending is on hold: the database may lack the last emails that \
                 were sent; see deploy/runbooks/failover.md, then run beckon-api resume-sending"
            ),
            Some(before) => warn!(
                before,
                timeline = reading.timeline,
                "Postgres was promoted or restored, and sending continues: with asynchronous replication, the emails sent \
                 last are sent again; see deploy/runbooks/failover.md"
            ),
            None => {}
        }
        is_held
    }

    async fn finish(&self) {
        match rows::finish(&self.db).await {
            Ok(finished) => {
                for rows::Finished {
                    batch,
                    is_closed,
                    is_consistent,
                } in finished
                {
                    if !is_consistent {
                        error!(batch.id = %batch, "The counts of a batch differ from its deliveries; the deliveries are correct");
                    }
                    if !is_closed {
                        continue;
                    }
                    info!(batch.id = %batch, "A batch has finished");
                    self.metrics.batches_finished.inc();
                }
            }
            Err(fault) => warn!(error = %fault, cause = %fault.cause(), "Could not finish batches; retrying"),
        }
    }

    /// Counts the rows that a statement changed under the name of its sweep.
    fn count(&self, sweep: &str, changed: StoreResult<u64>) -> u64 {
        match changed {
            Ok(rows) => {
                if !sweep.is_empty() {
                    self.metrics.sweeps.with_label_values(&[sweep]).inc_by(rows);
                }
                rows
            }
            Err(fault) => {
                warn!(error = %fault, cause = %fault.cause(), sweep, "A sweep was interrupted; retrying");
                0
            }
        }
    }
}

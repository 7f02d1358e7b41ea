//! Exports the backlog of deliveries as Prometheus gauges.
//!
//! Every API process counts, whether or not it dispatches, because the numbers matter most when no process does. All
//! processes read the same figures from Postgres, so queries take their maximum, never their sum. While Postgres does
//! not respond, the last count remains, and its timestamp shows its age.

use prometheus::{Gauge, GaugeVec, Histogram, IntCounter, IntGaugeVec};
use shared::batch::{BatchState, Lane};
use shared::delivery::DeliveryState;
use shared::lifecycle::Lifecycle;
use shared::metrics::{Metrics, WORK_SECONDS};
use shared::store::Db;
use shared::store::backlog::{self, BacklogGroup};
use shared::system_email::SystemEmailKind;
use std::time::Duration;
use time::OffsetDateTime;
use tracing::warn;

/// Interval between counts: Prometheus's scrape interval.
const PACE: Duration = Duration::from_secs(15);

/// Gauges of the backlog.
pub struct BacklogGauges {
    open: IntGaugeVec,
    resting: IntGaugeVec,
    due: IntGaugeVec,
    late: IntGaugeVec,
    due_since: GaugeVec,
    next_due: Gauge,
    counted_at: Gauge,
    heartbeat_at: Gauge,
    took: Histogram,
    failures: IntCounter,
}

impl BacklogGauges {
    /// Registers the gauges with every combination of labels. `heartbeat_at` shows when a worker last recorded a
    /// heartbeat.
    pub fn declare(metrics: &Metrics, heartbeat_at: Gauge) -> Self {
        let lanes = Lane::ALL.map(Lane::as_str);
        let kinds = SystemEmailKind::ALL.map(SystemEmailKind::as_str);
        Self {
            open: metrics.gauges(
                "beckon_open_deliveries",
                "Deliveries that have not ended, by system email and state; every process reports the same.",
                &[("kind", &kinds), ("state", &open_states())],
            ),
            resting: metrics.gauges(
                "beckon_resting_deliveries",
                "Open deliveries of held or paused batches, which wait for an administrator or their start time.",
                &[("batch_state", &[BatchState::Held.as_str(), BatchState::Paused.as_str()])],
            ),
            due: metrics.gauges(
                "beckon_due_deliveries",
                "Open deliveries that are due and not claimed by a worker.",
                &[("lane", &lanes)],
            ),
            late: metrics.gauges(
                "beckon_late_deliveries",
                "Open deliveries past the deadline of their batch that were never attempted.",
                &[("lane", &lanes)],
            ),
            due_since: metrics.timestamp_gauges(
                "beckon_oldest_due_timestamp_seconds",
                "Since when the oldest due delivery has been due; 0 if none is due.",
                &[("lane", &lanes)],
            ),
            next_due: metrics.float_gauge(
                "beckon_next_due_timestamp_seconds",
                "When the next delivery becomes due, usually a retry; 0 if none will.",
            ),
            counted_at: metrics.float_gauge(
                "beckon_backlog_counted_timestamp_seconds",
                "When the open deliveries were last counted.",
            ),
            heartbeat_at,
            took: metrics.histogram(
                "beckon_backlog_count_duration_seconds",
                "Time taken to count the open deliveries.",
                WORK_SECONDS,
            ),
            failures: metrics.counter(
                "beckon_backlog_count_failures_total",
                "Failed attempts to count the open deliveries.",
            ),
        }
    }

    /// Counts periodically until the process stops.
    pub async fn keep_counting(&self, db: &Db, lifecycle: &Lifecycle) {
        while !lifecycle.is_stopping() {
            let timer = self.took.start_timer();
            match backlog::count(db).await {
                Ok(counted) => {
                    timer.observe_duration();
                    self.show(&counted.owed);
                    self.counted_at.set(seconds(Some(counted.counted_at)));
                    self.heartbeat_at.set(seconds(counted.heartbeat_at));
                }
                Err(fault) => {
                    timer.stop_and_discard();
                    self.failures.inc();
                    let fault = fault.explained(db).await;
                    warn!(error = %fault, "Could not count the open deliveries");
                }
            }
            lifecycle.pause(PACE).await;
        }
    }

    fn show(&self, owed: &[BacklogGroup]) {
        for kind in SystemEmailKind::ALL {
            for state in open_states() {
                let alike = owed
                    .iter()
                    .filter(|one| one.kind == kind && one.state.as_str() == state);
                let open = alike.map(|one| one.count).sum();
                self.open.with_label_values(&[kind.as_str(), state]).set(open);
            }
        }
        for state in [BatchState::Held, BatchState::Paused] {
            let resting = owed.iter().filter(|one| one.batch_state == state);
            let resting = resting.map(|one| one.count).sum();
            self.resting.with_label_values(&[state.as_str()]).set(resting);
        }
        for lane in Lane::ALL {
            let of_lane = || owed.iter().filter(move |one| one.lane == lane);
            let label = [lane.as_str()];
            self.due
                .with_label_values(&label)
                .set(of_lane().map(|one| one.due).sum());
            self.late
                .with_label_values(&label)
                .set(of_lane().map(|one| one.late).sum());
            let since = of_lane().filter_map(|one| one.due_since).min();
            self.due_since.with_label_values(&label).set(seconds(since));
        }
        self.next_due
            .set(seconds(owed.iter().filter_map(|one| one.next_due_at).min()));
    }
}

/// States of deliveries that have not ended.
fn open_states() -> Vec<&'static str> {
    let open = DeliveryState::ALL.into_iter().filter(|state| !state.has_ended());
    open.map(DeliveryState::as_str).collect()
}

/// Seconds since 1970, or 0 for never.
fn seconds(moment: Option<OffsetDateTime>) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "microseconds until the year 2255 are exact")]
    moment.map_or(0.0, |moment| (moment.unix_timestamp_nanos() / 1_000) as f64 / 1e6)
}

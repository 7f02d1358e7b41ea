//! The dispatcher's metrics.

use prometheus::{GaugeVec, Histogram, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};
use shared::batch::{Lane, PauseCause};
use shared::metrics::{Metrics, WORK_SECONDS};
use shared::queue::Published;
use shared::store::database_history::Reading;
use time::OffsetDateTime;

/// The dispatcher's metrics.
pub struct DispatcherMetrics {
    queued: IntGaugeVec,
    /// Jobs handed to the broker, by outcome.
    pub publishes: IntCounterVec,
    /// Time from the first job of a round to its last confirm.
    pub publish_duration: Histogram,
    /// Deliveries corrected, by sweep.
    pub sweeps: IntCounterVec,
    /// Batches paused automatically, by cause.
    pub batches_paused: IntCounterVec,
    /// Batches whose last delivery ended.
    pub batches_finished: IntCounter,
    /// Connections to `RabbitMQ` that were lost or could not be opened.
    pub amqp_reconnects: IntCounter,
    /// Whether this process holds the lease.
    pub dispatching: IntGauge,
    /// Whether the broker is connected.
    pub amqp_connected: IntGauge,
    /// Whether the broker blocks publishing.
    pub amqp_blocked: IntGauge,
    /// When Postgres was last found on a different timeline.
    promoted: IntGauge,
    /// Whether sending is held.
    pub held: IntGauge,
    /// When this process last published a heartbeat (label `published`).
    pub heartbeats: GaugeVec,
}

impl DispatcherMetrics {
    /// Registers the metrics with every combination of labels. `heartbeats` is the gauge of heartbeats that the
    /// process shares.
    pub fn declare(metrics: &Metrics, heartbeats: GaugeVec) -> Self {
        Self {
            queued: metrics.gauges(
                "beckon_queued_deliveries",
                "Deliveries whose job is in a queue and not claimed; set by the dispatching process.",
                &[("lane", &Lane::ALL.map(Lane::as_str))],
            ),
            publishes: metrics.counters(
                "beckon_publishes_total",
                "Jobs handed to RabbitMQ, by outcome: confirmed, returned (no queue), refused, lost (no answer).",
                &[("outcome", &["confirmed", "returned", "refused", "lost"])],
            ),
            publish_duration: metrics.histogram(
                "beckon_publish_duration_seconds",
                "Time from the first job of a round to the last confirm of it.",
                WORK_SECONDS,
            ),
            sweeps: metrics.counters(
                "beckon_swept_deliveries_total",
                "Deliveries corrected by a sweep: lost_in_queue and worker_vanished are retried, taken_back wait with their paused batch, useless and given_up have ended.",
                &[("sweep", &["lost_in_queue", "worker_vanished", "taken_back", "useless", "given_up"])],
            ),
            batches_paused: metrics.counters(
                "beckon_batches_braked_total",
                "Batches paused automatically, by reason: bounces (addresses that do not exist), policy (refused as spam or by policy), relay (the mail server refuses all our mail).",
                &[("reason", &PauseCause::ALL.map(PauseCause::as_str))],
            ),
            batches_finished: metrics.counter("beckon_batches_finished_total", "Batches whose last delivery ended."),
            amqp_reconnects: metrics.counter(
                "beckon_amqp_reconnects_total",
                "Attempts to reconnect to RabbitMQ after a connection was lost or failed.",
            ),
            dispatching: metrics.gauge("beckon_dispatching", "1 in the API process that dispatches."),
            amqp_connected: metrics.gauge("beckon_amqp_connected", "1 while the process is connected to RabbitMQ."),
            amqp_blocked: metrics.gauge(
                "beckon_amqp_blocked",
                "1 while RabbitMQ accepts no messages because it is short of memory or disk.",
            ),
            promoted: metrics.gauge(
                "beckon_database_promoted_timestamp_seconds",
                "When Postgres was last found on another timeline, for example after the promotion of a standby; 0 for never.",
            ),
            held: metrics.gauge(
                "beckon_sending_held",
                "1 in the process that dispatches while sending is held after a promotion of Postgres.",
            ),
            heartbeats,
        }
    }

    /// Updates the gauges after a check of Postgres's timeline.
    pub fn show_history(&self, reading: &Reading) {
        self.promoted
            .set(reading.changed_at.map_or(0, OffsetDateTime::unix_timestamp));
        self.held.set(i64::from(reading.held_at.is_some()));
    }

    /// Sets the number of jobs in a lane's queue.
    pub fn queued(&self, lane: Lane, jobs: i64) {
        self.queued.with_label_values(&[lane.as_str()]).set(jobs);
    }

    /// Counts a published round.
    pub fn count_published(&self, published: &Published) {
        let add = |outcome: &str, n: usize| self.publishes.with_label_values(&[outcome]).inc_by(n as u64);
        if !published.confirmed.is_empty() {
            self.amqp_blocked.set(0);
        }
        add("confirmed", published.confirmed.len());
        add("returned", published.returned.len());
        add("refused", published.refused.len());
    }
}

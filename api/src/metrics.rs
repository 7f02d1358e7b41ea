//! What an API process counts.

use prometheus::{GaugeVec, Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};
use shared::batch::{Brake, Lane};
use shared::metrics::{Metrics, WORK_SECONDS};
use shared::queue::Published;
use shared::store::intake::Accepted;
use shared::store::left_out::LeftOutReason;
use shared::system_email::SystemEmailKind;

/// An API process's figures.
pub struct ApiMetrics {
    requests: IntCounterVec,
    request_seconds: HistogramVec,
    accepted: IntCounterVec,
    left_out: IntCounterVec,
    queued: IntGaugeVec,
    /// Jobs handed to the broker, by what became of them.
    pub publishes: IntCounterVec,
    /// From the first job of a round to its last confirm.
    pub publish_duration: Histogram,
    /// When a beat was last `published` by this process, and `recorded` by a worker.
    pub beats: GaugeVec,
    /// Deliveries put right, by sweep.
    pub sweeps: IntCounterVec,
    /// Batches that paused themselves, by why.
    pub batches_braked: IntCounterVec,
    /// Batches whose last delivery ended.
    pub batches_finished: IntCounter,
    /// Times a watched batch was counted.
    pub batch_counts: IntCounter,
    /// Batches being watched.
    pub watched_batches: IntGauge,
    /// Rows of imports, by what became of them.
    pub import_rows: IntCounterVec,
    /// Passwords checked, by outcome.
    pub verifications: IntCounterVec,
    /// Sign-ins at the console, by outcome.
    pub sign_ins: IntCounterVec,
    /// Connections to `RabbitMQ` that were lost, or not to be had.
    pub amqp_reconnects: IntCounter,
    /// Whether this process dispatches.
    pub dispatching: IntGauge,
    /// Whether the broker is connected.
    pub amqp_connected: IntGauge,
    /// Whether the broker takes no messages.
    pub amqp_blocked: IntGauge,
    /// Requests being answered.
    pub in_flight: IntGauge,
}

impl ApiMetrics {
    /// Declares them, every combination of labels present but those of routes.
    #[expect(clippy::too_many_lines, reason = "a list of declarations, read from top to bottom")]
    pub fn declare(metrics: &Metrics) -> Self {
        let kinds = [
            SystemEmailKind::Invite.as_str(),
            SystemEmailKind::PasswordReset.as_str(),
        ];
        let kind_reason: Vec<[&str; 2]> = kinds
            .iter()
            .flat_map(|kind| LeftOutReason::ALL.map(|reason| [*kind, reason.as_str()]))
            .collect();
        let kind_reason: Vec<&[&str]> = kind_reason.iter().map(|pair| &pair[..]).collect();
        Self {
            requests: metrics.counters_of(
                "beckon_http_requests_total",
                "Requests that ended, by method, route and status; gone when the client hung up before its answer.",
                &["method", "route", "status"],
                &[],
            ),
            request_seconds: metrics.histograms(
                "beckon_http_request_duration_seconds",
                "Time from a request's headers to the answer's.",
                WORK_SECONDS,
                &["method", "route"],
                &[],
            ),
            accepted: metrics.counters(
                "beckon_deliveries_accepted_total",
                "Deliveries committed with their batch, by kind of mail.",
                "kind",
                &kinds,
            ),
            left_out: metrics.counters_of(
                "beckon_left_out_total",
                "Chosen people who got no delivery, by kind of mail and why.",
                &["kind", "reason"],
                &kind_reason,
            ),
            queued: metrics.gauges(
                "beckon_queued_deliveries",
                "Deliveries whose job lies in a queue unclaimed; set by the process that dispatches.",
                "lane",
                &Lane::ALL.map(Lane::as_str),
            ),
            publishes: metrics.counters(
                "beckon_publishes_total",
                "Jobs handed to RabbitMQ, by outcome: confirmed, returned (no queue), refused, lost (no answer).",
                "outcome",
                &["confirmed", "returned", "refused", "lost"],
            ),
            publish_duration: metrics.histogram(
                "beckon_publish_duration_seconds",
                "Time from the first job of a round to the last confirm of it.",
                WORK_SECONDS,
            ),
            beats: metrics.beats(&["published", "recorded"]),
            sweeps: metrics.counters(
                "beckon_swept_deliveries_total",
                "Deliveries put right: lost_in_queue and worker_vanished are tried again, taken_back wait with their paused batch, useless and given_up ones ended.",
                "sweep",
                &["lost_in_queue", "worker_vanished", "taken_back", "useless", "given_up"],
            ),
            batches_braked: metrics.counters(
                "beckon_batches_braked_total",
                "Batches that paused themselves, by why: bounces (addresses that do not exist), policy (refused as spam or by policy), relay (it takes no mail from us).",
                "reason",
                &Brake::ALL.map(Brake::as_str),
            ),
            batches_finished: metrics.counter("beckon_batches_finished_total", "Batches whose last delivery ended."),
            batch_counts: metrics.counter(
                "beckon_batch_counts_total",
                "Times a watched batch was counted, once for all who watch it.",
            ),
            watched_batches: metrics.gauge("beckon_watched_batches", "Batches that somebody watches."),
            import_rows: metrics.counters(
                "beckon_import_rows_total",
                "Rows of imports that were committed, by what became of them.",
                "result",
                &["created", "updated", "unchanged", "rejected", "blank"],
            ),
            verifications: metrics.counters(
                "beckon_credential_verifications_total",
                "Passwords to check, by outcome: right, wrong, throttled (no try was left), busy (too many waited).",
                "outcome",
                &["right", "wrong", "throttled", "busy"],
            ),
            sign_ins: metrics.counters(
                "beckon_console_sign_ins_total",
                "Sign-ins at the console, by outcome: right, wrong, throttled (no try was left), busy (too many waited).",
                "outcome",
                &["right", "wrong", "throttled", "busy"],
            ),
            amqp_reconnects: metrics.counter(
                "beckon_amqp_reconnects_total",
                "Attempts to connect to RabbitMQ again after a connection was lost or not to be had.",
            ),
            dispatching: metrics.gauge("beckon_dispatching", "1 in the one API process that dispatches."),
            amqp_connected: metrics.gauge("beckon_amqp_connected", "1 while the connection to RabbitMQ stands."),
            amqp_blocked: metrics.gauge(
                "beckon_amqp_blocked",
                "1 while RabbitMQ takes no messages because its memory or disk is short.",
            ),
            in_flight: metrics.gauge("beckon_http_requests_in_flight", "Requests being answered now."),
        }
    }

    /// A request ended.
    pub fn count_request(&self, method: &str, route: &str, status: &str) {
        self.requests.with_label_values(&[method, route, status]).inc();
    }

    /// Requests that ended so.
    #[cfg(test)]
    pub(crate) fn requests_counted(&self, method: &str, route: &str, status: &str) -> u64 {
        self.requests.with_label_values(&[method, route, status]).get()
    }

    /// A request was answered.
    pub fn time_request(&self, method: &str, route: &str, seconds: f64) {
        self.request_seconds
            .with_label_values(&[method, route])
            .observe(seconds);
    }

    /// A batch was accepted.
    pub fn count_accepted(&self, kind: SystemEmailKind, accepted: &Accepted) {
        let deliveries = u64::try_from(accepted.accepted).unwrap_or_default();
        self.accepted.with_label_values(&[kind.as_str()]).inc_by(deliveries);
        for (reason, people) in &accepted.left_out {
            let people = u64::try_from(*people).unwrap_or_default();
            self.left_out.with_label_values(&[kind.as_str(), reason]).inc_by(people);
        }
    }

    /// So many jobs lie in a lane's queue.
    pub fn queued(&self, lane: Lane, jobs: i64) {
        self.queued.with_label_values(&[lane.as_str()]).set(jobs);
    }

    /// A round was published.
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

//! Metrics of an API process.

use prometheus::{GaugeVec, HistogramVec, IntCounter, IntCounterVec, IntGauge};
use shared::metrics::{Metrics, WORK_SECONDS};
use shared::store::intake::Accepted;
use shared::store::left_out::LeftOutReason;
use shared::system_email::SystemEmailKind;

/// Metrics of an API process.
pub struct ApiMetrics {
    requests: IntCounterVec,
    request_seconds: HistogramVec,
    accepted: IntCounterVec,
    left_out: IntCounterVec,
    /// When a heartbeat was last `published` by this process, and `recorded` by a worker.
    pub heartbeats: GaugeVec,
    /// Number of times a watched batch was counted.
    pub batch_counts: IntCounter,
    /// Batches being watched.
    pub watched_batches: IntGauge,
    /// Rows of imports, by outcome.
    pub import_rows: IntCounterVec,
    /// Passwords checked, by outcome.
    pub verifications: IntCounterVec,
    /// Sign-ins at the console, by outcome.
    pub sign_ins: IntCounterVec,
    /// Requests in progress.
    pub in_flight: IntGauge,
}

impl ApiMetrics {
    /// Registers the metrics, with every combination of labels except for routes.
    pub fn declare(metrics: &Metrics) -> Self {
        let kinds = SystemEmailKind::ALL.map(SystemEmailKind::as_str);
        Self {
            requests: metrics.counters(
                "beckon_http_requests_total",
                "Completed requests, by method, route and status; gone if the client disconnected before the response.",
                &[("method", &[]), ("route", &[]), ("status", &[])],
            ),
            request_seconds: metrics.histograms(
                "beckon_http_request_duration_seconds",
                "Time from the headers of a request to those of the response.",
                WORK_SECONDS,
                &[("method", &[]), ("route", &[])],
            ),
            accepted: metrics.counters(
                "beckon_deliveries_accepted_total",
                "Deliveries of accepted batches, by system email.",
                &[("kind", &kinds)],
            ),
            left_out: metrics.counters(
                "beckon_left_out_total",
                "Selected users who were left out of a batch, by system email and reason.",
                &[
                    ("kind", &kinds),
                    ("reason", &LeftOutReason::ALL.map(LeftOutReason::as_str)),
                ],
            ),
            heartbeats: metrics.heartbeats(&["published", "recorded"]),
            batch_counts: metrics.counter(
                "beckon_batch_counts_total",
                "Counts of watched batches, each shared by all viewers.",
            ),
            watched_batches: metrics.gauge("beckon_watched_batches", "Batches with at least one viewer."),
            import_rows: metrics.counters(
                "beckon_import_rows_total",
                "Rows of committed imports, by outcome.",
                &[(
                    "result",
                    &["created", "updated", "unchanged", "ignored", "rejected", "blank"],
                )],
            ),
            verifications: metrics.counters(
                "beckon_credential_verifications_total",
                "Password checks, by outcome: right, wrong, throttled (no attempt left), busy (queue full).",
                &[("outcome", &["right", "wrong", "throttled", "busy"])],
            ),
            sign_ins: metrics.counters(
                "beckon_console_sign_ins_total",
                "Sign-ins to the console, by outcome: right, wrong, throttled (no attempt left), busy (queue full).",
                &[("outcome", &["right", "wrong", "throttled", "busy"])],
            ),
            in_flight: metrics.gauge("beckon_http_requests_in_flight", "Requests in progress."),
        }
    }

    /// Counts a request that ended.
    pub fn count_request(&self, method: &str, route: &str, status: &str) {
        self.requests.with_label_values(&[method, route, status]).inc();
    }

    /// Number of requests that ended with this status.
    #[cfg(test)]
    pub(crate) fn requests_counted(&self, method: &str, route: &str, status: &str) -> u64 {
        self.requests.with_label_values(&[method, route, status]).get()
    }

    /// Records the duration of a request.
    pub fn time_request(&self, method: &str, route: &str, seconds: f64) {
        self.request_seconds
            .with_label_values(&[method, route])
            .observe(seconds);
    }

    /// Counts an accepted batch.
    pub fn count_accepted(&self, kind: SystemEmailKind, accepted: &Accepted) {
        let deliveries = u64::try_from(accepted.accepted).unwrap_or_default();
        self.accepted.with_label_values(&[kind.as_str()]).inc_by(deliveries);
        for (reason, people) in &accepted.left_out {
            let people = u64::try_from(*people).unwrap_or_default();
            self.left_out.with_label_values(&[kind.as_str(), reason]).inc_by(people);
        }
    }
}

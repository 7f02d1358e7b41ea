//! Metrics of the conversation with the relay.

use std::time::Duration;

use prometheus::{Gauge, Histogram, IntCounter, IntCounterVec, IntGauge};
use shared::metrics::Metrics;

use super::phase::Phase;
use super::reply::ReplyResult;
use super::trouble::TroubleClass;

/// From half a millisecond, a relay on the same network, to ten minutes, the deadline of the final dot.
const SECONDS: [f64; 14] = [
    0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 20.0, 60.0, 600.0,
];

/// Possible results of a connection attempt, besides `ok`.
const CONNECT_TROUBLES: [TroubleClass; 8] = [
    TroubleClass::Connect,
    TroubleClass::Tls,
    TroubleClass::Auth,
    TroubleClass::Timeout,
    TroubleClass::Throttled,
    TroubleClass::Policy,
    TroubleClass::ConnectionLost,
    TroubleClass::Protocol,
];

/// Possible trouble with our sender, login or account.
const ACCOUNT_TROUBLES: [TroubleClass; 7] = [
    TroubleClass::Auth,
    TroubleClass::SenderRefused,
    TroubleClass::RelayingDenied,
    TroubleClass::Quota,
    TroubleClass::Policy,
    TroubleClass::ContentTooLarge,
    TroubleClass::Refused,
];

/// The metrics of one [`Mailer`](super::Mailer). Every label is present from the start.
#[derive(Debug)]
pub(super) struct SmtpMetrics {
    pub(super) idle: IntGauge,
    pub(super) in_use: IntGauge,
    pub(super) allowed: IntGauge,
    pub(super) wait: Histogram,
    pub(super) relay_up: IntGauge,
    pub(super) rate: Gauge,
    pub(super) throttled: IntCounter,
    set_aside: IntGauge,
    account_refusals: IntCounterVec,
    connects: IntCounterVec,
    phases: [Histogram; Phase::ALL.len()],
    replies: [IntCounter; 5],
}

impl SmtpMetrics {
    pub(super) fn declare(metrics: &Metrics) -> Self {
        let connections = metrics.gauges(
            "beckon_smtp_connections",
            "Connections to the relay: idle, or in_use by an email.",
            &[("state", &["idle", "in_use"])],
        );
        let connects = metrics.counters("beckon_smtp_connects_total", "Connections opened, counted when they were ready for an email (ok) or when they failed, by class of trouble.", &[("outcome", &CONNECT_TROUBLES.map(TroubleClass::as_str))]);
        connects.with_label_values(&["ok"]);
        let phases = metrics.histograms("beckon_smtp_phase_duration_seconds", "Time of one step of the SMTP dialogue, observed when the step ended or failed; a connection that starts TLS has two ehlo, and dot is the time from the end of the body to the reply.", &SECONDS, &[("phase", &[])]);
        let replies = metrics.counters("beckon_smtp_replies_total", "Replies of the relay by first digit, except to QUIT; none counts a timeout, a lost connection or an unreadable reply.", &[("class", &[])]);
        let relay_up = metrics.gauge("beckon_relay_up", "1 while this worker sends emails to the relay, 0 while it holds them back because of trouble, until an email has passed again.");
        relay_up.set(1);
        Self {
            idle: connections.with_label_values(&["idle"]),
            in_use: connections.with_label_values(&["in_use"]),
            allowed: metrics.gauge("beckon_smtp_connections_max", "Maximum number of open connections of this worker; below its setting while the relay accepts no more."),
            wait: metrics.histogram("beckon_smtp_connection_wait_seconds", "Time an email waited for one of this worker's connections.", &SECONDS),
            relay_up,
            rate: metrics.float_gauge("beckon_smtp_rate_limit", "Emails per second to which the relay has throttled this worker; 0 for no limit."),
            throttled: metrics.counter("beckon_smtp_throttled_total", "Emails refused because of the relay's rate limit; they are sent seconds later and use no attempt."),
            set_aside: metrics.gauge("beckon_smtp_domains_set_aside", "Recipient domains that this worker has set aside for a while, because the relay closed the connection or answered 421."),
            account_refusals: metrics.counters("beckon_smtp_account_refusals_total", "Emails refused because of our sender, login or account instead of their recipient, by class of trouble; they wait and use no attempt.", &[("class", &ACCOUNT_TROUBLES.map(TroubleClass::as_str))]),
            connects,
            phases: Phase::ALL.map(|phase| phases.with_label_values(&[phase.as_str()])),
            replies: ["2xx", "3xx", "4xx", "5xx", "none"].map(|class| replies.with_label_values(&[class])),
        }
    }

    pub(super) fn connected(&self, trouble: Option<TroubleClass>) {
        self.connects
            .with_label_values(&[trouble.map_or("ok", TroubleClass::as_str)])
            .inc();
    }

    pub(super) fn account_refused(&self, class: TroubleClass) {
        self.account_refusals.with_label_values(&[class.as_str()]).inc();
    }

    pub(super) fn show_set_aside(&self, domains: usize) {
        self.set_aside.set(i64::try_from(domains).unwrap_or(i64::MAX));
    }

    pub(super) fn observe(&self, phase: Phase, time: Duration) {
        // The array has the phases in the order of their declaration.
        if let Some(phase) = self.phases.get(phase as usize) {
            phase.observe(time.as_secs_f64());
        }
    }

    pub(super) fn count_reply(&self, received: &ReplyResult) {
        let [completions, go_aheads, passing, lasting, none] = &self.replies;
        let class = match received.as_ref().map(|reply| reply.code / 100) {
            Ok(2) => completions,
            Ok(3) => go_aheads,
            Ok(4) => passing,
            Ok(5) => lasting,
            Ok(_) | Err(_) => none,
        };
        class.inc();
    }
}

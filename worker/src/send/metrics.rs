//! Metrics of the conversation with the relay.

use std::time::Duration;

use prometheus::core::Collector;
use prometheus::{
    Gauge, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};

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
    phases: Vec<Histogram>,
    replies: [IntCounter; 5],
}

impl SmtpMetrics {
    pub(super) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let add = Declare(registry);
        let connections = add.gauges(
            "beckon_smtp_connections",
            "Connections to the relay: idle, or in_use by an email.",
            "state",
        )?;
        let connects = add.counters(
            "beckon_smtp_connects_total",
            "Connections opened, counted when they were ready for an email (ok) or when they failed, by class of trouble.",
            "outcome",
        )?;
        let phases = add.histograms(
            "beckon_smtp_phase_duration_seconds",
            "Time of one step of the SMTP dialogue, observed when the step ended or failed; a connection that starts TLS has two ehlo, and dot is the time from the end of the body to the reply.",
            &["phase"],
        )?;
        let wait = add.histograms(
            "beckon_smtp_connection_wait_seconds",
            "Time an email waited for one of this worker's connections.",
            &[],
        )?;
        let replies = add.counters(
            "beckon_smtp_replies_total",
            "Replies of the relay by first digit, except to QUIT; none counts a timeout, a lost connection or an unreadable reply.",
            "class",
        )?;
        let allowed = add.gauge(
            "beckon_smtp_connections_max",
            "Maximum number of open connections of this worker; below its setting while the relay accepts no more.",
        )?;
        let relay_up = add.gauge(
            "beckon_relay_up",
            "1 while this worker sends emails to the relay, 0 while it holds them back because of trouble, until an email has passed again.",
        )?;
        let (rate, throttled) = rate(&add)?;
        let set_aside = set_aside(&add)?;
        let account_refusals = account_refusals(&add)?;
        connects.with_label_values(&["ok"]);
        for class in CONNECT_TROUBLES {
            connects.with_label_values(&[class.as_str()]);
        }
        relay_up.set(1);
        Ok(Self {
            idle: connections.with_label_values(&["idle"]),
            in_use: connections.with_label_values(&["in_use"]),
            allowed,
            wait: wait.with_label_values::<&str>(&[]),
            relay_up,
            rate,
            throttled,
            set_aside,
            account_refusals,
            connects,
            phases: Phase::ALL
                .iter()
                .map(|phase| phases.with_label_values(&[phase.as_str()]))
                .collect(),
            replies: ["2xx", "3xx", "4xx", "5xx", "none"].map(|class| replies.with_label_values(&[class])),
        })
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

    pub(super) fn took(&self, phase: Phase, time: Duration) {
        // The vector has the phases in the order of their declaration.
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

fn rate(add: &Declare<'_>) -> Result<(Gauge, IntCounter), prometheus::Error> {
    let rate = add.rate(
        "beckon_smtp_rate_limit",
        "Emails per second to which the relay has throttled this worker; 0 for no limit.",
    )?;
    let throttled = add.counter(
        "beckon_smtp_throttled_total",
        "Emails refused because of the relay's rate limit; they are sent seconds later and use no attempt.",
    )?;
    Ok((rate, throttled))
}

fn set_aside(add: &Declare<'_>) -> Result<IntGauge, prometheus::Error> {
    add.gauge(
        "beckon_smtp_domains_set_aside",
        "Recipient domains that this worker has set aside for a while, because the relay closed the connection or answered 421.",
    )
}

fn account_refusals(add: &Declare<'_>) -> Result<IntCounterVec, prometheus::Error> {
    let refusals = add.counters(
        "beckon_smtp_account_refusals_total",
        "Emails refused because of our sender, login or account instead of their recipient, by class of trouble; they wait and use no attempt.",
        "class",
    )?;
    for class in ACCOUNT_TROUBLES {
        refusals.with_label_values(&[class.as_str()]);
    }
    Ok(refusals)
}

/// Creates and registers metrics.
struct Declare<'a>(&'a Registry);

impl Declare<'_> {
    fn shown<T: Collector + Clone + 'static>(&self, metric: T) -> Result<T, prometheus::Error> {
        self.0.register(Box::new(metric.clone()))?;
        Ok(metric)
    }

    fn gauge(&self, name: &str, help: &str) -> Result<IntGauge, prometheus::Error> {
        self.shown(IntGauge::new(name, help)?)
    }

    fn rate(&self, name: &str, help: &str) -> Result<Gauge, prometheus::Error> {
        self.shown(Gauge::new(name, help)?)
    }

    fn counter(&self, name: &str, help: &str) -> Result<IntCounter, prometheus::Error> {
        self.shown(IntCounter::new(name, help)?)
    }

    fn gauges(&self, name: &str, help: &str, label: &str) -> Result<IntGaugeVec, prometheus::Error> {
        self.shown(IntGaugeVec::new(Opts::new(name, help), &[label])?)
    }

    fn counters(&self, name: &str, help: &str, label: &str) -> Result<IntCounterVec, prometheus::Error> {
        self.shown(IntCounterVec::new(Opts::new(name, help), &[label])?)
    }

    fn histograms(&self, name: &str, help: &str, labels: &[&str]) -> Result<HistogramVec, prometheus::Error> {
        let options = HistogramOpts::new(name, help).buckets(SECONDS.to_vec());
        self.shown(HistogramVec::new(options, labels)?)
    }
}

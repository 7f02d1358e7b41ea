//! The worker's metrics. Those of the SMTP conversation are in `send/metrics.rs`.

use crate::send::TroubleClass;
use crate::step::Step;
use prometheus::{GaugeVec, Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};
use shared::batch::Lane;
use shared::delivery::DeliveryState;
use shared::job::JobFault;
use shared::metrics::{Metrics, SEND_SECONDS, WORK_SECONDS};
use shared::store::claims::Claims;
use shared::store::settle::Ending;
use shared::system_email::SystemEmailKind;
use std::time::Duration;

/// Verdicts of an attempt, as in the `attempts` table, and `given_back` for an attempt that had not begun.
const VERDICTS: [&str; 5] = ["accepted", "try_later", "refused", "unsure", "given_back"];

/// Values of the label for whether a mail was on time.
const ON_TIME: [&str; 3] = ["true", "false", "retried"];

/// The worker's metrics.
pub struct WorkerMetrics {
    received: IntCounterVec,
    claims: IntCounterVec,
    parked: IntCounterVec,
    attempts: IntCounterVec,
    ended: IntCounterVec,
    stages: [Histogram; Step::ALL.len()],
    waits: HistogramVec,
    sends: HistogramVec,
    sent: IntCounterVec,
    failures: IntCounterVec,
    in_progress: IntGaugeVec,
    /// Times a group of outcomes could not be recorded and was retried. A crash in between may repeat its
    /// mails.
    pub record_failures: IntCounter,
    /// Whether the broker is connected.
    pub amqp_connected: IntGauge,
    /// Number of attempts per ended delivery.
    pub attempts_each: Histogram,
    /// When this worker last received a heartbeat.
    pub heartbeats: GaugeVec,
    /// Attempts to reconnect to the broker.
    pub amqp_reconnects: IntCounter,
    leases: IntGauge,
}

impl WorkerMetrics {
    /// Registers the metrics with every combination of labels.
    pub fn declare(metrics: &Metrics) -> Self {
        let kinds = SystemEmailKind::ALL.map(SystemEmailKind::as_str);
        let lanes = Lane::ALL.map(Lane::as_str);
        let ended: Vec<&str> = DeliveryState::ALL
            .into_iter()
            .filter(|state| state.has_ended())
            .map(DeliveryState::as_str)
            .collect();
        Self {
            received: metrics.counters("beckon_jobs_received_total", "Jobs received from RabbitMQ, by lane and by whether they were redelivered.", &[("lane", &lanes), ("redelivered", &["false", "true"])]),
            claims: metrics.counters("beckon_claims_total", "Claims of deliveries, by outcome: taken, not_ours (another worker was faster, or the batch does not run), orphaned (the user was deleted), locked (the user is locked and gets no password), suppressed (the address is blocked).", &[("outcome", &["taken", "not_ours", "orphaned", "locked", "suppressed"])]),
            parked: metrics.counters("beckon_jobs_parked_total", "Messages parked because they are not valid jobs, by fault.", &[("reason", &JobFault::CODES)]),
            attempts: metrics.counters("beckon_attempts_total", "Settled attempts, by system email and verdict.", &[("kind", &kinds), ("verdict", &VERDICTS)]),
            ended: metrics.counters("beckon_deliveries_ended_total", "Deliveries ended by a worker, by system email and final state.", &[("kind", &kinds), ("state", &ended)]),
            stages: stage_histograms(&metrics.histograms("beckon_stage_duration_seconds", "Time of one email in a stage of the worker, including the wait for that stage.", WORK_SECONDS, &[("stage", &Step::ALL.map(Step::as_str))])),
            waits: metrics.histograms("beckon_queue_wait_seconds", "Time from a delivery becoming due to its claim.", SEND_SECONDS, &[("lane", &lanes)]),
            sends: metrics.histograms("beckon_send_seconds", "Time from the start of a batch to the relay's 250 for an email, first attempts only.", SEND_SECONDS, &[("lane", &lanes), ("kind", &kinds)]),
            sent: metrics.counters("beckon_sends_total", "Emails accepted by the relay, by lane, system email and whether that was before the deadline of their batch: true, false, or retried for those with an earlier attempt, whose time depends on the relay as well.", &[("lane", &lanes), ("kind", &kinds), ("on_time", &ON_TIME)]),
            failures: metrics.counters("beckon_attempt_failures_total", "Attempts that the relay did not accept, by class of trouble; unsure ones had no reply, unbuildable ones no email.", &[("class", &failure_classes())]),
            in_progress: metrics.gauges("beckon_jobs_in_progress", "Jobs between their arrival and their acknowledgement.", &[("lane", &lanes)]),
            record_failures: metrics.counter("beckon_record_failures_total", "Failed attempts to record a group of outcomes, which were retried."),
            amqp_connected: metrics.gauge("beckon_amqp_connected", "1 while the process is connected to RabbitMQ."),
            attempts_each: metrics.histogram("beckon_attempts_per_delivery", "Number of attempts per delivery that a worker ended.", &[1.0, 2.0, 3.0, 5.0, 8.0, 13.0, 20.0]),
            heartbeats: metrics.heartbeats(&["consumed"]),
            amqp_reconnects: metrics.counter("beckon_amqp_reconnects_total", "Attempts to reconnect to RabbitMQ after a connection was lost or failed."),
            leases: metrics.gauge("beckon_leases", "Deliveries claimed by this worker."),
        }
    }

    /// Counts a received job.
    pub fn count_received(&self, lane: Lane, redelivered: bool) {
        let redelivered = if redelivered { "true" } else { "false" };
        self.received.with_label_values(&[lane.as_str(), redelivered]).inc();
    }

    /// Counts the answer to a group of claims.
    pub fn count_claims(&self, jobs: usize, claims: &Claims) {
        let add = |outcome: &str, n: usize| self.claims.with_label_values(&[outcome]).inc_by(n as u64);
        let (taken, orphaned, suppressed) = (claims.taken.len(), claims.orphaned, claims.suppressed.len());
        add("taken", taken);
        add("orphaned", orphaned);
        add("locked", claims.locked);
        add("suppressed", suppressed);
        add(
            "not_ours",
            jobs.saturating_sub(taken + orphaned + claims.locked + suppressed),
        );
        for ended in &claims.suppressed {
            self.count_ended(ended.kind, ended.attempts, DeliveryState::Suppressed);
        }
    }

    /// Counts a parked message.
    pub fn count_parked(&self, fault: &JobFault) {
        self.parked.with_label_values(&[fault.code()]).inc();
    }

    /// Counts a settled attempt.
    pub fn count_attempt(&self, kind: SystemEmailKind, attempt: i32, ending: &Ending, state: DeliveryState) {
        self.attempts
            .with_label_values(&[kind.as_str(), ending.verdict()])
            .inc();
        if let Some(class) = ending.reason() {
            self.failures.with_label_values(&[class]).inc();
        }
        if state.has_ended() {
            self.count_ended(kind, attempt, state);
        }
    }

    /// Counts an ended delivery and its attempts.
    fn count_ended(&self, kind: SystemEmailKind, attempts: i32, state: DeliveryState) {
        self.ended.with_label_values(&[kind.as_str(), state.as_str()]).inc();
        self.attempts_each.observe(f64::from(attempts));
    }

    /// Records the time between a delivery becoming due and its claim.
    pub fn observe_wait(&self, lane: Lane, seconds: f64) {
        self.waits.with_label_values(&[lane.as_str()]).observe(seconds.max(0.0));
    }

    /// Counts a mail that the relay accepted. `is_on_time` is `None` if no time was promised.
    pub fn count_sent(&self, lane: Lane, kind: SystemEmailKind, is_first: bool, is_on_time: Option<bool>) {
        let on_time = match is_on_time {
            _ if !is_first => "retried",
            Some(false) => "false",
            Some(true) | None => "true",
        };
        self.sent
            .with_label_values(&[lane.as_str(), kind.as_str(), on_time])
            .inc();
    }

    /// Records the time from a batch's start until the first attempt of a delivery was accepted.
    pub fn observe_send(&self, lane: Lane, kind: SystemEmailKind, seconds: f64) {
        self.sends
            .with_label_values(&[lane.as_str(), kind.as_str()])
            .observe(seconds.max(0.0));
    }

    /// Records how long one mail spent in a step.
    pub fn observe_stage(&self, step: Step, time: Duration) {
        // The array has the steps in the order of their declaration.
        if let Some(stage) = self.stages.get(step as usize) {
            stage.observe(time.as_secs_f64());
        }
    }

    /// Counts one more held delivery until the guard is dropped.
    pub fn hold_delivery(&self) -> HeldDelivery {
        self.leases.inc();
        HeldDelivery(self.leases.clone())
    }

    /// Counts one more job in progress until the guard is dropped.
    pub fn in_progress(&self, lane: Lane) -> InProgress {
        let gauge = self.in_progress.with_label_values(&[lane.as_str()]);
        gauge.inc();
        InProgress(gauge)
    }
}

/// Counts a job as in progress until dropped.
pub struct InProgress(IntGauge);

impl Drop for InProgress {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Counts a delivery as held until dropped.
pub struct HeldDelivery(IntGauge);

impl Drop for HeldDelivery {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// One histogram per step, because looking one up by its label costs more than the observation.
fn stage_histograms(stages: &HistogramVec) -> [Histogram; Step::ALL.len()] {
    Step::ALL.map(|step| stages.with_label_values(&[step.as_str()]))
}

/// Failure reasons that are recorded with attempts.
fn failure_classes() -> Vec<&'static str> {
    let classes = TroubleClass::ALL.into_iter().map(TroubleClass::as_str);
    classes.chain(["unsure", "unbuildable"]).collect()
}

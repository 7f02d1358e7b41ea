//! The timings of an attempt's steps, for metrics, the log and traces (see [`shared::trace`]).

use crate::metrics::WorkerMetrics;
use crate::step::Step;
use shared::batch::Lane;
use shared::queue::queue_of;
use shared::store::claims::Claim;
use shared::store::settle::{Ending, Outcome};
use shared::trace::{Span, SpanKind, TraceContext, export, now};
use std::time::{Duration, SystemTime};

/// When a step began and ended.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    began: SystemTime,
    ended: SystemTime,
}

impl Times {
    /// The times of a step that began at `began` and ends now.
    pub fn since(began: SystemTime) -> Self {
        Self { began, ended: now() }
    }

    fn length(&self) -> Duration {
        self.ended.duration_since(self.began).unwrap_or_default()
    }
}

/// The steps of an attempt so far.
#[derive(Clone, Debug)]
pub struct Steps {
    began: SystemTime,
    taken: Vec<(Step, Times)>,
}

impl Steps {
    /// Starts the timings of an attempt.
    pub fn begin() -> Self {
        Self {
            began: now(),
            taken: Vec::with_capacity(Step::ALL.len()),
        }
    }

    /// Adds a step that has ended.
    pub fn add(&mut self, metrics: &WorkerMetrics, step: Step, times: Times) {
        metrics.observe_stage(step, times.length());
        self.taken.push((step, times));
    }

    /// How long the relay took, if it was contacted.
    pub fn relay_duration(&self) -> Option<Duration> {
        let (_, times) = self.taken.iter().find(|(step, _)| *step == Step::Send)?;
        Some(times.length())
    }

    /// Exports the spans of an ended attempt, if its trace is kept.
    pub fn emit(self, job: TraceContext, lane: Lane, claim: &Claim, outcome: &Outcome) {
        let has_ended_well = matches!(outcome.ending, Ending::Sent { .. });
        if has_ended_well && !job.is_sampled() {
            return;
        }
        export(|| {
            let here = match outcome.ending {
                // The attempt may be repeated under the same number, and this one needs no predictable span id.
                Ending::GivenBack { .. } => job.child(),
                _ => job.attempt(claim.delivery, claim.attempt),
            };
            let mut spans = vec![self.process(here, job, lane, claim, outcome)];
            spans.extend(self.taken.iter().map(|(step, times)| step.span(*times, here, outcome)));
            spans
        });
    }

    fn process(&self, here: TraceContext, job: TraceContext, lane: Lane, claim: &Claim, outcome: &Outcome) -> Span {
        let queue = queue_of(lane);
        // If the publishing was not sampled, its span does not exist.
        let parent = if job.is_sampled() { job } else { job.intake(claim.batch) };
        let name = format!("process {queue}");
        let span = Span::new(here, parent, SpanKind::Consumer, name, (self.began, now()))
            .with("messaging.system", "rabbitmq")
            .with("messaging.operation.name", "process")
            .with("messaging.operation.type", "process")
            .with("messaging.destination.name", queue)
            .with("messaging.message.conversation_id", claim.batch.to_string())
            .with("beckon.batch.id", claim.batch.to_string())
            .with("beckon.delivery.id", claim.delivery.to_string())
            .with("beckon.attempt", i64::from(claim.attempt))
            .with("beckon.kind", claim.kind.as_str())
            .with("beckon.lane", lane.as_str())
            .with("beckon.wait_seconds", claim.waited_seconds)
            .with("beckon.verdict", outcome.ending.verdict());
        let span = match &outcome.ending {
            Ending::Sent { .. } => span,
            ending => span.failed(ending.reason().unwrap_or(ending.verdict())),
        };
        if claim.attempt > 1 {
            span.linked_to(here.attempt(claim.delivery, claim.attempt - 1))
        } else {
            span
        }
    }
}

impl Step {
    /// The span of this step. The relay's answer belongs to the step that received it, without its words: those
    /// may name the recipient and are only in Postgres.
    fn span(self, times: Times, process: TraceContext, outcome: &Outcome) -> Span {
        let (is_send, when) = (self == Self::Send, (times.began, times.ended));
        let kind = if is_send { SpanKind::Client } else { SpanKind::Internal };
        let span = Span::new(process.child(), process, kind, self.as_str(), when);
        if !is_send {
            return span;
        }
        let span = span
            .with("smtp.phase", outcome.phase)
            .with_some("smtp.code", outcome.code.map(i64::from))
            .with_some("smtp.enhanced_code", outcome.enhanced_code.clone())
            .with("beckon.verdict", outcome.ending.verdict());
        match &outcome.ending {
            Ending::Sent { .. } => span,
            ending => span.failed(ending.reason().unwrap_or(ending.verdict())),
        }
    }
}

//! What is timed about an attempt, and told of it to whoever looks at traces (see
//! [`shared::trace`]).

use crate::metrics::WorkerMetrics;
use prometheus::HistogramTimer;
use shared::batch::Lane;
use shared::queue::queue_of;
use shared::store::claims::Claim;
use shared::store::settle::{Ending, Outcome};
use shared::trace::{Span, SpanKind, TraceContext, export, now};
use std::time::{Duration, SystemTime};

/// The steps of an attempt so far. Each is a stage of the metrics and a span.
pub struct Steps<'a> {
    metrics: &'a WorkerMetrics,
    began: SystemTime,
    taken: Vec<Step>,
    begun: Option<Begun>,
}

struct Begun {
    name: &'static str,
    began: SystemTime,
    timer: HistogramTimer,
}

struct Step {
    name: &'static str,
    began: SystemTime,
    ended: SystemTime,
}

impl<'a> Steps<'a> {
    /// An attempt begins.
    pub fn begin(metrics: &'a WorkerMetrics) -> Self {
        Self {
            metrics,
            began: now(),
            taken: Vec::with_capacity(6),
            begun: None,
        }
    }

    /// A step begins. It is told apart from its end, and is not a future around another: there are
    /// a thousand attempts at a time, and each would take twice the room.
    pub fn begin_step(&mut self, name: &'static str) {
        let (timer, began) = (self.metrics.stage(name), now());
        self.begun = Some(Begun { name, began, timer });
    }

    /// The step that was begun has ended.
    pub fn end_step(&mut self) {
        if let Some(Begun { name, began, timer }) = self.begun.take() {
            timer.observe_duration();
            let ended = now();
            self.taken.push(Step { name, began, ended });
        }
    }

    /// How long the relay took, if it was asked.
    pub fn at_the_relay(&self) -> Option<Duration> {
        let send = self.taken.iter().find(|step| step.name == "send")?;
        send.ended.duration_since(send.began).ok()
    }

    /// Tells of an attempt that has ended, if it is one that is kept.
    pub fn tell(self, job: TraceContext, lane: Lane, claim: &Claim, outcome: &Outcome) {
        let has_ended_well = matches!(outcome.ending, Ending::Sent { .. });
        if has_ended_well && !job.is_sampled() {
            return;
        }
        export(|| {
            let here = match outcome.ending {
                // It may be made again under the same number, and nobody will look for it.
                Ending::GivenBack { .. } => job.child(),
                _ => job.attempt(claim.delivery, claim.attempt),
            };
            let mut spans = vec![self.process(here, job, lane, claim, outcome)];
            spans.extend(self.taken.iter().map(|step| step.span(here, outcome)));
            spans
        });
    }

    fn process(&self, here: TraceContext, job: TraceContext, lane: Lane, claim: &Claim, outcome: &Outcome) -> Span {
        let queue = queue_of(lane);
        // The span of a publishing that was not to be traced is not there.
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
    /// What the relay answered stands with the step in which it did; its words stand in Postgres
    /// alone, for they may name the person.
    fn span(&self, process: TraceContext, outcome: &Outcome) -> Span {
        let (is_send, when) = (self.name == "send", (self.began, self.ended));
        let kind = if is_send { SpanKind::Client } else { SpanKind::Internal };
        let span = Span::new(process.child(), process, kind, self.name, when);
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

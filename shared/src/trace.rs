//! Trace contexts, which connect a request with the relay's answer (W3C Trace Context, OpenTelemetry).
//!
//! A batch is accepted in one request, and its mails are sent minutes or days later by other processes.
//! Little is needed to connect them: the trace id is stored with the batch, and the ids of spans that others
//! refer to are derived from the ids of their subjects. So a retry links to the previous attempt, and no span
//! id has to be stored.
//!
//! ```text
//! request ─▶ intake ─┬─▶ publish ─▶ process, attempt 1 ─▶ claim · compose · send · settle
//!                     └─▶ publish ─▶ process, attempt 2, with a link to attempt 1
//! ```
//!
//! A retry is published when it is due, hours after the previous attempt has ended, so it is not its child.
//!
//! A span is built after its step has ended, so its outcome decides whether it is kept. All requests, all
//! mails of the interactive lane, all retries and every attempt that did not succeed are kept; of bulk mails
//! that succeed at once, one in a hundred. The dispatcher decides what it can know and puts it into the job's
//! header; the worker adds failures. The sampling flag of a caller's own trace is ignored, because an
//! operator who investigates a mail has no control over it. A batch of a hundred thousand leaves some
//! thousand spans, and without a collector none is built at all.
//!
//! Spans are not derived from log spans: a mail would then be traced only at a fitting log level, and kept or
//! not before its outcome is known. They contain ids, counts, codes and our own words, and never what a user
//! or the relay has written.

mod export;
mod span;

pub use export::{Exporting, export, start};
pub use span::{Span, SpanKind, now};

use crate::batch::Lane;
use crate::job::Job;
use opentelemetry::trace::{SpanId, TraceId};
use uuid::Uuid;

/// The header that carries it, over HTTP and in a job.
pub const HEADER: &str = "traceparent";

/// Sampling of bulk mails that succeed at once: one in this many. A batch of a hundred thousand leaves a
/// thousand samples, enough to see what takes long.
const BULK_ONE_IN: u64 = 100;

/// A position in a trace: what happens next is a child of this span.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TraceContext {
    trace: TraceId,
    span: SpanId,
    is_sampled: bool,
}

impl TraceContext {
    /// The first span of a separate trace.
    pub fn fresh() -> Self {
        Self {
            trace: TraceId::from_bytes(Uuid::new_v4().into_bytes()),
            span: fresh_span(),
            is_sampled: true,
        }
    }

    /// Parses the value of a `traceparent` header, if it is well-formed.
    pub fn from_traceparent(value: &str) -> Option<Self> {
        let mut parts = value.trim().split('-');
        let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let is_hex = |text: &str, length: usize| {
            text.len() == length && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        };
        if !is_hex(version, 2) || version == "ff" || !is_hex(trace, 32) || !is_hex(span, 16) || !is_hex(flags, 2) {
            return None;
        }
        let (trace, span) = (TraceId::from_hex(trace).ok()?, SpanId::from_hex(span).ok()?);
        let is_sampled = u8::from_str_radix(flags, 16).ok()? & 1 == 1;
        (trace != TraceId::INVALID && span != SpanId::INVALID).then_some(Self {
            trace,
            span,
            is_sampled,
        })
    }

    /// The span in which a batch was accepted, from the trace id stored with it.
    pub fn of_intake(trace_id: &str, batch: Uuid) -> Self {
        Self {
            trace: TraceId::from_hex(trace_id).unwrap_or(TraceId::INVALID),
            span: span_about(batch, 0),
            is_sampled: true,
        }
    }

    /// The same position for a job, with the decision whether its attempt is traced regardless of its
    /// outcome.
    #[must_use]
    pub fn for_job(self, lane: Lane, job: Job) -> Self {
        let is_chosen = job.delivery.as_u64_pair().1.is_multiple_of(BULK_ONE_IN);
        Self {
            is_sampled: lane == Lane::Interactive || job.attempt > 1 || is_chosen,
            ..self
        }
    }

    /// A child span.
    #[must_use]
    pub fn child(self) -> Self {
        Self {
            span: fresh_span(),
            ..self
        }
    }

    /// The span of the intake of this batch, within this trace.
    #[must_use]
    pub fn intake(self, batch: Uuid) -> Self {
        Self {
            span: span_about(batch, 0),
            ..self
        }
    }

    /// The span of an attempt, within this trace.
    #[must_use]
    pub fn attempt(self, delivery: Uuid, attempt: i32) -> Self {
        Self {
            span: span_about(delivery, attempt),
            ..self
        }
    }

    /// The id of the whole trace, for the log and for Postgres: 32 hex digits.
    pub const fn trace_id(self) -> TraceId {
        self.trace
    }

    /// Whether this is traced regardless of its outcome.
    pub const fn is_sampled(self) -> bool {
        self.is_sampled
    }

    /// The `traceparent` for the next step.
    pub fn traceparent(self) -> String {
        format!("00-{}-{}-{:02x}", self.trace, self.span, u8::from(self.is_sampled))
    }
}

fn fresh_span() -> SpanId {
    SpanId::from_bytes(Uuid::new_v4().as_u64_pair().0.to_be_bytes())
}

/// The id of the span for a batch (attempt 0) or for an attempt at a delivery. The lower half of our ids is
/// random; multiplication by an odd number makes attempts differ.
fn span_about(id: Uuid, attempt: i32) -> SpanId {
    let spread = u64::from(attempt.unsigned_abs()).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    SpanId::from_bytes((id.as_u64_pair().1 ^ spread).to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_context_survives_the_header() {
        let here = TraceContext::fresh();
        let job = Job {
            delivery: Uuid::from_u128(7),
            attempt: 1,
        };
        let unsampled = here.for_job(Lane::Bulk, job);

        assert_eq!(TraceContext::from_traceparent(&here.traceparent()), Some(here));
        assert!(!unsampled.is_sampled());
        assert_eq!(
            TraceContext::from_traceparent(&unsampled.traceparent()),
            Some(unsampled)
        );
    }

    #[test]
    fn an_invalid_trace_header_is_ignored() {
        for header in [
            "",
            "00-0af7651916cd43dd8448eb211c80319c",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ] {
            assert_eq!(TraceContext::from_traceparent(header), None, "{header}");
        }
    }

    #[test]
    fn span_ids_of_a_batch_and_its_attempts_are_stable_and_distinct() {
        let (batch, delivery) = (Uuid::new_v4(), Uuid::new_v4());
        let here = TraceContext::fresh();
        let trace_id = here.trace_id().to_string();

        assert_eq!(TraceContext::of_intake(&trace_id, batch), here.intake(batch));
        let mut spans: Vec<_> = (0..60).map(|n| here.attempt(delivery, n).traceparent()).collect();
        spans.push(here.intake(batch).traceparent());
        spans.sort();
        spans.dedup();
        assert_eq!(spans.len(), 61);
        assert!(spans.iter().all(|span| span.contains(&trace_id)));
    }

    #[test]
    fn single_mails_and_retries_are_traced_and_one_in_a_hundred_of_a_bulk_batch() {
        let is_traced = |lane, delivery, attempt| {
            TraceContext::fresh()
                .for_job(lane, Job { delivery, attempt })
                .is_sampled()
        };
        let ids: Vec<Uuid> = (0..10_000_u64).map(|n| Uuid::from_u64_pair(n, n)).collect();
        let traced = |lane, attempt| ids.iter().filter(|id| is_traced(lane, **id, attempt)).count();

        assert_eq!(traced(Lane::Interactive, 1), 10_000);
        assert_eq!(traced(Lane::Bulk, 1), 100);
        assert_eq!(traced(Lane::Bulk, 2), 10_000);
    }
}

//! The span of a step of a mail.

pub use opentelemetry::trace::SpanKind;

use super::TraceContext;
use opentelemetry::trace::{Link, SpanContext, SpanId, Status, TraceFlags, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue, Value};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};
use std::borrow::Cow;
use std::time::SystemTime;

/// A step that has ended.
pub struct Span(pub(super) SpanData);

impl Span {
    /// A step within `parent`, with its start and end time.
    pub fn new(
        here: TraceContext,
        parent: TraceContext,
        kind: SpanKind,
        name: impl Into<Cow<'static, str>>,
        (began, ended): (SystemTime, SystemTime),
    ) -> Self {
        Self(SpanData {
            span_context: place(here),
            parent_span_id: parent.span,
            parent_span_is_remote: !matches!(kind, SpanKind::Internal | SpanKind::Client),
            span_kind: kind,
            name: name.into(),
            start_time: began,
            end_time: ended,
            attributes: Vec::new(),
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: Status::Unset,
            instrumentation_scope: InstrumentationScope::default(),
        })
    }

    /// The first step of its trace.
    pub fn root(here: TraceContext, kind: SpanKind, name: String, when: (SystemTime, SystemTime)) -> Self {
        let mut span = Self::new(here, here, kind, name, when);
        span.0.parent_span_id = SpanId::INVALID;
        span
    }

    /// Adds an attribute.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.0.attributes.push(KeyValue::new(name, value));
        self
    }

    /// Adds an attribute if it has a value.
    #[must_use]
    pub fn with_some(self, name: &'static str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// Adds a link to an earlier step that is not its parent.
    #[must_use]
    pub fn linked_to(mut self, before: TraceContext) -> Self {
        self.0.links.links.push(Link::with_context(place(before)));
        self
    }

    /// Marks the step as failed with this class of trouble.
    #[must_use]
    pub fn failed(mut self, class: &'static str) -> Self {
        self.0.status = Status::error(class);
        self.with("error.type", class)
    }
}

/// A span is only built if it is kept, so it is reported as sampled.
fn place(here: TraceContext) -> SpanContext {
    let state = TraceState::default();
    SpanContext::new(here.trace, here.span, TraceFlags::SAMPLED, false, state)
}

/// The wall clock, only for times that are displayed: spans, which are compared by the clocks of their
/// machines, and the time of a heartbeat. No decision depends on it.
#[expect(clippy::disallowed_methods, reason = "see above")]
pub fn now() -> SystemTime {
    SystemTime::now()
}

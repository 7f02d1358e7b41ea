//! Trace spans of requests (see [`shared::trace`]).
//!
//! Names and attributes follow OpenTelemetry's semantic conventions where they exist.

use shared::system_email::SystemEmailKind;
use shared::trace::{Span, SpanKind, TraceContext, export, now};
use std::time::SystemTime;
use uuid::Uuid;

/// A request, from its headers to those of the response.
pub struct Request<'a> {
    /// Its own trace context.
    pub here: TraceContext,
    /// The caller's trace context, if it sent one.
    pub caller: Option<TraceContext>,
    /// The method.
    pub method: &'static str,
    /// The route, as a template.
    pub route: &'a str,
    /// The response status; absent if the client disconnected first.
    pub status: Option<u16>,
    /// When the request arrived.
    pub began: SystemTime,
}

impl Request<'_> {
    /// Exports the span. A client that disconnects and a 5xx response are errors; a 4xx response is not.
    pub fn emit(self) {
        export(|| {
            let name = format!("{} {}", self.method, self.route);
            let when = (self.began, now());
            let span = match self.caller {
                Some(caller) => Span::new(self.here, caller, SpanKind::Server, name, when),
                None => Span::root(self.here, SpanKind::Server, name, when),
            };
            let span = span
                .with("http.request.method", self.method)
                .with("http.route", self.route.to_owned())
                .with_some("http.response.status_code", self.status.map(i64::from));
            vec![match self.status {
                None => span.failed("gone"),
                Some(500..) => span.failed("internal"),
                Some(_) => span,
            }]
        });
    }
}

/// Exports the span of an accepted batch.
pub fn emit_intake(request: TraceContext, batch: Uuid, kind: SystemEmailKind, mails: i32, began: SystemTime) {
    export(|| {
        let (here, when) = (request.intake(batch), (began, now()));
        vec![
            Span::new(here, request, SpanKind::Internal, "intake", when)
                .with("beckon.batch.id", batch.to_string())
                .with("beckon.kind", kind.as_str())
                .with("beckon.mails", i64::from(mails)),
        ]
    });
}

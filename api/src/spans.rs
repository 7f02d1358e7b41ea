//! What traces tell of requests (see [`shared::trace`]).
//!
//! Names and attributes are those of OpenTelemetry's conventions where they have one.

use shared::system_email::SystemEmailKind;
use shared::trace::{Span, SpanKind, TraceContext, export, now};
use std::time::SystemTime;
use uuid::Uuid;

/// A request, from its head to its answer's.
pub struct Request<'a> {
    /// Its own place.
    pub here: TraceContext,
    /// Its caller's, if that gave one.
    pub caller: Option<TraceContext>,
    /// Its method.
    pub method: &'static str,
    /// Its route, as a template.
    pub route: &'a str,
    /// The answer's status; absent when the client hung up before.
    pub status: Option<u16>,
    /// When it came.
    pub began: SystemTime,
}

impl Request<'_> {
    /// Tells of it. A client that hangs up and an answer of 5xx are failures; a refusal is not ours.
    pub fn tell(self) {
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

/// Tells that a batch was accepted.
pub fn tell_intake(request: TraceContext, batch: Uuid, kind: SystemEmailKind, mails: i32, began: SystemTime) {
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

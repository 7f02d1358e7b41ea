//! What is noted about every request: its trace, its time, its status.

use crate::problem::Problem;
use crate::state::Api;
use axum::extract::{MatchedPath, Request, State};
use axum::http::HeaderValue;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use shared::trace::{self, TraceId};
use std::any::Any;
use std::time::Instant;
use tracing::{Instrument as _, info, info_span};

/// Gives a request its trace (the caller's, or a fresh one), and counts and logs its answer.
pub async fn request(State(api): State<Api>, mut request: Request, next: Next) -> Response {
    let began = Instant::now();
    let given = request
        .headers()
        .get(trace::HEADER)
        .and_then(|value| value.to_str().ok());
    let id = given.and_then(TraceId::from_traceparent).unwrap_or_else(TraceId::fresh);
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("unmatched", MatchedPath::as_str)
        .to_owned();
    let method = request.method().clone();
    let span = info_span!("request", http.method = %method, http.route = route, trace.id = id.as_str());
    request.extensions_mut().insert(id.clone());
    api.metrics.in_flight.inc();
    let mut response = next.run(request).instrument(span.clone()).await;
    api.metrics.in_flight.dec();
    let (status, elapsed) = (response.status().as_u16(), began.elapsed());
    api.metrics
        .count_request(method.as_str(), &route, status, elapsed.as_secs_f64());
    span.in_scope(|| {
        info!(
            http.status = status,
            duration_ms = elapsed.as_secs_f64() * 1e3,
            "Answered a request"
        );
    });
    if let Ok(value) = HeaderValue::from_str(&id.traceparent()) {
        response.headers_mut().insert(trace::HEADER, value);
    }
    response
}

/// Answers for a handler that panicked.
#[expect(clippy::needless_pass_by_value, reason = "the layer hands over the box")]
pub fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    let said = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    tracing::error!(panic = said.unwrap_or("(not text)"), "A request panicked");
    Problem::internal().into_response()
}

//! Traces, counts and logs every request.
//!
//! Every request that begins is counted once and logged once. A request whose client disconnects has no status: axum
//! drops its future, so the drop of `RequestRecord` counts and logs it.

use crate::app::problem::Problem;
use crate::app::state::AppState;
use crate::http::client_address::ClientAddress;
use crate::metrics::ApiMetrics;
use crate::spans;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{Extensions, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use shared::store::audit::Actor;
use shared::trace::{self, TraceContext};
use std::any::Any;
use std::sync::Arc;
use std::time::{Instant, SystemTime};
use tracing::{Instrument as _, Span, error_span, info};

/// Takes the place of the status if the client disconnected before the response.
const GONE: &str = "gone";

/// Gives a request its trace (the caller's, or a new one), and counts and logs the response.
pub async fn log_request(State(api): State<AppState>, mut request: Request, next: Next) -> Response {
    let given = request
        .headers()
        .get(trace::HEADER)
        .and_then(|value| value.to_str().ok());
    let caller = given.and_then(TraceContext::from_traceparent);
    let here = caller.map_or_else(TraceContext::fresh, TraceContext::child);
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("unmatched", MatchedPath::as_str)
        .to_owned();
    let method = label_of(request.method());
    // The highest level, so that log lines of every level include the span.
    let span = error_span!(
        "request",
        http.method = method,
        http.route = route,
        trace.id = %here.trace_id()
    );
    request.extensions_mut().insert(here);
    let record = RequestRecord::begin(Arc::clone(&api.metrics), method, route, span.clone(), (here, caller));
    let mut response = next.run(request).instrument(span).await;
    record.answered(response.status());
    if let Ok(value) = HeaderValue::from_str(&here.traceparent()) {
        response.headers_mut().insert(trace::HEADER, value);
    }
    response
}

/// Where an unauthenticated request came from: the client's address and the trace id.
pub fn origin(extensions: &Extensions) -> Actor {
    Actor {
        client: extensions.get::<ClientAddress>().map(|client| client.0),
        request: extensions
            .get::<TraceContext>()
            .map(|trace| trace.trace_id().to_string()),
        ..Actor::unknown()
    }
}

/// A method as a label. Clients can send any word as a method, and a metric keeps every label value it has seen.
fn label_of(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// A request in progress. If it is dropped without a response, the client disconnected.
struct RequestRecord {
    metrics: Arc<ApiMetrics>,
    method: &'static str,
    route: String,
    span: Span,
    /// Its own trace context, and its caller's.
    places: (TraceContext, Option<TraceContext>),
    began: Instant,
    began_at: SystemTime,
    is_answered: bool,
}

impl RequestRecord {
    fn begin(
        metrics: Arc<ApiMetrics>,
        method: &'static str,
        route: String,
        span: Span,
        places: (TraceContext, Option<TraceContext>),
    ) -> Self {
        metrics.in_flight.inc();
        Self {
            metrics,
            method,
            route,
            span,
            places,
            began: Instant::now(),
            began_at: trace::now(),
            is_answered: false,
        }
    }

    fn answered(mut self, status: StatusCode) {
        self.is_answered = true;
        let elapsed = self.began.elapsed();
        self.metrics.count_request(self.method, &self.route, status.as_str());
        self.metrics
            .time_request(self.method, &self.route, elapsed.as_secs_f64());
        self.span.in_scope(|| {
            info!(
                http.status = status.as_u16(),
                duration_ms = elapsed.as_secs_f64() * 1e3,
                "Answered a request"
            );
        });
        self.trace(Some(status.as_u16()));
    }

    fn trace(&self, status: Option<u16>) {
        let (here, caller) = self.places;
        let request = spans::Request {
            here,
            caller,
            method: self.method,
            route: &self.route,
            status,
            began: self.began_at,
        };
        request.emit();
    }
}

impl Drop for RequestRecord {
    fn drop(&mut self) {
        self.metrics.in_flight.dec();
        if self.is_answered {
            return;
        }
        self.metrics.count_request(self.method, &self.route, GONE);
        self.span.in_scope(|| {
            info!(
                duration_ms = self.began.elapsed().as_secs_f64() * 1e3,
                "A client disconnected before the response; its request still runs to the end"
            );
        });
        self.trace(None);
    }
}

/// The response if a handler panicked.
#[expect(clippy::needless_pass_by_value, reason = "the layer hands over the box")]
pub fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    let message = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    tracing::error!(panic = message.unwrap_or("(not text)"), "A request panicked");
    Problem::internal().into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::metrics::Metrics;

    #[test]
    fn an_unknown_method_gets_no_label() {
        for made_up in ["BREW", "get", "GETT", "TRACE", "PROPFIND"] {
            assert_eq!(label_of(&made_up.parse().unwrap()), "other", "{made_up}");
        }
        for known in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
            assert_eq!(label_of(&known.parse().unwrap()), known);
        }
    }

    #[test]
    fn a_request_whose_client_disconnects_is_counted_and_not_in_flight() {
        let metrics = Arc::new(ApiMetrics::declare(&Metrics::for_process()));
        let begin = || {
            let places = (TraceContext::fresh(), None);
            RequestRecord::begin(
                Arc::clone(&metrics),
                "GET",
                "/v1/users".to_owned(),
                Span::none(),
                places,
            )
        };

        let (answered, gone) = (begin(), begin());
        assert_eq!(metrics.in_flight.get(), 2);
        answered.answered(StatusCode::OK);
        drop(gone);

        assert_eq!(metrics.in_flight.get(), 0);
        assert_eq!(metrics.requests_counted("GET", "/v1/users", "200"), 1);
        assert_eq!(metrics.requests_counted("GET", "/v1/users", GONE), 1);
    }
}

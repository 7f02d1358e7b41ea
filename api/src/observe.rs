//! What is noted about every request: its trace, its time, its status.
//!
//! Every request that begins is counted once and logged once. One whose client hangs up first has
//! no status: axum drops its future where it stands, so the noting is done by what is dropped with
//! it, `Asked`.

use crate::metrics::ApiMetrics;
use crate::problem::Problem;
use crate::state::Api;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use shared::trace::{self, TraceId};
use std::any::Any;
use std::sync::Arc;
use std::time::Instant;
use tracing::{Instrument as _, Span, info, info_span};

/// In the place of a status, when the client hung up before its answer.
const GONE: &str = "gone";

/// Gives a request its trace (the caller's, or a fresh one), and counts and logs its answer.
pub async fn request(State(api): State<Api>, mut request: Request, next: Next) -> Response {
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
    let method = label_of(request.method());
    let span = info_span!(
        "request",
        http.method = method,
        http.route = route,
        trace.id = id.as_str()
    );
    request.extensions_mut().insert(id.clone());
    let asked = Asked::begin(Arc::clone(&api.metrics), method, route, span.clone());
    let mut response = next.run(request).instrument(span).await;
    asked.answered(response.status());
    if let Ok(value) = HeaderValue::from_str(&id.traceparent()) {
        response.headers_mut().insert(trace::HEADER, value);
    }
    response
}

/// A method as a label. HTTP lets a stranger send any word as one, and a metric keeps every word
/// it was ever given.
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

/// A request that is being answered. Dropped without an answer, its client hung up.
struct Asked {
    metrics: Arc<ApiMetrics>,
    method: &'static str,
    route: String,
    span: Span,
    began: Instant,
    is_answered: bool,
}

impl Asked {
    fn begin(metrics: Arc<ApiMetrics>, method: &'static str, route: String, span: Span) -> Self {
        metrics.in_flight.inc();
        Self {
            metrics,
            method,
            route,
            span,
            began: Instant::now(),
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
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.metrics.in_flight.dec();
        if self.is_answered {
            return;
        }
        self.metrics.count_request(self.method, &self.route, GONE);
        self.span.in_scope(|| {
            info!(
                duration_ms = self.began.elapsed().as_secs_f64() * 1e3,
                "A client hung up before its answer; what it began to store goes on to its end"
            );
        });
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use shared::metrics::Metrics;

    #[test]
    fn a_made_up_method_is_no_label_of_its_own() {
        for made_up in ["BREW", "get", "GETT", "TRACE", "PROPFIND"] {
            assert_eq!(label_of(&made_up.parse().unwrap()), "other", "{made_up}");
        }
        for known in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
            assert_eq!(label_of(&known.parse().unwrap()), known);
        }
    }

    #[test]
    fn a_request_whose_client_hangs_up_is_counted_and_no_longer_in_flight() {
        let metrics = Arc::new(ApiMetrics::declare(&Metrics::for_process()));
        let begin = || Asked::begin(Arc::clone(&metrics), "GET", "/v1/users".to_owned(), Span::none());

        let (answered, gone) = (begin(), begin());
        assert_eq!(metrics.in_flight.get(), 2);
        answered.answered(StatusCode::OK);
        drop(gone);

        assert_eq!(metrics.in_flight.get(), 0);
        assert_eq!(metrics.requests_counted("GET", "/v1/users", "200"), 1);
        assert_eq!(metrics.requests_counted("GET", "/v1/users", GONE), 1);
    }
}

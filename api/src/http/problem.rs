//! Problems as `application/problem+json` (RFC 9457).
//!
//! The response contains the trace id, under which internal errors are logged, in its `traceparent` header.

use crate::app::problem::{FieldError, Problem, ProblemKind};
use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

/// The status of a kind of problem.
pub const fn status_of(kind: ProblemKind) -> StatusCode {
    match kind {
        ProblemKind::Malformed => StatusCode::BAD_REQUEST,
        ProblemKind::Unauthenticated => StatusCode::UNAUTHORIZED,
        ProblemKind::Forbidden => StatusCode::FORBIDDEN,
        ProblemKind::NotFound => StatusCode::NOT_FOUND,
        ProblemKind::UnsupportedMethod => StatusCode::METHOD_NOT_ALLOWED,
        ProblemKind::TimedOut => StatusCode::REQUEST_TIMEOUT,
        ProblemKind::Conflict => StatusCode::CONFLICT,
        ProblemKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ProblemKind::UnsupportedFormat => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ProblemKind::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
        ProblemKind::LimitReached => StatusCode::TOO_MANY_REQUESTS,
        ProblemKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        ProblemKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        ProblemKind::StorageFull => StatusCode::INSUFFICIENT_STORAGE,
    }
}

/// An error response (RFC 9457).
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody {
    /// A code for programs, as a relative reference.
    #[serde(rename = "type")]
    kind: String,
    /// The kind of problem, in a few words.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// What was wrong with this request and what to do.
    detail: String,
    /// The errors in single fields, if any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
}

impl From<&Problem> for ProblemBody {
    fn from(problem: &Problem) -> Self {
        let status = status_of(problem.kind);
        Self {
            kind: format!("/problems/{}", problem.code),
            title: status.canonical_reason().unwrap_or("Problem"),
            status: status.as_u16(),
            detail: problem.detail.clone(),
            errors: problem.errors.clone(),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (status_of(self.kind), Json(ProblemBody::from(&self))).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        // Read by the console, which renders it as a page.
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_problem_is_written_with_its_status_and_code() {
        let problem = Problem::unavailable("busy", "Other files are being imported.", 60);

        let body = serde_json::to_value(ProblemBody::from(&problem)).unwrap();

        let expected = json!({
            "type": "/problems/busy", "title": "Service Unavailable", "status": 503,
            "detail": "Other files are being imported."
        });
        assert_eq!(body, expected);
        let response = problem.into_response();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()[header::RETRY_AFTER], "60");
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
    }
}

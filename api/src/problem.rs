//! Error responses as `application/problem+json` (RFC 9457).
//!
//! A problem describes what was wrong, where, and what to do: `type` is a code for programs, `detail` a sentence for
//! people, `errors` lists the fields. Internals are not exposed: errors from Postgres are logged under the trace id
//! that the response contains.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use shared::store::StoreError;
use tracing::{error, warn};
use utoipa::ToSchema;

/// One error at one place.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct FieldError {
    /// The row of a file, where the header is row 1, or the index in an array, counted from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row: Option<u32>,
    /// The column of a file as named in its header, or the column of a line in a template.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// The field of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// A code for programs.
    pub code: String,
    /// A sentence for users.
    pub message: String,
}

impl FieldError {
    /// An error in a field of a request.
    pub fn in_field(field: &str, code: &str, message: impl Into<String>) -> Self {
        Self {
            row: None,
            column: None,
            field: Some(field.to_owned()),
            code: code.to_owned(),
            message: message.into(),
        }
    }
}

/// An error response (RFC 9457).
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Problem {
    /// A code for programs, as a relative reference.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind of problem, in a few words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What was wrong with this request and what to do.
    pub detail: String,
    /// The errors in single fields, if any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// Seconds to wait before a retry.
    #[serde(skip)]
    pub retry_after: Option<u32>,
}

impl Problem {
    /// A problem with this status and code.
    pub fn new(status: StatusCode, code: &str, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("/problems/{code}"),
            title: status.canonical_reason().unwrap_or("Problem").to_owned(),
            status: status.as_u16(),
            detail: detail.into(),
            errors: Vec::new(),
            retry_after: None,
        }
    }

    /// 422: the request is valid but cannot be carried out as it is.
    pub fn unprocessable(code: &str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail)
    }

    /// 404.
    pub fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", format!("There is no such {what}."))
    }

    /// 409: not possible in the current state.
    pub fn conflict(code: &str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, detail)
    }

    /// Adds the errors of individual fields.
    #[must_use]
    pub fn with_errors(mut self, errors: Vec<FieldError>) -> Self {
        self.errors = errors;
        self
    }

    /// 503: try again after this many seconds.
    pub fn unavailable(code: &str, detail: impl Into<String>, retry_after: u32) -> Self {
        Self {
            retry_after: Some(retry_after),
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail)
        }
    }

    /// 500: an internal failure without a more specific code.
    pub fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "An internal error occurred and has been logged. Repeating the request with the same Idempotency-Key is \
             safe.",
        )
    }
}

/// Postgres's error code for a lock that was not released within the lock timeout.
const LOCK_NOT_AVAILABLE: &str = "55P03";

impl From<StoreError> for Problem {
    /// The detail does not claim whether anything was stored, which is unknown here: a reply may have been lost, or an
    /// earlier statement of the request may have been committed.
    fn from(fault: StoreError) -> Self {
        if !fault.is_passing() {
            error!(error = ?fault, "Postgres refused a statement");
            return Self::internal();
        }
        warn!(error = ?fault, "Postgres was not available for a request");
        let answer = fault.cause().as_database_error();
        if answer.is_some_and(|answer| answer.code().as_deref() == Some(LOCK_NOT_AVAILABLE)) {
            return Self::unavailable(
                "busy",
                "Another request holds a lock that this one needs. Retry in a moment; with the same \
                 Idempotency-Key, nothing is done twice.",
                10,
            );
        }
        Self::unavailable(
            "unavailable",
            "The database does not answer. Retry in a moment; with the same Idempotency-Key, nothing is done twice.",
            2,
        )
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let retry_after = self.retry_after;
        let mut response = (status, Json(&self)).into_response();
        // Read by the console, which renders it as a page.
        response.extensions_mut().insert(self);
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

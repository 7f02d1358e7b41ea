//! Why a request was not carried out.
//!
//! A problem describes what was wrong, where, and what to do. The kind is what the caller can do about it, the code is
//! for programs, the detail is a sentence for people, and `errors` lists the fields. Internals are not exposed: errors
//! from Postgres are logged.

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

/// What the caller can do about a problem.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ProblemKind {
    /// Correct the form of the request, which cannot be read.
    Malformed,
    /// Authenticate.
    Unauthenticated,
    /// Ask for more access.
    Forbidden,
    /// Name something else: there is nothing at this address or with this id.
    NotFound,
    /// Use a method that the route supports.
    UnsupportedMethod,
    /// Send the request again: it took too long.
    TimedOut,
    /// Read the current state, which does not allow this, and decide again.
    Conflict,
    /// Send less.
    TooLarge,
    /// Send another format.
    UnsupportedFormat,
    /// Correct the values of the request, which can be read but not carried out.
    Invalid,
    /// Wait: the caller has reached its own limit.
    LimitReached,
    /// Report it: the failure is internal.
    Internal,
    /// Try again in a moment.
    Unavailable,
    /// Ask an operator to free disk space.
    StorageFull,
}

/// Why a request was not carried out.
#[derive(Clone, Debug)]
pub struct Problem {
    /// What the caller can do about it.
    pub kind: ProblemKind,
    /// A code for programs.
    pub code: String,
    /// What was wrong with this request and what to do.
    pub detail: String,
    /// The errors in single fields, if any.
    pub errors: Vec<FieldError>,
    /// Seconds to wait before a retry.
    pub retry_after: Option<u32>,
}

impl Problem {
    /// A problem of this kind with this code.
    pub fn new(kind: ProblemKind, code: &str, detail: impl Into<String>) -> Self {
        Self {
            kind,
            code: code.to_owned(),
            detail: detail.into(),
            errors: Vec::new(),
            retry_after: None,
        }
    }

    /// The request cannot be read.
    pub fn malformed(code: &str, detail: impl Into<String>) -> Self {
        Self::new(ProblemKind::Malformed, code, detail)
    }

    /// The request can be read but not carried out as it is.
    pub fn invalid(code: &str, detail: impl Into<String>) -> Self {
        Self::new(ProblemKind::Invalid, code, detail)
    }

    /// There is nothing with this id.
    pub fn not_found(what: &str) -> Self {
        Self::new(ProblemKind::NotFound, "not_found", format!("There is no such {what}."))
    }

    /// Not possible in the current state.
    pub fn conflict(code: &str, detail: impl Into<String>) -> Self {
        Self::new(ProblemKind::Conflict, code, detail)
    }

    /// Adds the errors of individual fields.
    #[must_use]
    pub fn with_errors(mut self, errors: Vec<FieldError>) -> Self {
        self.errors = errors;
        self
    }

    /// Try again after this many seconds.
    pub fn unavailable(code: &str, detail: impl Into<String>, retry_after: u32) -> Self {
        Self {
            retry_after: Some(retry_after),
            ..Self::new(ProblemKind::Unavailable, code, detail)
        }
    }

    /// The body of the request ended early.
    pub fn incomplete() -> Self {
        Self::malformed("body_unreadable", "The body ended before it was complete.")
    }

    /// An internal failure without a more specific code.
    pub fn internal() -> Self {
        Self::new(
            ProblemKind::Internal,
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
        if !fault.is_transient() {
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

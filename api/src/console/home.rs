//! Start page and unknown addresses.

use super::respond::redirect;
use crate::app::problem::Problem;
use axum::response::Response;

/// Redirects `/console` to the list of users.
pub(super) async fn show() -> Response {
    redirect("/console/users")
}

/// Redirects `/` to the console.
pub(super) async fn begin() -> Response {
    redirect("/console")
}

/// The response for unknown paths.
pub(super) async fn nothing() -> Problem {
    Problem::not_found("page")
}

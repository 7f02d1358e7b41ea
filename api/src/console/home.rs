//! Where one begins, and where there is nothing.

use super::respond::redirect;
use crate::problem::Problem;
use axum::response::Response;

/// The console's address without more leads to the people.
pub(super) async fn show() -> Response {
    redirect("/console/users")
}

/// Whoever opens the server's bare address looks for the console.
pub(super) async fn begin() -> Response {
    redirect("/console")
}

/// An address that leads nowhere.
pub(super) async fn nothing() -> Problem {
    Problem::not_found("page")
}

//! The rejected rows as a file to correct and import again.

use crate::app::problem::Problem;
use crate::app::state::AppState;
use crate::http::query::Path;
use crate::http::rejected_rows;
use axum::extract::State;
use axum::response::Response;
use uuid::Uuid;

/// Downloads them as CSV.
pub(super) async fn csv(State(api): State<AppState>, Path(id): Path<Uuid>) -> Result<Response, Problem> {
    rejected_rows::csv(api, id).await
}

/// Downloads them as a spreadsheet.
pub(super) async fn xlsx(State(api): State<AppState>, Path(id): Path<Uuid>) -> Result<Response, Problem> {
    rejected_rows::xlsx(&api, id).await
}

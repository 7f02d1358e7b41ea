//! Export of all data stored about a user, to hand to that person.

use crate::app::problem::Problem;
use crate::app::state::AppState;
use crate::app::users;
use crate::console::session::Administrator;
use crate::http::query::Path;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use uuid::Uuid;

/// Downloads the export.
pub(super) async fn download(
    State(api): State<AppState>,
    administrator: Administrator,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    let exported = users::exported(&api, id, &administrator.actor).await?;
    // Pretty-printed, because a person reads it.
    let text = serde_json::to_string_pretty(&exported).map_err(|_| Problem::internal())?;
    let headers = [
        (header::CONTENT_TYPE, "application/json".to_owned()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"user-{id}.json\""),
        ),
    ];
    Ok((headers, text).into_response())
}

//! Export of all data stored about a user, to hand to that person.

use crate::console::session::Administrator;
use crate::problem::Problem;
use crate::query::Path;
use crate::state::Api;
use crate::users;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use uuid::Uuid;

/// Downloads the export.
pub(super) async fn download(
    State(api): State<Api>,
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

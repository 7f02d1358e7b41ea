//! Saved filters: listing and deleting them.

use super::format::{Moment, moment};
use super::frame::{Frame, Section};
use super::people::View;
use super::respond::{page, redirect_with_flash};
use super::session::Administrator;
use crate::app::problem::Problem;
use crate::app::saved_filters;
use crate::app::state::AppState;
use crate::app::user_filter::words;
use crate::http::query::Path;
use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};
use shared::store::saved_filters as store;
use uuid::Uuid;

/// Routes of the pages about saved filters.
pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/console/filters", get(list))
        .route("/console/filters/{id}/delete", post(remove))
}

#[derive(Template)]
#[template(path = "console/filters.html")]
struct FiltersPage {
    frame: Frame,
    rows: Vec<Row>,
}

struct Row {
    id: Uuid,
    name: String,
    /// The query string of the list of users; `None` if the conditions cannot be read.
    query: Option<String>,
    words: String,
    by: String,
    at: Moment,
}

async fn list(State(api): State<AppState>, administrator: Administrator) -> Result<Response, Problem> {
    let saved = store::list(&api.db).await?;
    let row = |saved: store::SavedFilter| Row {
        id: saved.id,
        name: saved.name,
        words: saved
            .filter
            .as_ref()
            .map_or_else(String::new, |filter| words(filter, None).join("; ")),
        query: saved.filter.map(|filter| View::of(filter, None).query()),
        by: saved.created_by,
        at: moment(saved.created_at),
    };
    page(&FiltersPage {
        frame: administrator.frame(&api, Section::Users, "Saved filters").await,
        rows: saved.into_iter().map(row).collect(),
    })
}

async fn remove(
    State(api): State<AppState>,
    administrator: Administrator,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    saved_filters::remove(&api, id, &administrator.actor).await?;
    Ok(redirect_with_flash(
        "/console/filters",
        "The filter is deleted. Users are not affected.",
    ))
}

//! Saved filters: listing and deleting them.

use super::frame::{Frame, Place};
use super::people::View;
use super::respond::{page, redirect_with_flash};
use super::session::Administrator;
use super::words::{Moment, moment};
use crate::problem::Problem;
use crate::query::Path;
use crate::state::Api;
use crate::user_filter::words;
use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};
use shared::store::saved_filters;
use uuid::Uuid;

/// Routes of the pages about saved filters.
pub(super) fn routes() -> Router<Api> {
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

async fn list(State(api): State<Api>, administrator: Administrator) -> Result<Response, Problem> {
    let saved = saved_filters::list(&api.db).await?;
    let row = |saved: saved_filters::SavedFilter| Row {
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
        frame: administrator.frame(&api, Place::Users, "Saved filters").await,
        rows: saved.into_iter().map(row).collect(),
    })
}

async fn remove(
    State(api): State<Api>,
    administrator: Administrator,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    if !saved_filters::delete(&api.db, id, &administrator.actor).await? {
        return Err(Problem::not_found("saved filter"));
    }
    Ok(redirect_with_flash(
        "/console/filters",
        "The filter is deleted. Users are not affected.",
    ))
}

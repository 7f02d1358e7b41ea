//! Saved filters: `GET`, `POST` and `DELETE /v1/filters`.

use crate::app::caller::Caller;
use crate::app::problem::Problem;
use crate::app::saved_filters;
use crate::app::state::AppState;
use crate::app::user_filter::{FilterRequest, words};
use crate::app::validation::unusable;
use crate::http::body::JsonBody;
use crate::http::problem::ProblemBody;
use crate::http::query::Path;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use shared::store::saved_filters::{self as store, SavedFilter};
use shared::user_filter::UserFilter;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

/// A saved filter.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SavedFilterView {
    /// The id, for `saved_filter` in a batch.
    pub id: Uuid,
    /// The name.
    pub name: String,
    /// The conditions, as in `filter`; absent if a later release wrote them.
    #[schema(value_type = Option<Object>)]
    pub filter: Option<serde_json::Value>,
    /// The conditions in words.
    pub words: Vec<String>,
    /// When it was saved.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// Who saved it.
    pub created_by: String,
}

impl From<SavedFilter> for SavedFilterView {
    fn from(saved: SavedFilter) -> Self {
        Self {
            id: saved.id,
            name: saved.name,
            words: saved
                .filter
                .as_ref()
                .map(|filter| words(filter, None))
                .unwrap_or_default(),
            filter: saved.filter.map(|filter| filter.conditions()),
            created_at: saved.created_at,
            created_by: saved.created_by,
        }
    }
}

/// All saved filters.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SavedFilters {
    /// The filters by name, at most 200.
    pub items: Vec<SavedFilterView>,
}

/// A filter to save.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SaveFilterRequest {
    /// A unique name, compared without case; at most 100 characters.
    pub name: String,
    /// The conditions, as in `GET /v1/users`; at least one.
    pub filter: FilterRequest,
}

/// Lists the saved filters, from the API and the console.
#[utoipa::path(get, path = "/v1/filters", tag = "filters", responses((status = 200, body = SavedFilters)))]
pub async fn list(State(api): State<AppState>) -> Result<Json<SavedFilters>, Problem> {
    let found = store::list(&api.db).await?;
    Ok(Json(SavedFilters {
        items: found.into_iter().map(SavedFilterView::from).collect(),
    }))
}

/// Saves a filter under a name, shared by all administrators and API keys. It is evaluated on each use, so it also
/// matches users imported later.
#[utoipa::path(post, path = "/v1/filters", tag = "filters", request_body = SaveFilterRequest,
    responses((status = 201, body = SavedFilterView), (status = 409, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub async fn create(
    State(api): State<AppState>,
    caller: Caller,
    body: JsonBody<SaveFilterRequest>,
) -> Result<(StatusCode, Json<SavedFilterView>), Problem> {
    let SaveFilterRequest { name, filter } = body.value;
    let filter = UserFilter::try_from(filter).map_err(|mut fault| {
        fault.field = fault.field.map(|field| format!("filter.{field}"));
        unusable(fault)
    })?;
    let saved = saved_filters::save(&api, &name, &filter, &caller.actor).await?;
    Ok((StatusCode::CREATED, Json(saved.into())))
}

/// Deletes a saved filter. Users and batches do not change.
#[utoipa::path(delete, path = "/v1/filters/{id}", tag = "filters",
    responses((status = 204), (status = 404, body = ProblemBody)))]
pub async fn remove(State(api): State<AppState>, caller: Caller, Path(id): Path<Uuid>) -> Result<StatusCode, Problem> {
    saved_filters::remove(&api, id, &caller.actor).await?;
    Ok(StatusCode::NO_CONTENT)
}

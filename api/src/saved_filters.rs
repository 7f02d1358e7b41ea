//! Saved filters: `GET`, `POST` and `DELETE /v1/filters`.

use crate::body::{JsonBody, without_controls};
use crate::caller::Caller;
use crate::problem::{FieldError, Problem};
use crate::query::Path;
use crate::state::Api;
use crate::user_filter::{FilterRequest, require_known_fields, words};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use shared::store::audit::Actor;
use shared::store::saved_filters::{self, Saved, SavedFilter};
use shared::user_filter::UserFilter;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

/// Maximum length of a name in characters.
pub(crate) const NAME_MOST: usize = 100;

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
pub async fn list(State(api): State<Api>) -> Result<Json<SavedFilters>, Problem> {
    let found = saved_filters::list(&api.db).await?;
    Ok(Json(SavedFilters {
        items: found.into_iter().map(SavedFilterView::from).collect(),
    }))
}

/// Saves a filter under a name, shared by all administrators and API keys. It is evaluated on each use, so it also
/// matches users imported later.
#[utoipa::path(post, path = "/v1/filters", tag = "filters", request_body = SaveFilterRequest,
    responses((status = 201, body = SavedFilterView), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn create(
    State(api): State<Api>,
    caller: Caller,
    body: JsonBody<SaveFilterRequest>,
) -> Result<(StatusCode, Json<SavedFilterView>), Problem> {
    let SaveFilterRequest { name, filter } = body.value;
    let filter = UserFilter::try_from(filter).map_err(|mut fault| {
        fault.field = fault.field.map(|field| format!("filter.{field}"));
        unusable(fault)
    })?;
    let saved = save(&api, &name, &filter, &caller.actor).await?;
    Ok((StatusCode::CREATED, Json(saved.into())))
}

/// Deletes a saved filter. Users and batches do not change.
#[utoipa::path(delete, path = "/v1/filters/{id}", tag = "filters",
    responses((status = 204), (status = 404, body = Problem)))]
pub async fn remove(State(api): State<Api>, caller: Caller, Path(id): Path<Uuid>) -> Result<StatusCode, Problem> {
    if saved_filters::delete(&api.db, id, &caller.actor).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Problem::not_found("saved filter"))
    }
}

/// Saves a filter.
///
/// # Errors
///
/// 422 if the name or the filter cannot be saved, 409 if the name is taken.
pub(crate) async fn save(api: &Api, name: &str, filter: &UserFilter, actor: &Actor) -> Result<SavedFilter, Problem> {
    let name = name.trim();
    let fault = |code: &str, message: String| Err(unusable(FieldError::in_field("name", code, message)));
    without_controls("name", name).map_err(unusable)?;
    if name.is_empty() {
        return fault("blank", "The filter has no name. Give it one.".to_owned());
    }
    if name.chars().count() > NAME_MOST {
        return fault("too_long", format!("name has more than {NAME_MOST} characters."));
    }
    if filter.is_empty() {
        let message = "The filter has no condition, so it would match all users. Add one.";
        return Err(unusable(FieldError::in_field("filter", "empty", message)));
    }
    require_known_fields(api, filter, StatusCode::UNPROCESSABLE_ENTITY).await?;
    match saved_filters::save(&api.db, name, filter, actor).await? {
        Saved::New(id) => saved_filters::find(&api.db, id).await?.ok_or_else(Problem::internal),
        Saved::NameTaken => Err(Problem::new(
            StatusCode::CONFLICT,
            "name_taken",
            format!("A filter with the name ‘{name}’ already exists. Choose another name."),
        )),
        Saved::TooMany => Err(Problem::new(
            StatusCode::CONFLICT,
            "too_many_filters",
            format!(
                "{} filters are saved, which is the maximum. Delete one first.",
                saved_filters::KEPT_MOST
            ),
        )),
    }
}

fn unusable(fault: FieldError) -> Problem {
    Problem::unprocessable("invalid_request", fault.message.clone()).with_errors(vec![fault])
}

/// The conditions of a saved filter.
///
/// # Errors
///
/// 404 if there is no such filter, or its conditions cannot be read.
pub(crate) async fn conditions_of(api: &Api, id: Uuid) -> Result<UserFilter, Problem> {
    let saved = saved_filters::find(&api.db, id).await?;
    saved
        .and_then(|saved| saved.filter)
        .ok_or_else(|| Problem::not_found("saved filter"))
}

//! Reads the `exclude` of a batch: saved filters and do-not-mail lists whose users are left out.

use crate::app::listed::Listed;
use crate::app::problem::{FieldError, Problem};
use crate::app::state::AppState;
use crate::app::validation::{not_null, unusable};
use serde::Deserialize;
use shared::store::exclusion::{ExcludedFilter, Exclusion};
use shared::store::{do_not_mail, saved_filters};
use utoipa::ToSchema;
use uuid::Uuid;

/// Maximum number of ids in a list: the maximum number of saved filters.
const MAX_IDS: usize = 200;

/// Users to leave out. Needs at least one filter or list.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExcludeRequest {
    /// Ids of saved filters: the users who match one of them now are left out (`excluded_by_filter`).
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = Vec<Uuid>, required = false, min_items = 1)]
    pub saved_filters: Option<Listed<Uuid, MAX_IDS>>,
    /// Ids of do-not-mail lists: the users on one of them are left out (`do_not_mail`), as are those on lists that are
    /// marked `always`.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = Vec<Uuid>, required = false, min_items = 1)]
    pub do_not_mail_lists: Option<Listed<Uuid, MAX_IDS>>,
}

/// Reads the exclusion of a request.
///
/// # Errors
///
/// If it names nothing, or a filter or list that does not exist.
pub(crate) async fn read(api: &AppState, request: Option<ExcludeRequest>) -> Result<Exclusion, Problem> {
    let Some(request) = request else {
        return Ok(Exclusion::default());
    };
    let filters = ids("exclude.saved_filters", request.saved_filters)?;
    let lists = ids("exclude.do_not_mail_lists", request.do_not_mail_lists)?;
    if filters.is_empty() && lists.is_empty() {
        let message = "exclude names no filter and no list. Name one, or omit exclude.";
        return Err(unusable(FieldError::in_field("exclude", "empty", message)));
    }
    let exclusion = known(api, &filters, &lists).await?;
    let missing = |id: &&Uuid| !exclusion.filters.iter().any(|filter| filter.id == **id);
    if let Some(id) = filters.iter().find(missing) {
        let message = format!("There is no saved filter with the id {id}.");
        return Err(unusable(FieldError::in_field(
            "exclude.saved_filters",
            "unknown_filter",
            message,
        )));
    }
    if let Some(id) = lists.iter().find(|id| !exclusion.lists.contains(id)) {
        let message = format!("There is no do-not-mail list with the id {id}.");
        return Err(unusable(FieldError::in_field(
            "exclude.do_not_mail_lists",
            "unknown_list",
            message,
        )));
    }
    Ok(exclusion)
}

/// Those of these filters and lists that exist and can be read.
pub(crate) async fn known(api: &AppState, filters: &[Uuid], lists: &[Uuid]) -> Result<Exclusion, Problem> {
    let mut exclusion = Exclusion::default();
    if !filters.is_empty() {
        let saved = saved_filters::list(&api.db).await?.into_iter();
        let named = saved.filter(|saved| filters.contains(&saved.id));
        let readable = named.filter_map(|saved| {
            Some(ExcludedFilter {
                id: saved.id,
                name: saved.name,
                filter: saved.filter?,
            })
        });
        exclusion.filters = readable.collect();
    }
    if !lists.is_empty() {
        exclusion.lists = do_not_mail::existing(&api.db, lists).await?;
    }
    Ok(exclusion)
}

fn ids(field: &str, listed: Option<Listed<Uuid, MAX_IDS>>) -> Result<Vec<Uuid>, Problem> {
    let Some(listed) = listed else { return Ok(Vec::new()) };
    if listed.is_empty() {
        let message = format!("{field} is empty. Name at least one, or omit it.");
        return Err(unusable(FieldError::in_field(field, "empty", message)));
    }
    if listed.is_too_long() {
        let message = format!("{field} has {} ids; the maximum is {MAX_IDS}.", listed.len());
        return Err(unusable(FieldError::in_field(field, "too_many", message)));
    }
    Ok(listed.into_entries())
}

//! Saved filters: conditions on users under a name, evaluated on each use.

use crate::app::problem::{FieldError, Problem, ProblemKind};
use crate::app::state::AppState;
use crate::app::user_filter::require_known_fields;
use crate::app::validation::{unusable, without_controls};
use shared::store::audit::Actor;
use shared::store::saved_filters::{self, Saved, SavedFilter};
use shared::user_filter::UserFilter;
use uuid::Uuid;

/// Maximum length of a name in characters.
pub(crate) const MAX_NAME: usize = 100;

/// Saves a filter.
///
/// # Errors
///
/// If the name or the filter cannot be saved, or the name is taken.
pub(crate) async fn save(
    api: &AppState,
    name: &str,
    filter: &UserFilter,
    actor: &Actor,
) -> Result<SavedFilter, Problem> {
    let name = name.trim();
    let fault = |code: &str, message: String| Err(unusable(FieldError::in_field("name", code, message)));
    without_controls("name", name).map_err(unusable)?;
    if name.is_empty() {
        return fault("blank", "The filter has no name. Give it one.".to_owned());
    }
    if name.chars().count() > MAX_NAME {
        return fault("too_long", format!("name has more than {MAX_NAME} characters."));
    }
    if filter.is_empty() {
        let message = "The filter has no condition, so it would match all users. Add one.";
        return Err(unusable(FieldError::in_field("filter", "empty", message)));
    }
    require_known_fields(api, filter, ProblemKind::Invalid).await?;
    match saved_filters::save(&api.db, name, filter, actor).await? {
        Saved::New(id) => saved_filters::find(&api.db, id).await?.ok_or_else(Problem::internal),
        Saved::NameTaken => Err(Problem::conflict(
            "name_taken",
            format!("A filter with the name ‘{name}’ already exists. Choose another name."),
        )),
        Saved::TooMany => Err(Problem::conflict(
            "too_many_filters",
            format!(
                "{} filters are saved, which is the maximum. Delete one first.",
                saved_filters::MAX_FILTERS
            ),
        )),
    }
}

/// Deletes a filter.
///
/// # Errors
///
/// If there is no such filter.
pub(crate) async fn remove(api: &AppState, id: Uuid, actor: &Actor) -> Result<(), Problem> {
    if saved_filters::delete(&api.db, id, actor).await? {
        Ok(())
    } else {
        Err(Problem::not_found("saved filter"))
    }
}

/// The conditions of a saved filter.
///
/// # Errors
///
/// If there is no such filter, or its conditions cannot be read.
pub(crate) async fn conditions_of(api: &AppState, id: Uuid) -> Result<UserFilter, Problem> {
    let saved = saved_filters::find(&api.db, id).await?;
    saved
        .and_then(|saved| saved.filter)
        .ok_or_else(|| Problem::not_found("saved filter"))
}

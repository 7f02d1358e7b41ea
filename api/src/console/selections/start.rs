//! Starts a selection: from an import, one user, an earlier selection, or all users.
//!
//! These are plain links: they send nothing and change nothing visible. They only create a selection, which is deleted
//! after a week if it is not sent.

use super::load_selection;
use crate::app::problem::Problem;
use crate::app::state::AppState;
use crate::console::people::Preset;
use crate::console::respond::redirect;
use crate::console::session::Administrator;
use crate::http::query::Query;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use shared::store::{selections, users_in_bulk};
use shared::system_email::SystemEmailKind;
use shared::user_filter::UserFilter;
use uuid::Uuid;

/// The users to start with: exactly one of `import`, `user`, `again` and `everyone`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::console) struct StartQuery {
    /// The system email.
    kind: Option<SystemEmailKind>,
    /// Users of this import who have not been sent it yet.
    import: Option<Uuid>,
    /// One user.
    user: Option<Uuid>,
    /// Users of an earlier selection.
    again: Option<Uuid>,
    /// If `true`, all users who have not been sent it yet.
    everyone: Option<bool>,
}

/// Creates the selection and redirects to the next step.
pub(in crate::console) async fn begin(
    State(api): State<AppState>,
    administrator: Administrator,
    Query(beginning): Query<StartQuery>,
) -> Result<Response, Problem> {
    let ids = [beginning.import, beginning.user, beginning.again];
    let given = ids.iter().flatten().count() + usize::from(beginning.everyone == Some(true));
    if given != 1 {
        return Err(Problem::malformed(
            "selector_missing",
            "This link does not select any users. Select them on the page “Users”.",
        ));
    }
    if let Some(other) = beginning.again {
        let copied = selections::copy(&api.db, administrator.id, other).await?;
        let id = copied.ok_or_else(|| Problem::not_found("selection"))?;
        return Ok(redirect(&format!("/console/selections/{id}/preview")));
    }
    let kind = beginning.kind.unwrap_or(SystemEmailKind::Invite);
    let id = selections::create(&api.db, administrator.id, Some(kind)).await?;
    let found = selections::find(&api.db, administrator.id, id).await?;
    let mut selection = found.ok_or_else(Problem::internal)?;
    if let Some(user) = beginning.user {
        crate::app::users::get(&api, user).await?;
        selection.picked = vec![user];
        selections::change(&api.db, &selection).await?;
        return load_selection::save_and_redirect(&api, selection, None, "check").await;
    }
    let preset = match kind {
        SystemEmailKind::Invite => Preset::NotInvited,
        SystemEmailKind::PasswordReset => Preset::NotSignedIn,
    };
    let filter = UserFilter {
        import: beginning.import,
        ..preset.filter()
    };
    let matching = users_in_bulk::count(&api.db, &filter).await?;
    selection.matching = i32::try_from(matching).unwrap_or(i32::MAX);
    selection.filter = Some(filter);
    selections::change(&api.db, &selection).await?;
    Ok(redirect(&format!("/console/selections/{id}")))
}

//! Do-not-mail lists.
//!
//! A list contains addresses, which need not be those of users. A batch leaves out the users on the lists that it
//! names, and on every list that is marked `always`.

pub(crate) mod download;
pub(crate) mod upload;

use crate::app::problem::Problem;
use crate::app::state::AppState;
use shared::store::audit::Actor;
use shared::store::do_not_mail::{self, DoNotMailList};
use tracing::info;
use uuid::Uuid;

/// The list with this id.
///
/// # Errors
///
/// If there is no such list.
pub(crate) async fn get(api: &AppState, id: Uuid) -> Result<DoNotMailList, Problem> {
    do_not_mail::find(&api.db, id).await?.ok_or_else(no_list)
}

fn no_list() -> Problem {
    Problem::not_found("do-not-mail list")
}

/// Removes an address from a list. Returns `false` if it is not on it.
pub(crate) async fn remove(api: &AppState, id: Uuid, key: &str, actor: &Actor) -> Result<bool, Problem> {
    Ok(do_not_mail::remove(&api.db, id, key, actor).await?)
}

/// Sets whether every batch leaves out the users on a list.
///
/// # Errors
///
/// If there is no such list.
pub(crate) async fn set_always(api: &AppState, id: Uuid, always: bool, actor: &Actor) -> Result<(), Problem> {
    if !do_not_mail::set_always(&api.db, id, always, actor).await? {
        return Err(no_list());
    }
    Ok(())
}

/// Deletes a list.
///
/// # Errors
///
/// If there is no such list.
pub(crate) async fn delete_list(api: &AppState, id: Uuid, actor: &Actor) -> Result<(), Problem> {
    if !do_not_mail::delete(&api.db, id, actor).await? {
        return Err(no_list());
    }
    info!(list.id = %id, "Deleted a do-not-mail list");
    Ok(())
}

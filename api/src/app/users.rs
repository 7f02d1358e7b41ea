//! Users: changing, locking, exporting and deleting them.

pub mod change;
pub mod lock;

use crate::app::problem::Problem;
use crate::app::state::AppState;
use change::{ChangeRequest, read_change};
use serde_json::Value;
use shared::store::audit::Actor;
use shared::store::users::{self, Change, Changed, Ended, User};
use shared::user_filter::Access;
use tracing::info;
use uuid::Uuid;

/// How far a user has come in.
pub fn access_state(user: &User) -> Access {
    if user.has_chosen {
        Access::OwnPassword
    } else if user.signed_in_at.is_some() {
        Access::SignedIn
    } else if user.password_has_expired {
        Access::PasswordExpired
    } else if user.password_expires_at.is_some() {
        Access::PasswordMailed
    } else {
        Access::None
    }
}

/// The user with this id.
///
/// # Errors
///
/// If there is no such user.
pub async fn get(api: &AppState, id: Uuid) -> Result<User, Problem> {
    users::find(&api.db, id)
        .await?
        .ok_or_else(|| Problem::not_found("user"))
}

/// Changes a user as a request asks for, and returns what the change ended.
///
/// # Errors
///
/// If the request is invalid, there is no such user, or another user has the address.
pub async fn change(api: &AppState, id: Uuid, request: ChangeRequest, actor: &Actor) -> Result<Ended, Problem> {
    let (change, names) = read_change(request)?;
    get(api, id).await?;
    match apply(api, id, change, names, actor).await? {
        Changed::Done(ended) => Ok(ended),
        Changed::Unknown => Err(Problem::not_found("user")),
        Changed::AddressTaken => Err(Problem::conflict(
            "address_taken",
            "Another user has this address. Change or delete that user first.",
        )),
    }
}

/// Applies a change that sets merge fields of these names.
///
/// # Errors
///
/// If Postgres is unavailable.
pub async fn apply(
    api: &AppState,
    id: Uuid,
    change: Change,
    names: Vec<String>,
    actor: &Actor,
) -> Result<Changed, Problem> {
    // Before the values: a name without a value is harmless, but a value whose name no system email may use is
    // lost.
    users::record_fields(&api.db, &names).await?;
    let changed = users::change(&api.db, id, &change, actor).await?;
    if let Changed::Done(_) = changed {
        info!(user.id = %id, "Changed a user");
    }
    Ok(changed)
}

/// Exports everything stored about the user with this id. The audit log records who exported it.
///
/// # Errors
///
/// If there is no such user.
pub async fn exported(api: &AppState, id: Uuid, actor: &Actor) -> Result<Value, Problem> {
    let exported = users::export(&api.db, id, actor)
        .await?
        .ok_or_else(|| Problem::not_found("user"))?;
    info!(user.id = %id, "Exported a user");
    Ok(exported)
}

/// Deletes a user and everything that identifies them.
///
/// # Errors
///
/// If there is no such user.
pub async fn delete(api: &AppState, id: Uuid, actor: &Actor) -> Result<(), Problem> {
    if !users::delete(&api.db, id, actor).await? {
        return Err(Problem::not_found("user"));
    }
    info!(user.id = %id, "Deleted a user");
    Ok(())
}

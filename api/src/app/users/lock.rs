//! Locking and unlocking a user.

use crate::app::problem::Problem;
use crate::app::state::AppState;
use shared::store::audit::Actor;
use shared::store::users::lock::{self, Locked};
use tracing::info;
use uuid::Uuid;

/// Locks a user and records the action of `actor` in the audit log.
///
/// # Errors
///
/// If there is no such user.
pub async fn lock_user(api: &AppState, actor: &Actor, id: Uuid) -> Result<Locked, Problem> {
    let locked = lock::lock(&api.db, id, actor).await?;
    let locked = locked.ok_or_else(|| Problem::not_found("user"))?;
    info!(user.id = %id, "Locked a user");
    Ok(locked)
}

/// Unlocks a user and records the action of `actor` in the audit log. Returns whether the user was locked.
///
/// # Errors
///
/// If there is no such user.
pub async fn unlock_user(api: &AppState, actor: &Actor, id: Uuid) -> Result<bool, Problem> {
    let unlocked = lock::unlock(&api.db, id, actor).await?;
    let was_locked = unlocked.ok_or_else(|| Problem::not_found("user"))?;
    info!(user.id = %id, "Unlocked a user");
    Ok(was_locked)
}

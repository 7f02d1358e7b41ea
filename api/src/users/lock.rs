//! Locking and unlocking a user.

use crate::caller::Caller;
use crate::problem::Problem;
use crate::query::Path;
use crate::state::Api;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use shared::store::audit::Actor;
use shared::store::users::Ended;
use shared::store::users::lock::{self, Locked};
use time::OffsetDateTime;
use tracing::info;
use utoipa::ToSchema;
use uuid::Uuid;

/// What ended with a change or a lock.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct EndedView {
    /// Number of passwords that were ended.
    pub passwords_ended: i64,
    /// Number of waiting password emails that were cancelled.
    pub mails_cancelled: i64,
    /// Number of password emails that a worker was sending. They are cancelled when their attempt ends. One that the
    /// mail server accepts before is sent, but its password does not work.
    pub mails_in_hand: i64,
}

impl From<Ended> for EndedView {
    fn from(ended: Ended) -> Self {
        Self {
            passwords_ended: ended.passwords,
            mails_cancelled: ended.mails.cancelled,
            mails_in_hand: ended.mails.in_hand,
        }
    }
}

/// A locked user.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LockedView {
    /// Who.
    pub user: Uuid,
    /// Since when.
    #[serde(with = "time::serde::rfc3339")]
    pub locked_at: OffsetDateTime,
    /// What the lock ended; all 0 if the user was already locked.
    #[serde(flatten)]
    pub ended: EndedView,
}

/// An unlocked user.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct UnlockedView {
    /// Who.
    pub user: Uuid,
    /// Whether they were locked until now.
    pub was_locked: bool,
}

/// Locks a user. All their passwords end, including the one they chose, and waiting password emails are cancelled.
/// Until they are unlocked, they are left out of password emails (`user_locked`). Has no effect on a locked user.
#[utoipa::path(post, path = "/v1/users/{id}/lock", tag = "users",
    responses((status = 200, body = LockedView), (status = 404, body = Problem)))]
pub async fn lock(State(api): State<Api>, caller: Caller, Path(id): Path<Uuid>) -> Result<Json<LockedView>, Problem> {
    let locked = lock_for(&api, &caller.actor, id).await?;
    Ok(Json(LockedView {
        user: id,
        locked_at: locked.at,
        ended: locked.ended.into(),
    }))
}

/// Unlocks a user. Their passwords are not restored: send them a password email. Has no effect on a user who is not
/// locked.
#[utoipa::path(post, path = "/v1/users/{id}/unlock", tag = "users",
    responses((status = 200, body = UnlockedView), (status = 404, body = Problem)))]
pub async fn unlock(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> Result<Json<UnlockedView>, Problem> {
    let was_locked = unlock_for(&api, &caller.actor, id).await?;
    Ok(Json(UnlockedView { user: id, was_locked }))
}

/// Locks a user and records the action of `actor` in the audit log.
///
/// # Errors
///
/// 404 if there is no such user.
pub async fn lock_for(api: &Api, actor: &Actor, id: Uuid) -> Result<Locked, Problem> {
    let (db, actor) = (api.db.clone(), actor.clone());
    let locked = api
        .to_the_end(async move { Ok(lock::lock(&db, id, &actor).await?) })
        .await?;
    let locked = locked.ok_or_else(|| Problem::not_found("user"))?;
    info!(user.id = %id, "Locked a user");
    Ok(locked)
}

/// Unlocks a user and records the action of `actor` in the audit log. Returns whether the user was locked.
///
/// # Errors
///
/// 404 if there is no such user.
pub async fn unlock_for(api: &Api, actor: &Actor, id: Uuid) -> Result<bool, Problem> {
    let (db, actor) = (api.db.clone(), actor.clone());
    let unlocked = api
        .to_the_end(async move { Ok(lock::unlock(&db, id, &actor).await?) })
        .await?;
    let was_locked = unlocked.ok_or_else(|| Problem::not_found("user"))?;
    info!(user.id = %id, "Unlocked a user");
    Ok(was_locked)
}

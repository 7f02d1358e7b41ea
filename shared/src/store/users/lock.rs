//! Users who can neither sign in nor be sent a password.

use super::Ended;
use crate::store::audit::{Action, Actor, AuditEntry};
use crate::store::credentials::{CancelReason, cancel_owed, end_all};
use crate::store::known_clients::forget_clients;
use crate::store::{Db, StoreResult, begin, commit, despite_deadlocks, within};
use serde_json::json;
use time::OffsetDateTime;
use uuid::Uuid;

/// A user who is locked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Locked {
    /// Since when.
    pub at: OffsetDateTime,
    /// Whether they were locked before.
    pub was_locked: bool,
    /// What ended with it.
    pub ended: Ended,
}

/// Locks a user, ends their passwords, cancels their pending password mails, and records that `actor` did. Returns
/// `None` if there is no such user.
pub async fn lock(db: &Db, id: Uuid, actor: &Actor) -> StoreResult<Option<Locked>> {
    despite_deadlocks(|| lock_once(db, id, actor)).await
}

async fn lock_once(db: &Db, id: Uuid, actor: &Actor) -> StoreResult<Option<Locked>> {
    let mut transaction = begin(db).await?;
    // Waits for verifiers that are being stored for them, and for a password they are choosing.
    let reading = sqlx::query!("select locked_at from users where id = $1 for update", id);
    let found = within(reading.fetch_optional(&mut *transaction)).await?;
    let Some(user) = found else { return Ok(None) };
    if let Some(at) = user.locked_at {
        return Ok(Some(Locked {
            at,
            was_locked: true,
            ended: Ended::default(),
        }));
    }
    let changing = sqlx::query!(
        r#"update users set locked_at = now() where id = $1 returning locked_at as "at!""#,
        id
    );
    let row = within(changing.fetch_one(&mut *transaction)).await?;
    let mails = cancel_owed(&mut transaction, &[id], CancelReason::UserLocked).await?;
    let passwords = end_all(&mut transaction, id).await?;
    forget_clients(&mut transaction, &[id]).await?;
    AuditEntry::new(actor, Action::UserLocked)
        .subject("user", id)
        .details(json!({
            "passwords_ended": passwords, "mails_cancelled": mails.cancelled, "mails_in_hand": mails.in_hand
        }))
        .record(&mut transaction)
        .await?;
    commit(transaction).await?;
    Ok(Some(Locked {
        at: row.at,
        was_locked: false,
        ended: Ended { passwords, mails },
    }))
}

/// Unlocks a user, who can then be sent passwords again, and records that `actor` did. Passwords that ended with the
/// lock stay ended. Returns whether the user was locked, or `None` if there is no such user.
pub async fn unlock(db: &Db, id: Uuid, actor: &Actor) -> StoreResult<Option<bool>> {
    let mut transaction = begin(db).await?;
    let reading = sqlx::query!("select locked_at from users where id = $1 for update", id);
    let found = within(reading.fetch_optional(&mut *transaction)).await?;
    let Some(user) = found else { return Ok(None) };
    if user.locked_at.is_none() {
        return Ok(Some(false));
    }
    let changing = sqlx::query!("update users set locked_at = null where id = $1", id);
    within(changing.execute(&mut *transaction)).await?;
    AuditEntry::new(actor, Action::UserUnlocked)
        .subject("user", id)
        .record(&mut transaction)
        .await?;
    commit(transaction).await?;
    Ok(Some(true))
}

//! Revoking mailed passwords: an email cannot be recalled, but the password in it can be revoked.

use crate::app::problem::{FieldError, Problem};
use crate::app::state::AppState;
use serde::Serialize;
use shared::store::audit::{Action, Actor, AuditEntry};
use shared::store::credentials::{self, Scope};
use shared::store::{Db, batches, begin, commit, sweeps, users};
use utoipa::ToSchema;
use uuid::Uuid;

/// Maximum number of unknown ids that the error lists.
const MAX_UNKNOWN: i64 = 100;

/// The result of a revocation.
#[derive(Debug, Serialize, ToSchema)]
pub struct Revoked {
    /// Number of passwords that were revoked.
    pub revoked: i64,
    /// Number of passwords that still work: mailed passwords that were used (0 with `include_used`), and passwords that
    /// the users chose; for a batch, those chosen after its email.
    pub already_used: i64,
    /// Number of waiting password emails that were cancelled: the rest of the batch, or those to the users.
    pub mails_cancelled: i64,
    /// Number of password emails that a worker was sending. They are cancelled when their attempt ends. One that the
    /// mail server accepts before is sent, but its password does not work.
    pub mails_in_hand: i64,
}

/// Whose mailed passwords to revoke.
#[derive(Clone, Debug)]
pub enum RevokeTarget {
    /// Those mailed by this batch.
    Batch(Uuid),
    /// Those of these users.
    Users(Vec<Uuid>),
}

impl RevokeTarget {
    fn scope(&self) -> Scope<'_> {
        match self {
            Self::Batch(batch) => Scope::Batch(*batch),
            Self::Users(users) => Scope::Users(users),
        }
    }
}

/// Revokes mailed passwords and records the action of `actor` in the audit log.
///
/// # Errors
///
/// If the batch or one of the users is unknown. After any error, no password was revoked.
pub async fn revoke_passwords(
    api: &AppState,
    actor: &Actor,
    target: RevokeTarget,
    include_used: bool,
) -> Result<Revoked, Problem> {
    require_known(&api.db, &target).await?;
    let mut transaction = begin(&api.db).await?;
    let done = credentials::revoke(
        &mut transaction,
        target.scope(),
        include_used,
        &format!("Stopped by {}", actor.name),
    )
    .await?;
    let (batch, users) = match &target {
        RevokeTarget::Batch(batch) => (Some(*batch), 0),
        RevokeTarget::Users(users) => (None, users.len()),
    };
    let stopped_batch = batch.filter(|_| done.has_stopped_batch);
    if let Some(batch) = stopped_batch {
        AuditEntry::new(actor, Action::BatchStopped)
            .subject("batch", batch)
            .record(&mut transaction)
            .await?;
    }
    let mut entry = AuditEntry::new(actor, Action::PasswordsRevoked);
    if let Some(batch) = batch {
        entry = entry.subject("batch", batch);
    }
    entry
        .details(serde_json::json!({
            "users": users, "revoked": done.revoked, "already_used": done.already_used,
            "include_used": include_used, "mails_cancelled": done.mails.cancelled,
            "mails_in_hand": done.mails.in_hand
        }))
        .record(&mut transaction)
        .await?;
    commit(transaction).await?;
    let mut answer = Revoked {
        revoked: done.revoked,
        already_used: done.already_used,
        mails_cancelled: done.mails.cancelled,
        mails_in_hand: done.mails.in_hand,
    };
    if let Some(batch) = stopped_batch {
        answer.mails_cancelled += sweeps::cancel_rest(&api.db, batch).await?;
    }
    Ok(answer)
}

async fn require_known(db: &Db, target: &RevokeTarget) -> Result<(), Problem> {
    let unknown = match target {
        RevokeTarget::Batch(batch) => {
            let found = batches::find(db, *batch).await?;
            return found.map(|_| ()).ok_or_else(|| Problem::not_found("batch"));
        }
        RevokeTarget::Users(users) => users::unknown(db, users, MAX_UNKNOWN).await?,
    };
    if unknown.is_empty() {
        return Ok(());
    }
    let unknown_user = |id: Uuid| FieldError::in_field("users", "unknown_user", format!("No user has the id {id}."));
    Err(Problem::not_found("user").with_errors(unknown.into_iter().map(unknown_user).collect()))
}

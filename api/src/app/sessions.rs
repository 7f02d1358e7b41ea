//! Sessions of administrators: how they begin, continue and end.

use crate::app::caller::Caller;
use crate::app::problem::{Problem, ProblemKind};
use crate::app::state::AppState;
use crate::app::token::make_token;
use shared::store::administrators::Lock;
use shared::store::audit::{Action, Actor, ActorKind, AuditEntry};
use shared::store::sessions::{self, Confirmation};
use shared::store::{Db, Transaction, begin, commit};
use tracing::info;
use uuid::Uuid;

/// An administrator in the session of their request.
#[derive(Clone, Copy)]
pub(crate) struct AdministratorSession<'s> {
    /// The administrator's id.
    pub(crate) id: Uuid,
    /// The administrator as recorded in the audit log.
    pub(crate) actor: &'s Actor,
    /// The administrator's email address.
    pub(crate) email: &'s str,
    /// Whether they must choose their own password before doing anything else.
    pub(crate) must_choose: bool,
    /// The digest that the session is stored under.
    pub(crate) digest: &'s [u8],
}

impl AdministratorSession<'_> {
    /// The administrator as a caller.
    pub(crate) fn caller(&self) -> Caller {
        Caller {
            actor: self.actor.clone(),
            may_read_audit_log: true,
        }
    }

    /// Begins a transaction that changes access, unless the session has ended. No other transaction changes access
    /// until this one ends.
    ///
    /// # Errors
    ///
    /// If the session has ended.
    pub(crate) async fn begin_access_change(&self, db: &Db) -> Result<Transaction, Problem> {
        let mut transaction = begin(db).await?;
        if sessions::holds(&mut transaction, self.digest).await? {
            Ok(transaction)
        } else {
            Err(session_ended())
        }
    }
}

/// The problem of a request whose session ends while it is being processed.
pub(crate) fn session_ended() -> Problem {
    Problem::new(
        ProblemKind::Unauthenticated,
        "signed_out",
        "Your session has ended or your password was changed elsewhere. Nothing was changed. Sign in again.",
    )
}

/// Begins a session for an administrator whose password was checked, and ends the browser's previous one.
///
/// Returns the token of the session; `None` if the password was changed or its owner disabled after the check.
pub(crate) async fn begin_session(
    api: &AppState,
    lock: &Lock,
    before: Option<&[u8]>,
    origin: Actor,
) -> Result<Option<String>, Problem> {
    let (token, digest) = make_token()?;
    let mut transaction = begin(&api.db).await?;
    if !sessions::begin(&mut transaction, lock.id, &lock.verifier, &digest).await? {
        info!(administrator.id = %lock.id, "Refused a sign-in whose password had been changed meanwhile");
        return Ok(None);
    }
    if let Some(before) = before {
        sessions::end(&mut transaction, before).await?;
    }
    let actor = origin.identified_as(ActorKind::Administrator(lock.id), &lock.name);
    AuditEntry::new(&actor, Action::SignedIn)
        .record(&mut transaction)
        .await?;
    commit(transaction).await?;
    info!(administrator.id = %lock.id, "An administrator signed in");
    Ok(Some(token))
}

/// Records that an administrator confirmed their password, and gives their session a new token, which it returns.
///
/// # Errors
///
/// If the session ended, or its owner was disabled or their password changed, after `verifier` was checked.
pub(crate) async fn renew_session(
    api: &AppState,
    session: &AdministratorSession<'_>,
    verifier: &str,
) -> Result<String, Problem> {
    let (token, new_digest) = make_token()?;
    let mut transaction = begin(&api.db).await?;
    let confirmation = Confirmation {
        administrator: session.id,
        digest: session.digest,
        new_digest: &new_digest,
        verifier,
    };
    if !sessions::confirm(&mut transaction, confirmation).await? {
        return Err(session_ended());
    }
    AuditEntry::new(session.actor, Action::PasswordConfirmed)
        .record(&mut transaction)
        .await?;
    commit(transaction).await?;
    info!(administrator.id = %session.id, "An administrator confirmed their password");
    Ok(token)
}

/// Ends a session.
///
/// # Errors
///
/// If Postgres is unavailable.
pub(crate) async fn end_session(api: &AppState, session: &AdministratorSession<'_>) -> Result<(), Problem> {
    let mut transaction = begin(&api.db).await?;
    if sessions::end(&mut transaction, session.digest).await? {
        AuditEntry::new(session.actor, Action::SignedOut)
            .record(&mut transaction)
            .await?;
    }
    commit(transaction).await?;
    info!(administrator.id = %session.id, "An administrator signed out");
    Ok(())
}

/// Ends all other sessions of the administrator and returns their number.
///
/// # Errors
///
/// If Postgres is unavailable.
pub(crate) async fn end_other_sessions(api: &AppState, session: &AdministratorSession<'_>) -> Result<u64, Problem> {
    let mut transaction = begin(&api.db).await?;
    let ended = sessions::end_others(&mut transaction, session.id, session.digest).await?;
    if ended > 0 {
        AuditEntry::new(session.actor, Action::SessionsEnded)
            .details(serde_json::json!({ "sessions": ended }))
            .record(&mut transaction)
            .await?;
    }
    commit(transaction).await?;
    info!(administrator.id = %session.id, ended, "An administrator ended their other sessions");
    Ok(ended)
}

//! An administrator's own password: confirmed and changed in a session.
//!
//! Changing it ends all other sessions of the administrator.

use crate::app::administrator_password::{Client, check, identity};
use crate::app::problem::Problem;
use crate::app::sessions::{AdministratorSession, renew_session, session_ended};
use crate::app::state::AppState;
use crate::app::token::make_token;
use shared::password::{Password, PasswordFault, PasswordOrigin, PersonalWords, Rank, Verifier};
use shared::store::administrators::{self, OwnChange};
use shared::store::audit::{Action, AuditEntry};
use shared::store::{begin, commit, sessions};
use zeroize::Zeroizing;

/// What an administrator typed to change their password.
#[derive(Clone, Copy)]
pub(crate) struct TypedPasswords<'t> {
    /// The current password, unless they must choose their first.
    pub(crate) current: &'t str,
    /// The new password.
    pub(crate) new: &'t str,
    /// The new password again.
    pub(crate) again: &'t str,
}

/// The result of changing one's own password.
pub(crate) enum OwnPasswordChange {
    /// Continue in the session with this token: all others have ended.
    Done(String),
    /// Ask for corrections.
    Rejected(ChangeFaults),
}

/// What to correct before the password can be changed.
pub(crate) struct ChangeFaults {
    /// The current password is incorrect.
    pub(crate) is_current_wrong: bool,
    /// What is wrong with the new password.
    pub(crate) new: Option<NewPasswordFault>,
    /// The new password was not typed the same way twice.
    pub(crate) is_again_different: bool,
}

/// Why a new password is rejected.
pub(crate) enum NewPasswordFault {
    /// It is not fit to be chosen.
    Unfit(PasswordFault),
    /// It is the current password.
    Unchanged,
}

impl ChangeFaults {
    const fn is_empty(&self) -> bool {
        !self.is_current_wrong && self.new.is_none() && !self.is_again_different
    }
}

/// Checks the password of the session's administrator and gives the session a new token, which it returns. `None` if the
/// password is wrong.
///
/// # Errors
///
/// If no attempt is left, or the session has ended.
pub(crate) async fn confirm_password(
    api: &AppState,
    session: &AdministratorSession<'_>,
    typed: &str,
) -> Result<Option<String>, Problem> {
    let Some(verifier) = current_verifier(api, session, typed).await? else {
        return Ok(None);
    };
    renew_session(api, session, &verifier).await.map(Some)
}

/// Changes the password of the session's administrator and ends all their sessions, in exchange for a new one.
///
/// # Errors
///
/// If no attempt is left, or the session has ended.
pub(crate) async fn change_own_password(
    api: &AppState,
    session: &AdministratorSession<'_>,
    typed: TypedPasswords<'_>,
) -> Result<OwnPasswordChange, Problem> {
    let checked = checked(api, session, typed.current).await?;
    let (new, unfit) = match validate_new_password(api, session.email, &session.actor.name, typed.new).await? {
        Ok(new) => (Some(new), None),
        Err(fault) => (None, Some(NewPasswordFault::Unfit(fault))),
    };
    let mut faults = ChangeFaults {
        is_current_wrong: checked.is_none(),
        new: unfit,
        is_again_different: typed.new != typed.again,
    };
    if let Some(checked) = checked.as_deref().filter(|_| faults.is_empty())
        && is_kept(api, session, checked, typed.new).await?
    {
        faults.new = Some(NewPasswordFault::Unchanged);
    }
    let (Some(new), Some(checked), true) = (new, checked, faults.is_empty()) else {
        return Ok(OwnPasswordChange::Rejected(faults));
    };
    let (_, verifier) = api.console_hashing.hash(new).await?;
    let token = replace(api, session, &checked, &verifier).await?;
    Ok(OwnPasswordChange::Done(token))
}

/// Judges a password that the administrator with this address and name chooses. The inner result is why it is rejected.
///
/// # Errors
///
/// If too many passwords are being checked.
pub(crate) async fn validate_new_password(
    api: &AppState,
    email: &str,
    name: &str,
    typed: &str,
) -> Result<Result<Password, PasswordFault>, Problem> {
    let words = PersonalWords::of([email, name, api.letters.organisation.as_str()]);
    let typed = Zeroizing::new(typed.to_owned());
    Ok(api.console_hashing.choose(Rank::FIRST, typed, words).await?)
}

/// The verifier that authorises the change: that of the current password, which was typed, or that of the first
/// password, which began the session.
async fn checked(api: &AppState, session: &AdministratorSession<'_>, typed: &str) -> Result<Option<String>, Problem> {
    if !session.must_choose {
        return current_verifier(api, session, typed).await;
    }
    let lock = administrators::lock_of(&api.db, &identity(session.email)).await?;
    lock.map(|lock| Some(lock.verifier)).ok_or_else(session_ended)
}

/// The administrator's stored verifier, if the typed password matches it.
async fn current_verifier(
    api: &AppState,
    session: &AdministratorSession<'_>,
    typed: &str,
) -> Result<Option<String>, Problem> {
    let client = Client::in_session(session);
    let password = Zeroizing::new(typed.to_owned());
    let lock = check(api, session.email, password, &client).await?;
    Ok(lock.filter(|lock| lock.id == session.id).map(|lock| lock.verifier))
}

/// Whether the new password equals the current one. A first password also matches without hyphens and in other case,
/// because it can be typed that way (ASVS 5.0, 6.4.1).
async fn is_kept(
    api: &AppState,
    session: &AdministratorSession<'_>,
    verifier: &str,
    typed: &str,
) -> Result<bool, Problem> {
    let form = if session.must_choose {
        PasswordOrigin::Generated
    } else {
        PasswordOrigin::Chosen
    };
    let verifiers = vec![(Verifier::from_stored(verifier.to_owned()), form)];
    let typed = Zeroizing::new(typed.to_owned());
    let found = api.console_hashing.verify(Rank::FIRST, verifiers, typed).await?;
    Ok(found.is_some())
}

/// Stores the password, ends all sessions and begins a new one, whose token it returns.
async fn replace(
    api: &AppState,
    session: &AdministratorSession<'_>,
    checked: &str,
    verifier: &Verifier,
) -> Result<String, Problem> {
    let (token, digest) = make_token()?;
    let mut transaction = begin(&api.db).await?;
    let change = OwnChange {
        id: session.id,
        session: session.digest,
        checked,
        verifier: verifier.as_stored(),
    };
    let is_done = administrators::change_own(&mut transaction, change).await?
        && sessions::begin(&mut transaction, session.id, change.verifier, &digest).await?;
    if !is_done {
        return Err(session_ended());
    }
    AuditEntry::new(session.actor, Action::OwnPasswordChanged)
        .record(&mut transaction)
        .await?;
    commit(transaction).await?;
    Ok(token)
}

//! Who may use the console: adding and disabling administrators, and giving them a link to choose a password.
//!
//! A link contains a token, which is returned once and is not stored.

use crate::app::idempotent::{CreatedSecret, IdempotentRequest, Success};
use crate::app::problem::Problem;
use crate::app::sessions::AdministratorSession;
use crate::app::state::AppState;
use crate::app::token::make_token;
use serde_json::json;
use shared::address::EmailAddress;
use shared::store::administrators::{self, Access, Added, Administrator, Disabled, NewAdministrator};
use shared::store::api_keys;
use shared::store::audit::{Action, Actor, AuditEntry};
use shared::store::{Transaction, commit};
use tracing::info;
use uuid::Uuid;
use zeroize::Zeroizing;

/// The result of adding an administrator.
pub(crate) enum Addition {
    /// Show the link with this token, which is not stored.
    Done {
        /// The id of the administrator.
        id: Uuid,
        /// The token of their link.
        token: Zeroizing<String>,
    },
    /// Explain that the same form added this administrator before.
    Repeated(Uuid),
    /// Ask for another address: an administrator has this one.
    AddressTaken,
    /// Ask for another name: an administrator has this one, which is the same or looks the same.
    NameTaken(String),
}

/// The result of resetting an administrator's password.
pub(crate) enum PasswordReset {
    /// Show the link with this token, which is not stored.
    Done(Zeroizing<String>),
    /// Explain that the same form reset the password before.
    Repeated,
}

/// The administrator with this id.
///
/// # Errors
///
/// If there is no such administrator.
pub(crate) async fn find_administrator(api: &AppState, id: Uuid) -> Result<Administrator, Problem> {
    administrators::find(&api.db, id)
        .await?
        .ok_or_else(|| Problem::not_found("administrator"))
}

/// Adds an administrator, once for each form token.
///
/// # Errors
///
/// If the session has ended, the form token is missing or Postgres is unavailable.
pub(crate) async fn add_administrator(
    api: &AppState,
    session: &AdministratorSession<'_>,
    address: &EmailAddress,
    name: &str,
    form_token: &str,
) -> Result<Addition, Problem> {
    let (token, digest) = make_token()?;
    let token = Zeroizing::new(token);
    let new = NewAdministrator {
        email: address.as_typed().to_owned(),
        email_key: address.key(),
        name: name.to_owned(),
        access: Access::Link(digest),
        created_by: session.actor.name.clone(),
    };
    let once = IdempotentRequest::of_form(&session.caller(), "add administrator", form_token)?;
    let mut transaction = session.begin_access_change(&api.db).await?;
    if once.answered::<CreatedSecret>(&mut transaction).await?.is_some() {
        drop(transaction);
        let known = administrators::find_by_key(&api.db, &new.email_key).await?;
        let known = known.ok_or_else(|| Problem::not_found("administrator"))?;
        return Ok(Addition::Repeated(known.id));
    }
    let id = match administrators::add(&mut transaction, &new).await? {
        Added::Done(id) => id,
        Added::AddressTaken => return Ok(Addition::AddressTaken),
        Added::NameTaken(taken) => return Ok(Addition::NameTaken(taken)),
    };
    AuditEntry::new(session.actor, Action::AdministratorAdded)
        .subject("administrator", id)
        .details(json!({ "name": name }))
        .record(&mut transaction)
        .await?;
    once.commit(&api.db, transaction, Success::Done, &CreatedSecret { id })
        .await?;
    info!(administrator.id = %id, "Added an administrator");
    Ok(Addition::Done { id, token })
}

/// Invalidates the password and sessions of an administrator who lost the password, once for each form token, and gives
/// them a link.
///
/// # Errors
///
/// If the administrator is disabled or is the caller, the session has ended or the form token is missing.
pub(crate) async fn reset_password(
    api: &AppState,
    session: &AdministratorSession<'_>,
    known: &Administrator,
    form_token: &str,
) -> Result<PasswordReset, Problem> {
    if known.id == session.id {
        return Err(Problem::conflict(
            "own_password",
            "You cannot reset your own password here. Change it under Your account.",
        ));
    }
    let (token, digest) = make_token()?;
    let token = Zeroizing::new(token);
    let once = IdempotentRequest::of_form(&session.caller(), "renew administrator", form_token)?;
    let mut transaction = session.begin_access_change(&api.db).await?;
    if once.answered::<CreatedSecret>(&mut transaction).await?.is_some() {
        return Ok(PasswordReset::Repeated);
    }
    let id = known.id;
    if !administrators::give_link(&mut transaction, id, &digest).await? {
        return Err(Problem::conflict(
            "administrator_disabled",
            "This administrator is disabled. Enable them before you reset their password.",
        ));
    }
    AuditEntry::new(session.actor, Action::AdministratorRenewed)
        .subject("administrator", id)
        .details(json!({ "name": known.name }))
        .record(&mut transaction)
        .await?;
    once.commit(&api.db, transaction, Success::Done, &CreatedSecret { id })
        .await?;
    info!(administrator.id = %id, "Reset an administrator's password");
    Ok(PasswordReset::Done(token))
}

/// Enables a disabled administrator.
///
/// # Errors
///
/// If the session has ended.
pub(crate) async fn enable_administrator(
    api: &AppState,
    session: &AdministratorSession<'_>,
    known: &Administrator,
) -> Result<(), Problem> {
    let mut transaction = session.begin_access_change(&api.db).await?;
    if administrators::enable(&mut transaction, known.id).await? {
        commit_change(transaction, session.actor, Action::AdministratorEnabled, known).await?;
    }
    Ok(())
}

/// Rejects disabling oneself.
///
/// # Errors
///
/// If the administrator is the caller.
pub(crate) fn require_another(session: &AdministratorSession<'_>, known: &Administrator) -> Result<(), Problem> {
    if known.id == session.id {
        return Err(Problem::conflict(
            "own_access",
            "You cannot disable yourself. Ask another administrator to do it.",
        ));
    }
    Ok(())
}

/// Disables an administrator and revokes the API keys they created, except `kept_keys`. Returns the number of revoked
/// keys.
///
/// # Errors
///
/// If the administrator is the caller or the last one who can sign in, or the session has ended.
pub(crate) async fn disable_administrator(
    api: &AppState,
    session: &AdministratorSession<'_>,
    known: &Administrator,
    kept_keys: &[Uuid],
) -> Result<i64, Problem> {
    require_another(session, known)?;
    let mut transaction = session.begin_access_change(&api.db).await?;
    match administrators::disable(&mut transaction, known.id).await? {
        Disabled::Done => {
            let revoked = revoke_keys(&mut transaction, session.actor, known, kept_keys).await?;
            commit_change(transaction, session.actor, Action::AdministratorDisabled, known).await?;
            Ok(revoked)
        }
        Disabled::Already => Ok(0),
        Disabled::IsLast => Err(Problem::conflict(
            "last_administrator",
            format!(
                "{} is the last administrator who can sign in. Enable or add another administrator first.",
                known.name
            ),
        )),
    }
}

async fn revoke_keys(
    transaction: &mut Transaction,
    actor: &Actor,
    known: &Administrator,
    kept_keys: &[Uuid],
) -> Result<i64, Problem> {
    let mut count = 0;
    for key in api_keys::revoke_made_by(transaction, known.id, &known.name, kept_keys).await? {
        count += 1;
        AuditEntry::new(actor, Action::KeyRevoked)
            .subject("key", key.id)
            .details(json!({ "name": key.name }))
            .record(transaction)
            .await?;
    }
    Ok(count)
}

/// Records a change to an administrator's access in the audit log and commits it.
async fn commit_change(
    mut transaction: Transaction,
    actor: &Actor,
    action: Action,
    known: &Administrator,
) -> Result<(), Problem> {
    AuditEntry::new(actor, action)
        .subject("administrator", known.id)
        .details(json!({ "name": known.name }))
        .record(&mut transaction)
        .await?;
    commit(transaction).await?;
    info!(administrator.id = %known.id, action = action.as_str(), "An administrator's access was changed");
    Ok(())
}

//! API keys: creating and revoking them, which only administrators may do.
//!
//! A key is `beckon_` and a random token.

use crate::app::idempotent::{CreatedSecret, IdempotentRequest, Success};
use crate::app::problem::Problem;
use crate::app::sessions::AdministratorSession;
use crate::app::state::AppState;
use crate::app::token::{digest_of, random_token};
use rand::rngs::SysError;
use shared::name::{NameFault, check};
use shared::store::api_keys::{self, Created, Entry, NewKey};
use shared::store::audit::{Action, Actor, AuditEntry};
use shared::store::{begin, commit};
use std::time::Duration;
use tracing::info;
use uuid::Uuid;
use zeroize::Zeroizing;

/// How every key begins.
pub const PREFIX: &str = "beckon_";

/// An API key to create.
pub(crate) struct KeyToCreate {
    /// Its name.
    pub(crate) name: String,
    /// When it expires; `None` for never.
    pub(crate) expires_after: Option<Duration>,
    /// Whether it may read the audit log.
    pub(crate) may_read_audit_log: bool,
}

/// The result of creating a key.
pub(crate) enum KeyCreation {
    /// Show the key: it is not stored.
    Done(Zeroizing<String>),
    /// Explain that the same form created the key before.
    Repeated,
    /// Ask for a name that a key may have.
    NameRejected(NameFault),
    /// Ask for another name: an active key has this one, which is the same or looks the same.
    NameTaken(String),
}

/// Creates an API key, once for each form token.
///
/// # Errors
///
/// If the session has ended, the token is missing or Postgres is unavailable.
pub(crate) async fn create_key(
    api: &AppState,
    session: &AdministratorSession<'_>,
    wanted: KeyToCreate,
    form_token: &str,
) -> Result<KeyCreation, Problem> {
    if let Err(fault) = check(&wanted.name) {
        return Ok(KeyCreation::NameRejected(fault));
    }
    let (key, digest) = make_key().map_err(|_| Problem::internal())?;
    let key = Zeroizing::new(key);
    let new = NewKey {
        name: wanted.name,
        digest,
        created_by: session.actor.name.clone(),
        created_by_id: Some(session.id),
        expires_after: wanted.expires_after,
        may_read_audit_log: wanted.may_read_audit_log,
    };
    let once = IdempotentRequest::of_form(&session.caller(), "make key", form_token)?;
    let mut transaction = session.begin_access_change(&api.db).await?;
    if once.answered::<CreatedSecret>(&mut transaction).await?.is_some() {
        return Ok(KeyCreation::Repeated);
    }
    let id = match api_keys::create(&mut transaction, &new).await? {
        Created::Done(id) => id,
        Created::NameTaken(taken) => return Ok(KeyCreation::NameTaken(taken)),
    };
    AuditEntry::new(session.actor, Action::KeyMade)
        .subject("key", id)
        .details(details_of(&new))
        .record(&mut transaction)
        .await?;
    once.commit(&api.db, transaction, Success::Done, &CreatedSecret { id })
        .await?;
    info!(key.id = %id, "Created an API key");
    Ok(KeyCreation::Done(key))
}

/// The key with this id.
///
/// # Errors
///
/// If there is no such key.
pub(crate) async fn find_key(api: &AppState, id: Uuid) -> Result<Entry, Problem> {
    api_keys::find_by_id(&api.db, id)
        .await?
        .ok_or_else(|| Problem::not_found("API key"))
}

/// Revokes a key, unless it is revoked already, and returns its name.
///
/// # Errors
///
/// If there is no such key.
pub(crate) async fn revoke_key(api: &AppState, actor: &Actor, id: Uuid) -> Result<String, Problem> {
    let key = find_key(api, id).await?;
    let mut transaction = begin(&api.db).await?;
    if api_keys::revoke(&mut transaction, id).await? {
        AuditEntry::new(actor, Action::KeyRevoked)
            .subject("key", id)
            .details(serde_json::json!({ "name": key.name }))
            .record(&mut transaction)
            .await?;
        commit(transaction).await?;
        info!(key.id = %id, "Revoked an API key");
    }
    Ok(key.name)
}

/// Generates a key, and its digest to store.
///
/// # Errors
///
/// If the operating system provides no randomness.
pub fn make_key() -> Result<(String, Vec<u8>), SysError> {
    let key = format!("{PREFIX}{}", random_token()?);
    let digest = digest_of(&key);
    Ok((key, digest))
}

/// Details of a new key for the audit log: its name and properties that differ from the default.
pub fn details_of(new: &NewKey) -> serde_json::Value {
    let mut noted = serde_json::json!({ "name": new.name });
    if let Some(noted) = noted.as_object_mut() {
        let marks = [
            ("never_expires", new.expires_after.is_none()),
            ("reads_audit_log", new.may_read_audit_log),
        ];
        let marks = marks.into_iter().filter(|(_, holds)| *holds);
        noted.extend(marks.map(|(mark, holds)| (mark.to_owned(), holds.into())));
    }
    noted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_differ_and_their_digests_are_not_the_keys() {
        let (one, its_digest) = make_key().unwrap();
        let (other, _) = make_key().unwrap();
        assert_ne!(one, other);
        assert_eq!(one.len(), PREFIX.len() + 43);
        assert_eq!(its_digest, digest_of(&one));
    }
}

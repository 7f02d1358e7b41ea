//! Choosing a password with a link, which signs the administrator in.

use crate::app::problem::Problem;
use crate::app::state::AppState;
use crate::app::token::make_token;
use shared::password::Password;
use shared::store::audit::{Action, Actor, ActorKind, AuditEntry};
use shared::store::{administrators, begin, commit, sessions};
use tracing::info;

/// Uses up the link with this digest, stores the password of its owner, begins a session for them and ends the browser's
/// previous one.
///
/// Returns the token of the session; `None` if the link is no longer valid.
///
/// # Errors
///
/// If too many passwords are being checked, or Postgres is unavailable. The link stays valid.
pub(crate) async fn redeem_link(
    api: &AppState,
    link: &[u8],
    new: Password,
    before: Option<&[u8]>,
    origin: Actor,
) -> Result<Option<String>, Problem> {
    let (_, verifier) = api.console_hashing.hash(new).await?;
    let (token, digest) = make_token()?;
    let mut transaction = begin(&api.db).await?;
    let Some(owner) = administrators::use_link(&mut transaction, link, verifier.as_stored()).await? else {
        return Ok(None);
    };
    sessions::begin(&mut transaction, owner.id, &owner.verifier, &digest).await?;
    if let Some(before) = before {
        sessions::end(&mut transaction, before).await?;
    }
    let actor = origin.identified_as(ActorKind::Administrator(owner.id), &owner.name);
    AuditEntry::new(&actor, Action::PasswordLinkUsed)
        .record(&mut transaction)
        .await?;
    commit(transaction).await?;
    info!(administrator.id = %owner.id, "An administrator chose a password with a link and signed in");
    Ok(Some(token))
}

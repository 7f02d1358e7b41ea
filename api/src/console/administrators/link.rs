//! The link with which an administrator chooses a password.
//!
//! A link is created when an administrator is added or their password is reset. It is shown once, to the
//! administrator who passes it on. The token follows the `#`, which browsers do not send, so no server logs it.

use super::super::choose_password;
use super::super::fields::Fields;
use super::super::frame::Place;
use super::super::one_time_secret::{self, SecretTexts};
use super::super::session::Administrator as Reader;
use super::{PATH, get};
use crate::app::idempotent::{CreatedSecret, IdempotentRequest, Success};
use crate::app::problem::Problem;
use crate::app::state::AppState;
use crate::app::token::make_token;
use crate::http::query::Path;
use axum::extract::State;
use axum::response::Response;
use shared::store::administrators::{self, RESET_LINK};
use shared::store::audit::{self, Act, Action};
use std::time::Duration;
use tracing::info;
use uuid::Uuid;
use zeroize::Zeroizing;

/// A link to choose a password.
pub(super) struct Link {
    address: Zeroizing<String>,
    /// The token alone, for browsers without JavaScript.
    code: Zeroizing<String>,
}

/// Generates a link, and the digest of its token to store.
pub(super) fn make(api: &AppState) -> Result<(Link, Vec<u8>), Problem> {
    let (token, digest) = make_token()?;
    let code = Zeroizing::new(token);
    let address = format!("{}{}#{}", api.letters.public_url, choose_password::PATH, code.as_str());
    let address = Zeroizing::new(address);
    Ok((Link { address, code }, digest))
}

/// Renders the page that shows the link.
pub(super) async fn shown(
    api: &AppState,
    reader: &Reader,
    title: String,
    link: Option<Link>,
    (id, lifetime): (Uuid, Duration),
) -> Result<Response, Problem> {
    let frame = reader.frame(api, Place::Manage, title).await;
    let hours = lifetime.as_secs() / 3_600;
    let works = if hours > 48 {
        format!("{} days", hours / 24)
    } else {
        format!("{hours} hours")
    };
    let texts = SecretTexts {
        first: "Copy this link now.",
        label: "One-time link",
        what_next: format!(
            "Send it to them privately. They open it and choose a password that you cannot see. It works once, within \
             {works}."
        ),
        otherwise: "If you did not copy it, reset the password on their page to get another link.",
        back: format!("{PATH}/{id}"),
        back_label: "Go to their page",
    };
    let (address, code) = link.map(|link| (link.address, link.code)).unzip();
    one_time_secret::shown_with_code(frame, address, code, texts)
}

/// Invalidates the password and sessions of an administrator who lost the password, and generates a link.
pub(in super::super) async fn reset(
    State(api): State<AppState>,
    reader: Reader,
    Path(id): Path<Uuid>,
    fields: Fields,
) -> Result<Response, Problem> {
    let known = get(&api, id).await?;
    if id == reader.id {
        return Err(Problem::conflict(
            "own_password",
            "You cannot reset your own password here. Change it under Your account.",
        ));
    }
    let (link, digest) = make(&api)?;
    let once = IdempotentRequest::of_form(&reader.caller(), "renew administrator", fields.text("token"))?;
    let is_made = store(&api, &reader, once, (id, &known.name), &digest).await?;
    let title = if is_made {
        format!("The password of {} is reset", known.name)
    } else {
        format!("The password of {} was already reset", known.name)
    };
    shown(&api, &reader, title, is_made.then_some(link), (id, RESET_LINK)).await
}

/// Stores the digest of an administrator's link. Returns `false` if the same form was submitted before.
async fn store(
    api: &AppState,
    reader: &Reader,
    once: IdempotentRequest,
    (id, name): (Uuid, &str),
    digest: &[u8],
) -> Result<bool, Problem> {
    let mut transaction = reader.session().begin_access_change(&api.db).await?;
    if once.answered::<CreatedSecret>(&mut transaction).await?.is_some() {
        return Ok(false);
    }
    if !administrators::give_link(&mut transaction, id, digest).await? {
        return Err(Problem::conflict(
            "administrator_disabled",
            "This administrator is disabled. Enable them before you reset their password.",
        ));
    }
    let act = Act {
        actor: &reader.actor,
        action: Action::AdministratorRenewed,
        subject: Some(format!("administrator {id}")),
        details: serde_json::json!({ "name": name }),
    };
    audit::note(&mut transaction, &act).await?;
    once.commit(&api.db, transaction, Success::Done, &CreatedSecret { id })
        .await?;
    info!(administrator.id = %id, "Reset an administrator's password");
    Ok(true)
}

//! The link with which an administrator chooses a password.
//!
//! A link is created when an administrator is added or their password is reset. It is shown once, to the
//! administrator who passes it on. The token follows the `#`, which browsers do not send, so no server logs it.

use super::super::choose_password;
use super::super::fields::Fields;
use super::super::frame::Section;
use super::super::one_time_secret::{self, SecretTexts};
use super::super::session::Administrator as Reader;
use super::PATH;
use crate::app::administrators::{PasswordReset, find_administrator, reset_password};
use crate::app::problem::Problem;
use crate::app::state::AppState;
use crate::http::query::Path;
use axum::extract::State;
use axum::response::Response;
use shared::store::administrators::RESET_LINK;
use std::time::Duration;
use uuid::Uuid;
use zeroize::Zeroizing;

/// Renders the page that shows the link with this token. Without one, the page explains that it was already shown.
pub(super) async fn shown(
    api: &AppState,
    reader: &Reader,
    title: String,
    token: Option<Zeroizing<String>>,
    (id, lifetime): (Uuid, Duration),
) -> Result<Response, Problem> {
    let frame = reader.frame(api, Section::Manage, title).await;
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
    let address = token.as_ref().map(|token| {
        let address = format!("{}{}#{}", api.letters.public_url, choose_password::PATH, token.as_str());
        Zeroizing::new(address)
    });
    one_time_secret::shown_with_code(frame, address, token, texts)
}

/// Invalidates the password and sessions of an administrator who lost the password, and generates a link.
pub(in super::super) async fn reset(
    State(api): State<AppState>,
    reader: Reader,
    Path(id): Path<Uuid>,
    fields: Fields,
) -> Result<Response, Problem> {
    let known = find_administrator(&api, id).await?;
    let reset = reset_password(&api, &reader.session(), &known, fields.text("token")).await?;
    let (title, token) = match reset {
        PasswordReset::Done(token) => (format!("The password of {} is reset", known.name), Some(token)),
        PasswordReset::Repeated => (format!("The password of {} was already reset", known.name), None),
    };
    shown(&api, &reader, title, token, (id, RESET_LINK)).await
}

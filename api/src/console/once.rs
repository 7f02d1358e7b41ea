//! The page that shows a secret, once.
//!
//! A secret is shown in the answer to the form that makes it, and kept nowhere. The form carries a
//! token and counts once: sent again, by a reload or a second click, it makes nothing and the page
//! says so. Whoever did not copy the secret makes another one.

use super::frame::Frame;
use super::respond::page;
use crate::caller::Caller;
use crate::idempotent::{IdempotencyKey, Once};
use crate::problem::Problem;
use askama::Template;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use zeroize::Zeroizing;

/// What a secret is for, and how its page speaks of it.
pub(super) struct Told {
    /// "Copy this link now."
    pub(super) first: &'static str,
    /// What the secret is called.
    pub(super) label: &'static str,
    /// What to do with it.
    pub(super) what_next: String,
    /// What to do where it was not copied.
    pub(super) otherwise: &'static str,
    /// Where that is done, or where to go on.
    pub(super) back: String,
    /// What the way back is called.
    pub(super) back_label: &'static str,
}

/// The page.
#[derive(Template)]
#[template(path = "console/once.html")]
struct OncePage {
    frame: Frame,
    secret: Option<Zeroizing<String>>,
    code: Option<Zeroizing<String>>,
    told: Told,
}

/// What is kept of a form that made a secret: of what, never what.
#[derive(Serialize, Deserialize)]
pub(super) struct Made {
    /// The id of the key or the administrator.
    pub(super) id: Uuid,
}

/// Shows a secret; without one, that it was shown before.
pub(super) fn shown(frame: Frame, secret: Option<Zeroizing<String>>, told: Told) -> Result<Response, Problem> {
    shown_with_code(frame, secret, None, told)
}

/// Shows a link, and its code by itself.
pub(super) fn shown_with_code(
    frame: Frame,
    link: Option<Zeroizing<String>>,
    code: Option<Zeroizing<String>>,
    told: Told,
) -> Result<Response, Problem> {
    page(&OncePage {
        frame,
        secret: link,
        code,
        told,
    })
}

/// The token of a form that is about to be shown.
pub(super) fn token() -> String {
    Uuid::new_v4().to_string()
}

/// A form that counts once.
pub(super) fn form(caller: &Caller, what: &str, token: &str) -> Result<Once, Problem> {
    let token: Uuid = token
        .parse()
        .map_err(|_| Problem::unprocessable("form_incomplete", "This form came without its token. Open it again."))?;
    let key = IdempotencyKey::of(&format!("{what} {token}"));
    Ok(Once::new(caller, what, key, Vec::new()))
}

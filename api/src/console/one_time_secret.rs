//! The page that shows a secret once.
//!
//! A secret is shown only in the response to the form that creates it, and is not stored. The form has an idempotency
//! key: when it is submitted again, by a reload or a second click, it creates nothing and the page explains why. An
//! administrator who did not copy the secret has to create another one.

use super::frame::Frame;
use super::respond::page;
use crate::app::problem::Problem;
use askama::Template;
use axum::response::Response;
use uuid::Uuid;
use zeroize::Zeroizing;

/// Texts of the page, which depend on the kind of secret.
pub(super) struct SecretTexts {
    /// "Copy this link now."
    pub(super) first: &'static str,
    /// Label of the secret.
    pub(super) label: &'static str,
    /// What to do with it.
    pub(super) what_next: String,
    /// What to do if it was not copied.
    pub(super) otherwise: &'static str,
    /// Address for that, or of the next step.
    pub(super) back: String,
    /// Label of that link.
    pub(super) back_label: &'static str,
}

#[derive(Template)]
#[template(path = "console/one_time_secret.html")]
struct OneTimeSecretPage {
    frame: Frame,
    secret: Option<Zeroizing<String>>,
    code: Option<Zeroizing<String>>,
    texts: SecretTexts,
}

/// Shows a secret. Without one, the page explains that it was already shown.
pub(super) fn shown(frame: Frame, secret: Option<Zeroizing<String>>, texts: SecretTexts) -> Result<Response, Problem> {
    shown_with_code(frame, secret, None, texts)
}

/// Shows a link, and its code separately.
pub(super) fn shown_with_code(
    frame: Frame,
    link: Option<Zeroizing<String>>,
    code: Option<Zeroizing<String>>,
    texts: SecretTexts,
) -> Result<Response, Problem> {
    page(&OneTimeSecretPage {
        frame,
        secret: link,
        code,
        texts,
    })
}

/// A new idempotency key for a form.
pub(super) fn token() -> String {
    Uuid::new_v4().to_string()
}

//! Renders exactly the email a person would get, before anything is sent.

use super::texts::{compile_all, read_language};
use super::{compile, current, custom_fields, normalised};
use crate::app::problem::Problem;
use crate::app::state::AppState;
use crate::app::users;
use crate::app::validation::not_null;
use serde::{Deserialize, Serialize};
use serde_json::Map;
use shared::language::{ByLanguage, Language};
use shared::letter::{self, LetterValues, ShownPassword};
use shared::store::system_emails;
use shared::store::users::User;
use shared::system_email::{Compiled, CustomFields, SystemEmailKind};
use utoipa::ToSchema;
use uuid::Uuid;

/// Recipient address in a preview without a user.
const EXAMPLE_ADDRESS: &str = "ada@example.org";

/// The user and the text of a preview.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PreviewRequest {
    /// The user whose values are merged.
    pub user: Uuid,
    /// An unsaved subject to use instead of the current one.
    pub subject: Option<String>,
    /// An unsaved text to use instead of the current one.
    pub body: Option<String>,
    /// The language of the text; by default that of the user. An unsaved text without it is the default text.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = String, required = false)]
    pub language: Option<String>,
}

/// A rendered email.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PreviewView {
    /// The sender.
    pub from: String,
    /// The recipient.
    pub to: String,
    /// The language of the text; empty if it is not stated.
    pub language: String,
    /// The subject with merged values.
    pub subject: String,
    /// The HTML part, as a complete document. Merged values are in `<mark>`, and a password is masked.
    pub html: String,
    /// The text part.
    pub text: String,
    /// The merge fields that stay empty, because the user has no value for them and the text has no default.
    pub missing: Vec<String>,
}

/// Renders the email that a user would get. Nothing is sent, and no password is generated.
///
/// # Errors
///
/// If there is no such user, or the unsaved text cannot be sent.
pub async fn preview(api: &AppState, kind: SystemEmailKind, request: PreviewRequest) -> Result<PreviewView, Problem> {
    let PreviewRequest {
        user,
        subject,
        body,
        language,
    } = request;
    let user = users::get(api, user).await?;
    let language = language.map(|raw| read_language("language", &raw)).transpose()?;
    if subject.is_none() && body.is_none() {
        let texts = in_use(api, kind).await?;
        let (_, compiled) = texts.pick(language.as_ref().unwrap_or(&user.language));
        return preview_of(api, compiled, Some(&user)).await;
    }
    let texts = current(api, kind).await?.texts().by_language();
    let language = language.as_ref().unwrap_or(&texts.language);
    let saved = texts.find(language).map_or(&texts.default, |(_, saved)| saved);
    let draft = normalised(
        subject.as_ref().unwrap_or(&saved.subject),
        body.as_ref().unwrap_or(&saved.body),
    );
    let compiled = compile(kind, &draft, CustomFields::Known(&custom_fields(api).await?))?;
    preview_of(api, &compiled.in_language(language), Some(&user)).await
}

/// Compiles the current version as the worker does: a merge field that no longer exists is empty.
///
/// # Errors
///
/// If Postgres is unavailable.
pub async fn in_use(api: &AppState, kind: SystemEmailKind) -> Result<ByLanguage<Compiled>, Problem> {
    let now = current(api, kind).await?;
    compile_all(kind, &now.texts(), CustomFields::Any)
}

/// Compiles a version, to show the email of a batch that was sent with it.
///
/// # Errors
///
/// If there is no such version.
pub async fn of_version(api: &AppState, kind: SystemEmailKind, version: i32) -> Result<ByLanguage<Compiled>, Problem> {
    let found = system_emails::find(&api.db, kind, version).await?;
    let found = found.ok_or_else(|| Problem::not_found("version"))?;
    compile_all(kind, &found.texts(), CustomFields::Any)
}

/// Renders an email for this user as of now. Without a user, for an invented one.
///
/// # Errors
///
/// If Postgres is unavailable.
pub async fn preview_of(api: &AppState, compiled: &Compiled, user: Option<&User>) -> Result<PreviewView, Problem> {
    let is_password_mail = compiled.kind() == SystemEmailKind::PasswordReset;
    // The lifetime counts from now, as if the email were sent now.
    let has_signed_in = user.is_some_and(|user| user.signed_in_at.is_some());
    let lifetime = api.letters.lifetimes.of(has_signed_in);
    let expires = Language::of(compiled.language()).date(system_emails::now(&api.db).await? + lifetime);
    let no_fields = Map::new();
    let fields = match user {
        Some(user) => user.fields.as_object().ok_or_else(Problem::internal)?,
        None => &no_fields,
    };
    let (first_name, last_name) = user.map_or(letter::EXAMPLE, |user| (&user.first_name, &user.last_name));
    let email = user.map_or(EXAMPLE_ADDRESS, |user| &user.email);
    let values = LetterValues {
        first_name,
        last_name,
        email,
        language: user.map_or("", |user| &user.language),
        fields,
        organisation: &api.letters.organisation,
        sign_in_url: &api.letters.sign_in_url,
        password: is_password_mail.then_some(ShownPassword::Masked),
        password_expires: is_password_mail.then_some(expires.as_str()),
    };
    let shown = letter::preview(compiled, &values);
    Ok(PreviewView {
        from: mailbox(&api.letters.from.name, api.letters.from.address.as_typed()),
        to: mailbox(format!("{first_name} {last_name}").trim(), email),
        language: compiled.language().to_owned(),
        subject: shown.subject,
        html: shown.html.to_string(),
        text: shown.text.to_string(),
        missing: shown.missing,
    })
}

/// Formats a mailbox as mail programs show it.
fn mailbox(name: &str, address: &str) -> String {
    if name.is_empty() {
        address.to_owned()
    } else {
        format!("{name} <{address}>")
    }
}

//! Renders exactly the email a person would get, before anything is sent.

use super::{KindPath, compile, current, custom_fields, tidied};
use crate::body::JsonBody;
use crate::problem::Problem;
use crate::query::Path;
use crate::state::Api;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Map;
use shared::letter::{self, LetterValues, ShownPassword, expires_text};
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
}

/// A rendered email.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PreviewView {
    /// The sender.
    pub from: String,
    /// The recipient.
    pub to: String,
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
#[utoipa::path(post, path = "/v1/system-emails/{key}/preview", tag = "system emails", request_body = PreviewRequest,
    params(("key" = String, Path, description = "`invite` or `password_reset`.")),
    responses((status = 200, body = PreviewView), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub async fn preview(
    State(api): State<Api>,
    Path(kind): KindPath,
    body: JsonBody<PreviewRequest>,
) -> Result<Json<PreviewView>, Problem> {
    let PreviewRequest { user, subject, body } = body.value;
    let user = crate::users::get(&api, user).await?;
    let compiled = if subject.is_none() && body.is_none() {
        in_use(&api, kind).await?
    } else {
        let now = current(&api, kind).await?;
        let draft = tidied(&subject.unwrap_or(now.subject), &body.unwrap_or(now.body));
        compile(kind, &draft, CustomFields::Known(&custom_fields(&api).await?))?
    };
    Ok(Json(preview_of(&api, &compiled, Some(&user)).await?))
}

/// Compiles the current version as the worker does: a merge field that no longer exists is empty.
///
/// # Errors
///
/// If Postgres is unavailable.
pub async fn in_use(api: &Api, kind: SystemEmailKind) -> Result<Compiled, Problem> {
    let now = current(api, kind).await?;
    compile(kind, &tidied(&now.subject, &now.body), CustomFields::Any)
}

/// Compiles a version, to show the email of a batch that was sent with it.
///
/// # Errors
///
/// 404 if there is no such version.
pub async fn of_version(api: &Api, kind: SystemEmailKind, version: i32) -> Result<Compiled, Problem> {
    let found = system_emails::find(&api.db, kind, version).await?;
    let found = found.ok_or_else(|| Problem::not_found("version"))?;
    compile(kind, &tidied(&found.subject, &found.body), CustomFields::Any)
}

/// Renders an email for this user as of now. Without a user, for an invented one.
///
/// # Errors
///
/// If Postgres is unavailable.
pub async fn preview_of(api: &Api, compiled: &Compiled, user: Option<&User>) -> Result<PreviewView, Problem> {
    let is_password_mail = compiled.kind() == SystemEmailKind::PasswordReset;
    // The lifetime counts from now, as if the email were sent now.
    let has_signed_in = user.is_some_and(|user| user.signed_in_at.is_some());
    let lifetime = api.letters.lifetimes.of(has_signed_in);
    let expires = expires_text(system_emails::now(&api.db).await? + lifetime);
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

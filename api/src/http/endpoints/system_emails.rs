//! System emails: `/v1/system-emails`.

use crate::app::caller::Caller;
use crate::app::idempotent::{IdempotencyKey, IdempotentRequest};
use crate::app::problem::{FieldError, Problem};
use crate::app::state::AppState;
use crate::app::system_emails::preview::{self, PreviewRequest, PreviewView};
use crate::app::system_emails::texts::{SaveRequest, TranslationView, read_language, translations};
use crate::app::system_emails::trial::{TestView, Trial, send_test};
use crate::app::system_emails::{self, current, custom_fields};
use crate::app::validation::not_null;
use crate::http::body::JsonBody;
use crate::http::pagination::{Page, PageRequest};
use crate::http::problem::ProblemBody;
use crate::http::query::{KindPath, Path, Query};
use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use shared::address::EmailAddress;
use shared::store::system_emails::Version;
use shared::system_email::{CustomFields, Field, SystemEmailKind};
use shared::trace::TraceContext;
use std::collections::{BTreeMap, BTreeSet};
use time::OffsetDateTime;
use utoipa::ToSchema;

/// A system email.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SystemEmailView {
    /// `invite` or `password_reset`.
    #[schema(value_type = String)]
    pub key: SystemEmailKind,
    /// The name shown in the console.
    pub name: &'static str,
    /// The subject, with merge fields.
    pub subject: String,
    /// The text, Markdown with merge fields.
    pub body: String,
    /// The language of subject and body; empty if it is not stated.
    pub language: String,
    /// The same email in other languages, by language tag. A user with the language `de-AT` gets the text in `de-AT`,
    /// otherwise in `de`, otherwise subject and body.
    pub translations: BTreeMap<String, TranslationView>,
    /// The version. Version 1 is the text shipped with Beckon.
    pub version: i32,
    /// When this version was saved.
    #[serde(with = "time::serde::rfc3339")]
    pub changed_at: OffsetDateTime,
    /// Who saved it.
    pub changed_by: String,
    /// The merge fields that it may contain.
    pub fields: Vec<FieldView>,
}

/// A merge field.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct FieldView {
    /// The name between the braces: `{{ name }}`.
    pub name: String,
    /// The meaning of the field.
    pub meaning: &'static str,
}

fn view(version: Version, custom: &BTreeSet<String>) -> SystemEmailView {
    let offered = Field::offered(version.kind, CustomFields::Known(custom));
    SystemEmailView {
        key: version.kind,
        name: version.kind.name(),
        translations: translations(&version),
        language: version.language,
        subject: version.subject,
        body: version.body,
        version: version.version,
        changed_at: version.created_at,
        changed_by: version.created_by,
        fields: offered
            .into_iter()
            .map(|field| FieldView {
                name: field.name().to_owned(),
                meaning: field.meaning(),
            })
            .collect(),
    }
}

/// Lists the system emails.
#[utoipa::path(get, path = "/v1/system-emails", tag = "system emails", params(PageRequest),
    responses((status = 200, body = Page<SystemEmailView>)))]
pub async fn list(
    State(api): State<AppState>,
    Query(page): Query<PageRequest>,
) -> Result<Json<Page<SystemEmailView>>, Problem> {
    let limit = page.limit()?;
    let after: Option<SystemEmailKind> = page.after()?;
    let custom = custom_fields(&api).await?;
    let is_past = |kind: &SystemEmailKind| after.is_none_or(|after| kind.as_str() > after.as_str());
    let mut items = Vec::with_capacity(SystemEmailKind::ALL.len());
    for kind in SystemEmailKind::ALL.into_iter().filter(is_past) {
        items.push(view(current(&api, kind).await?, &custom));
    }
    Ok(Json(Page::of(items, limit, |email| email.key)))
}

/// Shows the current version of a system email.
#[utoipa::path(get, path = "/v1/system-emails/{key}", tag = "system emails",
    params(("key" = String, Path, description = "`invite` or `password_reset`.")),
    responses((status = 200, body = SystemEmailView), (status = 404, body = ProblemBody)))]
pub async fn show(State(api): State<AppState>, Path(kind): KindPath) -> Result<Json<SystemEmailView>, Problem> {
    Ok(Json(view(current(&api, kind).await?, &custom_fields(&api).await?)))
}

/// Saves a text as the next version, which is used for batches accepted from now on.
///
/// A text equal to the current version creates no new one, so repeating the request is safe.
#[utoipa::path(put, path = "/v1/system-emails/{key}", tag = "system emails", request_body = SaveRequest,
    params(("key" = String, Path, description = "`invite` or `password_reset`.")),
    responses((status = 200, body = SystemEmailView), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody),
        (status = 422, body = ProblemBody)))]
pub async fn save(
    State(api): State<AppState>,
    caller: Caller,
    Path(kind): KindPath,
    body: JsonBody<SaveRequest>,
) -> Result<Json<SystemEmailView>, Problem> {
    let custom = custom_fields(&api).await?;
    let version = system_emails::save(&api, kind, &body.value, &custom, &caller.actor).await?;
    Ok(Json(view(version, &custom)))
}

/// Renders the email that a user would get. Nothing is sent, and no password is generated.
#[utoipa::path(post, path = "/v1/system-emails/{key}/preview", tag = "system emails", request_body = PreviewRequest,
    params(("key" = String, Path, description = "`invite` or `password_reset`.")),
    responses((status = 200, body = PreviewView), (status = 404, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub async fn preview(
    State(api): State<AppState>,
    Path(kind): KindPath,
    body: JsonBody<PreviewRequest>,
) -> Result<Json<PreviewView>, Problem> {
    Ok(Json(preview::preview(&api, kind, body.value).await?))
}

/// Where to send it.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TestRequest {
    /// The recipient, who need not be a user.
    pub to: String,
    /// The language of a user who would get this email; by default the default text is sent.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = String, required = false)]
    pub language: Option<String>,
}

/// Sends the current version to one address as a test, which changes no password.
#[utoipa::path(post, path = "/v1/system-emails/{key}/test", tag = "system emails", request_body = TestRequest,
    params(("key" = String, Path, description = "`invite` or `password_reset`.")),
    responses((status = 202, body = TestView), (status = 404, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub async fn test(
    State(api): State<AppState>,
    caller: Caller,
    key: IdempotencyKey,
    Extension(trace): Extension<TraceContext>,
    Path(kind): KindPath,
    body: JsonBody<TestRequest>,
) -> Result<(StatusCode, Json<TestView>), Problem> {
    let once = IdempotentRequest::new(&caller, &format!("test {}", kind.as_str()), key, body.digest);
    let address = EmailAddress::parse(&body.value.to).map_err(|fault| {
        let error = FieldError::in_field("to", fault.code(), fault.to_string());
        Problem::invalid("invalid_request", "This address cannot be used; see errors.").with_errors(vec![error])
    })?;
    let language = read_language("language", body.value.language.as_deref().unwrap_or_default())?;
    let accepted = send_test(
        &api,
        once,
        Trial {
            kind,
            wording: None,
            address,
            language,
        },
        &caller,
        trace,
    )
    .await?;
    Ok((StatusCode::ACCEPTED, Json(accepted)))
}

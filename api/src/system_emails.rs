//! System emails: reading, saving, previewing and testing them.
//!
//! Versions are immutable: saving creates the next one, and each batch uses the version it was accepted with. A text
//! that cannot be sent cannot be saved. It is compiled first, with the merge fields that exist, and all errors are
//! reported with their positions.

mod preview;
mod trial;

use crate::body::JsonBody;
use crate::caller::Caller;
use crate::page::{Page, PageRequest};
use crate::problem::{FieldError, Problem};
use crate::query::{Path, Query};
use crate::state::Api;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use shared::store::audit::Actor;
use shared::store::system_emails::{self, Version};
use shared::store::users;
use shared::system_email::{Compiled, CustomFields, Field, Part, SystemEmailKind, Template, TemplateFault};
use std::collections::BTreeSet;
use time::OffsetDateTime;
use tracing::info;
use utoipa::ToSchema;

pub use preview::{__path_preview, PreviewRequest, PreviewView, in_use, of_version, preview, preview_of};
pub use trial::{__path_test, TestRequest, TestView, send_test, test};

/// The system email in a path. A type alias, because utoipa would describe the parameter of a `Path` as a number or a
/// string.
pub type KindPath = Path<SystemEmailKind>;

/// How often saving is retried when another save happens at the same moment.
const SAVE_TRIES: usize = 5;

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

/// The current version.
///
/// # Errors
///
/// If Postgres is unavailable.
pub async fn current(api: &Api, kind: SystemEmailKind) -> Result<Version, Problem> {
    // `migrate` stores the original texts, so a missing version is an internal error.
    system_emails::current(&api.db, kind)
        .await?
        .ok_or_else(Problem::internal)
}

/// Names of the merge fields that imports have created.
///
/// # Errors
///
/// If Postgres is unavailable.
pub async fn custom_fields(api: &Api) -> Result<BTreeSet<String>, Problem> {
    Ok(users::field_names(&api.db).await?.into_iter().collect())
}

/// Lists the system emails.
#[utoipa::path(get, path = "/v1/system-emails", tag = "system emails", params(PageRequest),
    responses((status = 200, body = Page<SystemEmailView>)))]
pub async fn list(
    State(api): State<Api>,
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
    responses((status = 200, body = SystemEmailView), (status = 404, body = Problem)))]
pub async fn show(State(api): State<Api>, Path(kind): KindPath) -> Result<Json<SystemEmailView>, Problem> {
    Ok(Json(view(current(&api, kind).await?, &custom_fields(&api).await?)))
}

/// The text to save.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SaveRequest {
    /// The subject: one line of up to 200 characters, with merge fields.
    pub subject: String,
    /// The text: Markdown of up to 20,000 characters, with merge fields.
    pub body: String,
    /// The version that was edited. If another version was saved since, nothing is saved.
    pub based_on_version: Option<i32>,
}

/// Saves a text as the next version, which is used for batches accepted from now on.
///
/// A text equal to the current version creates no new one, so repeating the request is safe.
#[utoipa::path(put, path = "/v1/system-emails/{key}", tag = "system emails", request_body = SaveRequest,
    params(("key" = String, Path, description = "`invite` or `password_reset`.")),
    responses((status = 200, body = SystemEmailView), (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 422, body = Problem)))]
pub async fn save(
    State(api): State<Api>,
    caller: Caller,
    Path(kind): KindPath,
    body: JsonBody<SaveRequest>,
) -> Result<Json<SystemEmailView>, Problem> {
    let SaveRequest {
        subject,
        body,
        based_on_version,
    } = body.value;
    let draft = tidied(&subject, &body);
    let custom = custom_fields(&api).await?;
    compile(kind, &draft, CustomFields::Known(&custom))?;
    let this = api.clone();
    api.to_the_end(async move {
        let version = save_version(&this, kind, &draft, based_on_version, &caller.actor).await?;
        Ok(Json(view(version, &custom)))
    })
    .await
}

/// Saves a text that compiles, unless it equals the current one.
///
/// # Errors
///
/// 409 `changed_meanwhile` if it is based on a version other than the current one.
pub async fn save_version(
    api: &Api,
    kind: SystemEmailKind,
    draft: &Template,
    based_on: Option<i32>,
    by: &Actor,
) -> Result<Version, Problem> {
    for _ in 0..SAVE_TRIES {
        let now = current(api, kind).await?;
        if now.subject == draft.subject && now.body == draft.body {
            return Ok(now);
        }
        if based_on.is_some_and(|version| version != now.version) {
            return Err(changed_meanwhile(&now));
        }
        let saved = system_emails::save(&api.db, kind, now.version, &draft.subject, &draft.body, by).await?;
        if let Some(version) = saved {
            info!(mail = kind.as_str(), version, by = by.name, "Saved a system email");
            return system_emails::find(&api.db, kind, version)
                .await?
                .ok_or_else(Problem::internal);
        }
    }
    Err(changed_meanwhile(&current(api, kind).await?))
}

fn changed_meanwhile(now: &Version) -> Problem {
    Problem::conflict(
        "changed_meanwhile",
        format!(
            "{} saved version {} meanwhile. Read it, then save your text with based_on_version {}.",
            now.created_by, now.version, now.version
        ),
    )
}

/// Normalises a text for storage: no white space around the subject, and `\n` line ends, whichever the client sent.
pub fn tidied(subject: &str, body: &str) -> Template {
    Template {
        subject: subject.trim().to_owned(),
        body: body.replace("\r\n", "\n").replace('\r', "\n"),
    }
}

/// Compiles a text.
///
/// # Errors
///
/// 422 `template_invalid` with all errors and their positions.
pub fn compile(kind: SystemEmailKind, draft: &Template, custom: CustomFields<'_>) -> Result<Compiled, Problem> {
    draft.compile(kind, custom).map_err(|faults| {
        let errors = faults.into_iter().map(field_error).collect();
        Problem::unprocessable("template_invalid", "This email cannot be sent yet; see errors.").with_errors(errors)
    })
}

fn field_error(fault: TemplateFault) -> FieldError {
    let field = match fault.part {
        Part::Subject => "subject",
        Part::Body => "body",
    };
    FieldError {
        row: u32::try_from(fault.line).ok(),
        column: Some(fault.column.to_string()),
        field: Some(field.to_owned()),
        code: fault.code.to_owned(),
        message: fault.message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_have_positions() {
        let draft = tidied(" Hello ", "Dear {{ first_nam }},\r\n\r\n{{ password }}");
        assert_eq!(draft.subject, "Hello");

        let problem = compile(SystemEmailKind::Invite, &draft, CustomFields::Known(&BTreeSet::new())).unwrap_err();

        assert_eq!(
            (problem.status, problem.kind.as_str()),
            (422, "/problems/template_invalid")
        );
        let places: Vec<_> = problem
            .errors
            .iter()
            .map(|error| {
                (
                    error.field.as_deref().unwrap(),
                    error.row.unwrap(),
                    error.column.as_deref().unwrap(),
                )
            })
            .collect();
        assert_eq!(places, [("body", 1, "6"), ("body", 3, "1")]);
    }
}

//! Wording for one batch. The shared text of the system email does not change.

use crate::app::problem::{FieldError, Problem};
use crate::app::state::AppState;
use crate::app::system_emails::preview::in_use;
use crate::app::system_emails::texts::compile_all;
use crate::app::system_emails::{compile, current, custom_fields, normalised};
use crate::app::validation::{not_null, unusable};
use serde::Deserialize;
use shared::language::ByLanguage;
use shared::store::batches::Batch;
use shared::store::system_emails::{self, Version, Wording};
use shared::system_email::{Compiled, CustomFields, SystemEmailKind, Template};
use utoipa::ToSchema;

/// Wording for one batch, in one language for all its users. A part that is omitted is taken from the shared default
/// text.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WordingRequest {
    /// The subject: one line of up to 200 characters, with merge fields.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = String, required = false)]
    pub subject: Option<String>,
    /// The text: Markdown of up to 20,000 characters, with merge fields.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = String, required = false)]
    pub body: Option<String>,
}

/// The version that a batch is sent with.
pub(crate) async fn version_of(api: &AppState, batch: &Batch) -> Result<Version, Problem> {
    let found = system_emails::find(&api.db, batch.kind, batch.version).await?;
    found.ok_or_else(Problem::internal)
}

/// The wording of a batch, if it has its own.
pub(crate) async fn of_batch(api: &AppState, batch: &Batch) -> Result<Option<Wording>, Problem> {
    if batch.based_on.is_none() {
        return Ok(None);
    }
    Ok(version_of(api, batch).await?.wording())
}

/// Reads the wording of a request. Returns `None` for wording that equals the shared text.
///
/// # Errors
///
/// If it has no part, or cannot be sent.
pub(crate) async fn read(
    api: &AppState,
    kind: SystemEmailKind,
    request: Option<WordingRequest>,
) -> Result<Option<Wording>, Problem> {
    let Some(WordingRequest { subject, body }) = request else {
        return Ok(None);
    };
    if subject.is_none() && body.is_none() {
        let message = "wording has neither subject nor body. Set one, or omit wording.";
        return Err(unusable(FieldError::in_field("wording", "empty", message)));
    }
    let now = current(api, kind).await?;
    let draft = normalised(
        subject.as_ref().unwrap_or(&now.subject),
        body.as_ref().unwrap_or(&now.body),
    );
    let custom = custom_fields(api).await?;
    compile(kind, &draft, CustomFields::Known(&custom)).map_err(|mut problem| {
        for error in &mut problem.errors {
            error.field = error.field.take().map(|field| format!("wording.{field}"));
        }
        problem
    })?;
    let Template { subject, body } = draft;
    let differs = subject != now.subject || body != now.body;
    Ok(differs.then_some(Wording {
        subject,
        body,
        based_on: now.version,
        language: now.language,
    }))
}

/// The texts of a batch as it is sent: its own wording, or the shared texts in use.
pub(crate) async fn compiled(
    api: &AppState,
    kind: SystemEmailKind,
    wording: Option<&Wording>,
) -> Result<ByLanguage<Compiled>, Problem> {
    match wording {
        Some(wording) => compile_all(kind, &wording.texts(), CustomFields::Any),
        None => in_use(api, kind).await,
    }
}

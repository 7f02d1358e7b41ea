//! System emails: saving, previewing and testing them.
//!
//! Versions are immutable: saving creates the next one, and each batch uses the version it was accepted with. A text
//! that cannot be sent cannot be saved. It is compiled first, with the merge fields that exist, and all errors are
//! reported with their positions.

pub mod preview;
pub mod texts;
pub mod trial;

use crate::app::problem::{FieldError, Problem};
use crate::app::state::AppState;
use shared::store::audit::Actor;
use shared::store::system_emails::{self, Version};
use shared::store::users;
use shared::system_email::{Compiled, CustomFields, Part, SystemEmailKind, Template, TemplateFault, Texts};
use std::collections::BTreeSet;
use texts::{GivenTexts, SaveRequest, check_number, compile_all};
use tracing::info;

/// How often saving is retried when another save happens at the same moment.
const SAVE_TRIES: usize = 5;

/// The current version.
///
/// # Errors
///
/// If Postgres is unavailable.
pub async fn current(api: &AppState, kind: SystemEmailKind) -> Result<Version, Problem> {
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
pub async fn custom_fields(api: &AppState) -> Result<BTreeSet<String>, Problem> {
    Ok(users::field_names(&api.db).await?.into_iter().collect())
}

/// Saves the texts of a request as the next version, which is used for batches accepted from now on.
///
/// # Errors
///
/// If a text cannot be sent, a language is invalid, or the request is based on a version other than the current one.
pub async fn save(
    api: &AppState,
    kind: SystemEmailKind,
    request: &SaveRequest,
    custom: &BTreeSet<String>,
    by: &Actor,
) -> Result<Version, Problem> {
    let given = GivenTexts::read(request, &current(api, kind).await?)?;
    compile_all(kind, &given.texts(), CustomFields::Known(custom))?;
    save_version(api, kind, |now| given.applied(now), request.based_on_version, by).await
}

/// Saves texts that compile, unless they equal the current ones. `next` makes them from the current version.
///
/// # Errors
///
/// If there are too many translations, or they are based on a version other than the current one
/// (`changed_meanwhile`).
pub async fn save_version(
    api: &AppState,
    kind: SystemEmailKind,
    next: impl Fn(&Version) -> Texts + Send,
    based_on: Option<i32>,
    by: &Actor,
) -> Result<Version, Problem> {
    for _ in 0..SAVE_TRIES {
        let now = current(api, kind).await?;
        let texts = next(&now);
        check_number(texts.translations.len())?;
        if texts == now.texts() {
            return Ok(now);
        }
        if based_on.is_some_and(|version| version != now.version) {
            return Err(changed_meanwhile(&now));
        }
        let saved = system_emails::save(&api.db, kind, now.version, &texts, by).await?;
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
pub fn normalised(subject: &str, body: &str) -> Template {
    Template {
        subject: subject.trim().to_owned(),
        body: body.replace("\r\n", "\n").replace('\r', "\n"),
    }
}

/// Compiles a text.
///
/// # Errors
///
/// `template_invalid` with all errors and their positions.
pub fn compile(kind: SystemEmailKind, draft: &Template, custom: CustomFields<'_>) -> Result<Compiled, Problem> {
    let compiled = draft.compile(kind, custom);
    compiled.map_err(|faults| cannot_be_sent(faults.into_iter().map(field_error).collect()))
}

fn cannot_be_sent(errors: Vec<FieldError>) -> Problem {
    Problem::invalid("template_invalid", "This email cannot be sent yet; see errors.").with_errors(errors)
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
    use crate::app::problem::ProblemKind;

    #[test]
    fn faults_have_positions() {
        let draft = normalised(" Hello ", "Dear {{ first_nam }},\r\n\r\n{{ password }}");
        assert_eq!(draft.subject, "Hello");

        let problem = compile(SystemEmailKind::Invite, &draft, CustomFields::Known(&BTreeSet::new())).unwrap_err();

        assert_eq!(
            (problem.kind, problem.code.as_str()),
            (ProblemKind::Invalid, "template_invalid")
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

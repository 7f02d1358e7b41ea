//! The upload page.

use super::import_options::ChosenOptions;
use super::receive::{Refused, most, receive};
use crate::app::imports::staged::Received;
use crate::app::problem::Problem;
use crate::app::state::AppState;
use crate::app::upload_spool::UPLOAD_MOST_BYTES;
use crate::console::format::counted;
use crate::console::frame::{Frame, Section};
use crate::console::respond::{page, page_as, redirect};
use crate::console::session::Administrator;
use askama::Template;
use axum::extract::State;
use axum::extract::multipart::{Multipart, MultipartRejection};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use import::{Limits, SafeCsv};
use shared::store::imports::Import;
use shared::store::users;
use std::time::Duration;
use uuid::Uuid;

/// How long a request waits for the check or the import. Most finish sooner, so no progress page is shown.
pub(super) const PATIENCE: Duration = Duration::from_millis(1_500);

/// Example of an import file.
const EXAMPLE: [[&str; 4]; 4] = [
    ["email address", "first name", "last name", "department"],
    ["ana.ruiz@example.com", "Ana", "Ruiz", "Finance"],
    ["tomas.dvorak@example.com", "Tomáš", "Dvořák", "Sales"],
    ["wanjiru.kamau@example.com", "Wanjiru", "Kamau", "Sales"],
];

/// The upload form.
pub(super) struct FileForm {
    /// Idempotency key, so that submitting the form twice creates one import.
    pub(super) token: Uuid,
    /// The import that the file replaces.
    pub(super) instead_of: Option<Uuid>,
    /// Validation error of the file.
    pub(super) fault: Option<String>,
    /// Import options.
    pub(super) how: ChosenOptions,
}

impl FileForm {
    /// A form for a new file, or for one that replaces the file of an import.
    pub(super) fn instead_of(import: Option<Uuid>) -> Self {
        Self {
            token: Uuid::new_v4(),
            instead_of: import,
            fault: None,
            how: ChosenOptions::default(),
        }
    }

    /// A form for a corrected file, with the same import options.
    pub(super) fn correcting(import: &Import) -> Self {
        Self {
            how: ChosenOptions::of(import),
            ..Self::instead_of(Some(import.id))
        }
    }

    /// The size limit of a file, as text and in bytes.
    pub(super) fn most() -> (String, usize) {
        (most(), UPLOAD_MOST_BYTES)
    }

    /// Maximum number of rows in a file.
    pub(super) fn max_rows() -> String {
        counted(Limits::default().rows)
    }
}

/// The upload page.
#[derive(Template)]
#[template(path = "console/import_new.html")]
struct UploadPage {
    frame: Frame,
    form: FileForm,
    example: &'static [[&'static str; 4]],
    /// Merge fields offered for the template.
    fields: Vec<String>,
}

/// Renders the upload page, with the error of the last file if there is one.
pub(super) async fn upload_page(
    api: &AppState,
    administrator: &Administrator,
    form: FileForm,
) -> Result<Response, Problem> {
    let frame = administrator.frame(api, Section::Imports, "Import users").await;
    let is_fault = form.fault.is_some();
    let shown = UploadPage {
        frame: if is_fault { frame.with_faults() } else { frame },
        form,
        example: &EXAMPLE,
        fields: custom_fields(api).await?,
    };
    page_as(
        if is_fault {
            StatusCode::UNPROCESSABLE_ENTITY
        } else {
            StatusCode::OK
        },
        &shown,
    )
}

/// The first hundred merge fields.
async fn custom_fields(api: &AppState) -> Result<Vec<String>, Problem> {
    let mut fields = users::field_names(&api.db).await?;
    fields.truncate(super::template::MAX_FIELDS);
    Ok(fields)
}

/// Shows the upload page.
pub(super) async fn show(State(api): State<AppState>, administrator: Administrator) -> Result<Response, Problem> {
    upload_page(&api, &administrator, FileForm::instead_of(None)).await
}

/// Shows the upload page with the error of an unreadable file.
pub(super) async fn unreadable(
    api: &AppState,
    administrator: &Administrator,
    import: Uuid,
    fault: String,
) -> Result<Response, Problem> {
    let frame = administrator.frame(api, Section::Imports, "Import users").await;
    let form = FileForm {
        fault: Some(fault),
        ..FileForm::instead_of(Some(import))
    };
    page(&UploadPage {
        frame: frame.with_faults(),
        form,
        example: &EXAMPLE,
        fields: custom_fields(api).await?,
    })
}

/// Receives a file, starts checking it, and redirects to its page.
pub(super) async fn upload(
    State(api): State<AppState>,
    administrator: Administrator,
    multipart: Result<Multipart, MultipartRejection>,
) -> Result<Response, Problem> {
    let form = match receive(&api.concurrency_limits, &administrator, multipart, "Select a file").await {
        Ok(form) => form,
        Err(Refused::Problem(problem)) => return Err(problem),
        Err(Refused::Fault(fault, texts)) => {
            let form = FileForm {
                fault: Some(fault),
                how: texts.how(),
                ..FileForm::instead_of(texts.instead_of)
            };
            return upload_page(&api, &administrator, form).await;
        }
    };
    let received = Received {
        form_token: form.token,
        file_name: form.file_name,
        spooled: form.file,
        by: administrator.actor.clone(),
        instead_of: form.instead_of,
        mode: form.how.mode,
        clears_empty: form.how.clears_empty,
    };
    let import = api.staged_imports.upload(received).await?;
    if let Some(in_hand) = api.staged_imports.check(import, None).await? {
        in_hand.ended_within(PATIENCE).await;
    }
    Ok(redirect(&format!("/console/imports/{import}")))
}

/// The example as a CSV file.
pub(super) async fn example() -> Result<Response, Problem> {
    let written = || {
        let mut file = SafeCsv::new(Vec::new(), b',')?;
        for row in EXAMPLE {
            file.write(row)?;
        }
        file.finish()
    };
    let file = written().map_err(|_: std::io::Error| Problem::internal())?;
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"example.csv\""),
    ];
    Ok((headers, file).into_response())
}

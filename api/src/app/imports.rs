//! Imports: files of users, from the upload to what is stored.
//!
//! The upload goes to a temporary file first, so that memory use is constant and no transaction waits for a slow
//! client. Then everything is one transaction: all good rows of a file are imported, or none. Faulty rows are reported
//! and kept, to be corrected and imported again. Importing sends no email.

pub(crate) mod audit;
pub mod changes;
pub(crate) mod file_problem;
pub mod rejects;
pub mod request;
pub mod staged;
pub mod store;
pub mod view;

use crate::app::caller::Caller;
use crate::app::idempotent::{IdempotentRequest, Success};
use crate::app::problem::Problem;
use crate::app::state::AppState;
use crate::app::upload_spool::Spooled;
use crate::metrics::ApiMetrics;
use audit::record_imported;
use changes::first_changes;
use file_problem::file_problem;
use import::{Directions, Limits, Lines, ParsedFile, RowRules};
use request::{BodyFormat, ImportOptions, ImportRequest};
use shared::store::begin;
use shared::store::imports::file::{self, File};
use shared::store::imports::rejects::Rejects;
use shared::store::imports::{self, Import, ImportCounts, ImportState};
use std::sync::atomic::AtomicI32;
use store::{Attempts, StoredRows, StoringError, store_sheet};
use tracing::info;
use uuid::Uuid;
use view::ImportView;

/// Maximum number of problems in the response. The rest is in the file of rejected rows.
const MAX_PROBLEMS: usize = 100;

/// Opens the file. Spreadsheets are unpacked one at a time, because that takes time and memory.
async fn open(
    api: &AppState,
    file: &std::fs::File,
    (form, directions): (BodyFormat, Directions),
    rules: RowRules,
) -> Result<(ParsedFile, Lines<std::fs::File>), Problem> {
    let file = file.try_clone().map_err(|fault| file_problem(fault.into()))?;
    let _permit = match form {
        BodyFormat::Table => Some(api.concurrency_limits.for_check().await?),
        BodyFormat::Json => None,
    };
    let opened = tokio::task::spawn_blocking(move || match form {
        BodyFormat::Table => ParsedFile::open(file, &directions, Limits::default()),
        BodyFormat::Json => ParsedFile::open_json(file, Limits::default()),
    });
    let (sheet, lines) = opened.await.map_err(|_| Problem::internal())?.map_err(file_problem)?;
    Ok((sheet, lines.with_rules(rules)))
}

/// Imports a file and returns the result. All its good rows are imported, or none. A dry run stores nothing.
///
/// # Errors
///
/// If the file cannot be read, other imports take too long, or the idempotency key was used with another request.
pub async fn import_file(
    api: &AppState,
    caller: Caller,
    once: IdempotentRequest,
    spooled: Spooled,
    form: (BodyFormat, Directions),
    request: ImportRequest,
) -> Result<ImportView, Problem> {
    let (row_options, rules) = request.row_options()?;
    let mut opened = open(api, &spooled.file, form.clone(), rules).await?;
    let _permit = api.concurrency_limits.for_import().await?;
    let (file_name, options, by) = (request.file_name.clone(), request.options(), &caller.actor.name);
    let mut attempts = Attempts::default();
    let (mut transaction, import, stored) = loop {
        let mut transaction = begin(&api.db).await?;
        if let Some(answer) = once.answered(&mut transaction).await? {
            return Ok(answer);
        }
        file::take_turn(&mut transaction).await?;
        let import = file::create(&mut transaction, &file_name, by, &row_options).await?;
        let (unwatched, (sheet, lines)) = (AtomicI32::new(0), opened);
        let storing = store_sheet(
            &mut transaction,
            sheet,
            lines,
            import,
            request.mode,
            &unwatched,
            MAX_PROBLEMS,
        );
        if let Some(stored) = attempts.check(storing.await)? {
            break (transaction, import, stored);
        }
        drop(transaction);
        opened = open(api, &spooled.file, form.clone(), rules).await?;
    };
    let StoredRows { file, totals, problems } = stored;
    let changes = first_changes(&mut transaction, import).await?;
    let id = (!request.dry_run).then_some(import);
    let answer = ImportView {
        changes,
        ..ImportView::new(id, ImportState::Done, file_name, &file, options, &totals, problems)
    };
    if request.dry_run {
        // The transaction is dropped, so nothing is stored.
        return Ok(answer);
    }
    if !file::finish(&mut transaction, import, 0, &file, &totals, by).await? {
        return Err(Problem::internal());
    }
    record_imported(&mut transaction, &caller.actor, import, &totals).await?;
    once.commit(&api.db, transaction, Success::Created, &answer).await?;
    count(&api.metrics, &totals);
    info!(import.id = %import, rows = totals.rows, created = totals.created, rejected = totals.rejected, "Imported a file");
    Ok(answer)
}

impl From<StoringError> for Problem {
    fn from(error: StoringError) -> Self {
        match error {
            StoringError::File(fault) => file_problem(fault),
            StoringError::Store(fault) if fault.is_conflict() => Self::unavailable(
                "busy",
                "Other requests keep changing users of this file. Retry in a moment; with the same Idempotency-Key, \
                 nothing is done twice.",
                10,
            ),
            StoringError::Store(fault) => fault.into(),
        }
    }
}

/// Counts the rows that were imported.
pub fn count(metrics: &ApiMetrics, totals: &ImportCounts) {
    for (result, rows) in [
        ("created", totals.created),
        ("updated", totals.updated),
        ("unchanged", totals.unchanged),
        ("ignored", totals.ignored),
        ("rejected", totals.rejected),
        ("blank", totals.blank),
    ] {
        let rows = u64::try_from(rows).unwrap_or_default();
        metrics.import_rows.with_label_values(&[result]).inc_by(rows);
    }
}

/// The result of an import.
///
/// # Errors
///
/// If there is no such import.
pub async fn result_of(api: &AppState, id: Uuid) -> Result<ImportView, Problem> {
    let import = get(api, id).await?;
    let most = i64::try_from(MAX_PROBLEMS).unwrap_or(100);
    let rejects = imports::rejects::list(&api.db, id, Rejects::All, 0, most).await?;
    let problems = rejects.into_iter().flat_map(|reject| match reject.problems {
        serde_json::Value::Array(problems) => problems,
        other => vec![other],
    });
    let problems = problems.take(MAX_PROBLEMS).collect();
    let file = File {
        header: import.header,
        separator: import.separator,
        format: import.format,
        sheet: import.sheet,
        header_row: import.header_row,
        hidden_rows: import.hidden_rows,
        hidden_sheets: import.hidden_sheets,
        custom_fields: Vec::new(),
        mapping: import.mapping,
    };
    let options = ImportOptions {
        mode: import.mode,
        empty: import.clears_empty.into(),
    };
    let mut view = ImportView::new(
        Some(import.id),
        import.state,
        import.file_name,
        &file,
        options,
        &import.totals,
        problems,
    );
    view.changes = first_changes(&mut begin(&api.db).await?, id).await?;
    if import.details_dropped_at.is_some() {
        view.problems_url = None;
        view.details_dropped_at = import.details_dropped_at;
    }
    Ok(view)
}

/// The import with this id.
///
/// # Errors
///
/// If there is no such import.
pub async fn get(api: &AppState, id: Uuid) -> Result<Import, Problem> {
    imports::find(&api.db, id)
        .await?
        .ok_or_else(|| Problem::not_found("import"))
}

//! Imports: `POST /v1/imports`, and the result of one.
//!
//! The upload goes to a temporary file first, so that memory use is constant and no transaction waits for a slow
//! client. Then everything is one transaction: all good rows of a file are imported, or none. Faulty rows are reported
//! and kept, to be corrected and imported again. Importing sends no email.

mod changes;
mod problems;
mod request;
mod view;

use crate::caller::Caller;
use crate::idempotent::{IdempotencyKey, Once};
use crate::metrics::ApiMetrics;
use crate::problem::{FieldError, Problem};
use crate::query::{Path, Query};
use crate::spool::{Spooled, spool};
use crate::staged_import::note_imported;
use crate::state::Api;
use crate::storing::{Found, store_sheet};
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use import::{Directions, FileFault, Limits, Lines, Sheet};
use shared::store::begin;
use shared::store::imports::rows::{self, File, Rejects};
use shared::store::imports::{self, Import, ImportState, Totals};
use std::sync::atomic::AtomicI32;
use tracing::info;
use uuid::Uuid;

use changes::first_changes;
pub use changes::{ChangeView, changed_fields};
pub use problems::{__path_problems_csv, __path_problems_xlsx, problems_csv, problems_xlsx};
pub use request::{EmptyCells, ImportRequest};
use request::{Form, How, file_name, named};
pub use view::ImportView;

/// Maximum number of problems in the response. The rest is in the file of rejected rows.
const TOLD_MOST: usize = 100;

/// Imports users from CSV, a spreadsheet (`.xlsx`, `.xls`, `.ods`) or a JSON array of users.
#[utoipa::path(post, path = "/v1/imports", tag = "imports", params(ImportRequest),
    request_body(content = String, content_type = "text/csv"),
    responses((status = 200, body = ImportView, description = "The expected result: a dry run stores nothing."),
        (status = 201, body = ImportView, description = "The result."), (status = 422, body = Problem)))]
pub async fn create(
    State(api): State<Api>,
    caller: Caller,
    key: IdempotencyKey,
    Query(request): Query<ImportRequest>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<ImportView>), Problem> {
    let form = Form::of(&headers)?;
    let request = ImportRequest {
        file_name: file_name(&request.file_name)?,
        ..request
    };
    let directions = request.directions(form)?;
    let spooled = spool(&api.room, caller.id(), body).await?;
    let once = Once::new(&caller, &named(&request), key, spooled.digest.clone());
    let this = api.clone();
    let answer = api
        .to_the_end(async move { bring_in(&this, caller, once, spooled, (form, directions), request).await })
        .await?;
    let status = if answer.id.is_some() {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok((status, Json(answer)))
}

/// Opens the file. Spreadsheets are unpacked one at a time, because that takes time and memory.
async fn open(
    api: &Api,
    file: std::fs::File,
    (form, directions): (Form, Directions),
    request: &ImportRequest,
) -> Result<(Sheet, Lines<std::fs::File>), Problem> {
    let _room = match form {
        Form::Table => Some(api.room.for_check().await?),
        Form::Json => None,
    };
    let opened = tokio::task::spawn_blocking(move || match form {
        Form::Table => Sheet::open(file, &directions, Limits::default()),
        Form::Json => Sheet::open_json(file, Limits::default()),
    });
    let (sheet, lines) = opened.await.map_err(|_| Problem::internal())?.map_err(file_problem)?;
    Ok((sheet, lines.with_rules(request.manner().1)))
}

async fn bring_in(
    api: &Api,
    caller: Caller,
    once: Once,
    spooled: Spooled,
    form: (Form, Directions),
    request: ImportRequest,
) -> Result<ImportView, Problem> {
    let (sheet, lines) = open(api, spooled.file, form, &request).await?;
    let _room = api.room.for_import().await?;
    let mut transaction = begin(&api.db).await?;
    if let Some(answer) = once.answered(&mut transaction).await? {
        return Ok(answer);
    }
    rows::take_turn(&mut transaction).await?;
    let (file_name, how, by) = (request.file_name.clone(), request.how(), &caller.actor.name);
    let import = rows::create(&mut transaction, &file_name, by, &request.manner().0).await?;
    let unwatched = AtomicI32::new(0);
    let Found { file, totals, problems } = store_sheet(
        &mut transaction,
        sheet,
        lines,
        import,
        request.mode,
        &unwatched,
        TOLD_MOST,
    )
    .await?;
    let changes = first_changes(&mut transaction, import).await?;
    let id = (!request.dry_run).then_some(import);
    let answer = ImportView {
        changes,
        ..ImportView::new(id, ImportState::Done, file_name, &file, how, &totals, problems)
    };
    if request.dry_run {
        // The transaction is dropped, so nothing is stored.
        return Ok(answer);
    }
    if !rows::finish(&mut transaction, import, 0, &file, &totals, by).await? {
        return Err(Problem::internal());
    }
    note_imported(&mut transaction, &caller.actor, import, &totals).await?;
    once.commit(&api.db, transaction, StatusCode::CREATED, &answer).await?;
    count(&api.metrics, &totals);
    info!(import.id = %import, rows = totals.rows, created = totals.created, rejected = totals.rejected, "Imported a file");
    Ok(answer)
}

/// Counts the rows that were imported.
pub fn count(metrics: &ApiMetrics, totals: &Totals) {
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

/// The response for a file that cannot be imported.
#[expect(clippy::needless_pass_by_value, reason = "an error is turned into another")]
pub fn file_problem(fault: FileFault) -> Problem {
    let status = StatusCode::from_u16(fault.status()).unwrap_or(StatusCode::UNPROCESSABLE_ENTITY);
    if status == StatusCode::INTERNAL_SERVER_ERROR {
        tracing::error!(error = %fault, "An upload could not be read back from disk");
        return Problem::internal();
    }
    let error = |fault: &FileFault| FieldError {
        row: fault.row(),
        column: fault.column().map(str::to_owned),
        field: None,
        code: fault.code().to_owned(),
        message: fault.to_string(),
    };
    let errors = fault.each().iter().map(error).collect();
    Problem::new(status, fault.code(), fault.to_string()).with_errors(errors)
}

/// Shows the result of an import.
#[utoipa::path(get, path = "/v1/imports/{id}", tag = "imports", responses((status = 200, body = ImportView), (status = 404, body = Problem)))]
pub async fn show(State(api): State<Api>, Path(id): Path<Uuid>) -> Result<Json<ImportView>, Problem> {
    let import = get(&api, id).await?;
    let most = i64::try_from(TOLD_MOST).unwrap_or(100);
    let rejects = rows::rejects(&api.db, id, Rejects::All, 0, most).await?;
    let problems = rejects.into_iter().flat_map(|reject| match reject.problems {
        serde_json::Value::Array(problems) => problems,
        other => vec![other],
    });
    let problems = problems.take(TOLD_MOST).collect();
    let file = File {
        header: import.header,
        separator: import.separator,
        format: import.format,
        sheet: import.sheet,
        header_row: import.header_row,
        hidden_rows: import.hidden_rows,
        custom_fields: Vec::new(),
        mapping: import.mapping,
    };
    let how = How {
        mode: import.mode,
        empty: import.clears_empty.into(),
    };
    let mut view = ImportView::new(
        Some(import.id),
        import.state,
        import.file_name,
        &file,
        how,
        &import.totals,
        problems,
    );
    view.changes = first_changes(&mut begin(&api.db).await?, id).await?;
    if import.details_dropped_at.is_some() {
        view.problems_url = None;
        view.details_dropped_at = import.details_dropped_at;
    }
    Ok(Json(view))
}

async fn get(api: &Api, id: Uuid) -> Result<Import, Problem> {
    imports::find(&api.db, id)
        .await?
        .ok_or_else(|| Problem::not_found("import"))
}

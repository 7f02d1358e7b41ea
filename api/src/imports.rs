//! Imports: `POST /v1/imports`, and what came of one.
//!
//! The upload runs into a temporary file first, so that memory stays flat and no transaction
//! waits for a slow client. Then everything is one transaction: a file comes in with all its good
//! rows or not at all, and rows with faults are named and kept for mending. Importing sends
//! nothing to anybody.

mod changes;
mod problems;

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
use axum::http::{HeaderMap, StatusCode, header};
use import::{FileFault, Limits, Lines, ReadColumn, Sheet, read_columns};
use serde::{Deserialize, Serialize};
use shared::store::begin;
use shared::store::imports::rows::{self, File, Rejects};
use shared::store::imports::{self, Import, ImportState, Totals};
use std::sync::atomic::AtomicI32;
use time::OffsetDateTime;
use tracing::info;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use changes::first_changes;
pub use changes::{ChangeView, changed_fields};
pub use problems::{__path_problems_csv, __path_problems_xlsx, problems_csv, problems_xlsx};

/// Problems told in the answer; the rest is in the file to mend.
const TOLD_MOST: usize = 100;

/// How to import.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ImportRequest {
    /// What the file is called, to know it again.
    #[serde(default)]
    pub file_name: String,
    /// Only say what would happen.
    #[serde(default)]
    pub dry_run: bool,
    /// The sheet to read of a spreadsheet with several that have something in them.
    pub sheet: Option<String>,
    /// Take values that look damaged (`problems` with `acceptable`) as they are.
    #[serde(default)]
    pub accept_doubtful: bool,
}

/// What came of an import. `rows` = created + updated + unchanged + rejected.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ImportView {
    /// Its id; absent for a dry run.
    pub id: Option<Uuid>,
    /// The file's name.
    pub file_name: String,
    /// Where it stands. What came by API is `done`, or `undone` later; a file from the console is
    /// `checking`, `checked` and `storing` before, or `unreadable`, or `discarded`.
    #[schema(value_type = String)]
    pub state: ImportState,
    /// Rows with something in them.
    pub rows: i32,
    /// New people.
    pub created: i32,
    /// People whose details changed.
    pub updated: i32,
    /// People who were there already, just so.
    pub unchanged: i32,
    /// Rows that were not taken.
    pub rejected: i32,
    /// Of the rejected rows, those whose address an earlier row has. They are no faults and not in the file of rows
    /// to mend.
    #[serde(default)]
    pub duplicates: i32,
    /// Of the rejected rows, those whose every problem is `acceptable`: the same request with `accept_doubtful=true`
    /// takes them as they are.
    #[serde(default)]
    pub doubtful: i32,
    /// Blank rows, which are skipped.
    pub blank: i32,
    /// The kind of the file: `csv`, `json`, `xlsx`, `xls` or `ods`.
    #[serde(default)]
    pub format: String,
    /// The sheet of a spreadsheet that was read.
    #[serde(default)]
    pub sheet: Option<String>,
    /// The row with the names of the columns. What stands above it is passed over.
    #[serde(default)]
    pub header_row: i32,
    /// Rows that the spreadsheet does not show. They are read like the others.
    #[serde(default)]
    pub hidden_rows: i32,
    /// How each column of the file is read; empty before it is checked.
    #[serde(default)]
    pub columns: Vec<ReadColumn>,
    /// The first hundred things wrong with rows.
    #[schema(value_type = Vec<import::Problem>)]
    pub problems: Vec<serde_json::Value>,
    /// The first hundred values that change, or have changed, for people who were there already. Empty once they are
    /// not kept any longer.
    #[serde(default)]
    pub changes: Vec<ChangeView>,
    /// Where all rejected rows but duplicates can be downloaded, each with its problems, ready to mend.
    pub problems_url: Option<String>,
    /// Since when its rejected rows are not kept any longer (`BECKON_DETAILS_KEPT`); its numbers stay.
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub details_dropped_at: Option<OffsetDateTime>,
}

impl ImportView {
    fn new(
        id: Option<Uuid>,
        state: ImportState,
        file_name: String,
        file: &File,
        totals: &Totals,
        problems: Vec<serde_json::Value>,
    ) -> Self {
        let ending = if matches!(file.format.as_str(), "csv" | "json") {
            "csv"
        } else {
            "xlsx"
        };
        Self {
            problems_url: id
                .filter(|_| totals.rejected > totals.duplicates)
                .map(|id| format!("/v1/imports/{id}/problems.{ending}")),
            id,
            file_name,
            state,
            rows: totals.rows,
            created: totals.created,
            updated: totals.updated,
            unchanged: totals.unchanged,
            rejected: totals.rejected,
            duplicates: totals.duplicates,
            doubtful: totals.doubtful,
            changes: Vec::new(),
            columns: read_columns(&file.header),
            blank: totals.blank,
            format: file.format.clone(),
            sheet: file.sheet.clone(),
            header_row: file.header_row,
            hidden_rows: file.hidden_rows,
            problems,
            details_dropped_at: None,
        }
    }
}

/// Brings people in, from CSV, a spreadsheet (`.xlsx`, `.xls`, `.ods`) or a JSON array of users.
#[utoipa::path(post, path = "/v1/imports", tag = "imports", params(ImportRequest),
    request_body(content = String, content_type = "text/csv"),
    responses((status = 200, body = ImportView, description = "What would happen: a dry run, of which nothing is stored."),
        (status = 201, body = ImportView, description = "What happened."), (status = 422, body = Problem)))]
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
    let spooled = spool(&api.room, caller.id(), body).await?;
    let once = Once::new(&caller, &named(&request), key, spooled.digest.clone());
    let this = api.clone();
    let answer = api
        .to_the_end(async move { bring_in(&this, caller, once, spooled, form, request).await })
        .await?;
    let status = if answer.id.is_some() {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok((status, Json(answer)))
}

/// What a request asks for beside its file, to know it again.
fn named(request: &ImportRequest) -> String {
    let mut name = format!("import {} {}", request.file_name, request.dry_run);
    if let Some(sheet) = &request.sheet {
        name.push_str(" of sheet ");
        name.push_str(sheet);
    }
    if request.accept_doubtful {
        name.push_str(" with doubtful values");
    }
    name
}

/// Opens the file. Spreadsheets are unpacked one at a time, for that takes time and room.
async fn open(
    api: &Api,
    file: std::fs::File,
    form: Form,
    request: &ImportRequest,
) -> Result<(Sheet, Lines<std::fs::File>), Problem> {
    let _room = match form {
        Form::Table => Some(api.room.for_check().await?),
        Form::Json => None,
    };
    let sheet = request.sheet.clone();
    let opened = tokio::task::spawn_blocking(move || match form {
        Form::Table => Sheet::open(file, sheet.as_deref(), Limits::default()),
        Form::Json => Sheet::open_json(file, Limits::default()),
    });
    let (sheet, lines) = opened.await.map_err(|_| Problem::internal())?.map_err(file_problem)?;
    Ok((sheet, lines.accepting_doubtful(request.accept_doubtful)))
}

async fn bring_in(
    api: &Api,
    caller: Caller,
    once: Once,
    spooled: Spooled,
    form: Form,
    request: ImportRequest,
) -> Result<ImportView, Problem> {
    let (sheet, lines) = open(api, spooled.file, form, &request).await?;
    let _room = api.room.for_import().await?;
    let mut transaction = begin(&api.db).await?;
    if let Some(answer) = once.answered(&mut transaction).await? {
        return Ok(answer);
    }
    rows::take_turn(&mut transaction).await?;
    let (file_name, by) = (request.file_name, &caller.actor.name);
    let import = rows::create(&mut transaction, &file_name, by, request.accept_doubtful).await?;
    let unwatched = AtomicI32::new(0);
    let Found { file, totals, problems } =
        store_sheet(&mut transaction, sheet, lines, import, &unwatched, TOLD_MOST).await?;
    let changes = first_changes(&mut transaction, import).await?;
    let id = (!request.dry_run).then_some(import);
    let answer = ImportView {
        changes,
        ..ImportView::new(id, ImportState::Done, file_name, &file, &totals, problems)
    };
    if request.dry_run {
        // Nothing of it stays: the transaction is dropped.
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
        ("rejected", totals.rejected),
        ("blank", totals.blank),
    ] {
        let rows = u64::try_from(rows).unwrap_or_default();
        metrics.import_rows.with_label_values(&[result]).inc_by(rows);
    }
}

/// In what form the people come.
#[derive(Clone, Copy, Debug)]
enum Form {
    /// CSV or a spreadsheet; the first bytes say which.
    Table,
    Json,
}

/// What CSV files and spreadsheets are sent as. Windows calls a CSV by the name of Excel's files.
const TABLES: [&str; 6] = [
    "text/csv",
    "text/tab-separated-values",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "application/vnd.ms-excel.sheet.macroenabled.12",
    "application/vnd.ms-excel",
    "application/vnd.oasis.opendocument.spreadsheet",
];

impl Form {
    fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let content_type = content_type.unwrap_or_default().split(';').next().unwrap_or_default();
        let content_type = content_type.trim().to_ascii_lowercase();
        let is_plain = !headers.contains_key(header::CONTENT_ENCODING);
        match content_type.as_str() {
            table if is_plain && TABLES.contains(&table) => Ok(Self::Table),
            "application/json" if is_plain => Ok(Self::Json),
            _ => Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "not_csv",
                "Send a CSV file with Content-Type: text/csv, a spreadsheet (.xlsx, .xls, .ods) with its own type, or a \
                 JSON array of users with application/json, uncompressed.",
            )),
        }
    }
}

fn file_name(given: &str) -> Result<String, Problem> {
    let name = given.trim();
    let seen = crate::body::without_controls("file_name", name).and_then(|()| {
        if name.chars().any(shared::name::is_invisible) {
            let told = "file_name has an invisible character; remove it.";
            return Err(FieldError::in_field(
                "file_name",
                "invisible_character",
                told.to_owned(),
            ));
        }
        Ok(())
    });
    seen.map_err(|error| {
        Problem::unprocessable("invalid_request", "The file's name cannot be used; see errors.")
            .with_errors(vec![error])
    })?;
    let name: String = name.chars().take(200).collect();
    Ok(if name.is_empty() { "import".to_owned() } else { name })
}

/// What is wrong with a whole file.
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

/// Shows what came of an import.
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
    };
    let mut view = ImportView::new(
        Some(import.id),
        import.state,
        import.file_name,
        &file,
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

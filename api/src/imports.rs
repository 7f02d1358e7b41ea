//! Imports: `POST /v1/imports`, and what came of one.
//!
//! The upload runs into a temporary file first, so that memory stays flat and no transaction
//! waits for a slow client. Then everything is one transaction: a file comes in with all its good
//! rows or not at all, and rows with faults are named and kept for mending. Importing sends
//! nothing to anybody.

mod changes;

use crate::caller::Caller;
use crate::idempotent::{IdempotencyKey, Once};
use crate::import::{FileFault, FixFile, Limits, Sheet};
use crate::metrics::ApiMetrics;
use crate::problem::{FieldError, Problem};
use crate::query::{Path, Query};
use crate::spool::{Spooled, spool};
use crate::staged_import::note_imported;
use crate::state::Api;
use crate::storing::{Found, store_sheet};
use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use serde::{Deserialize, Serialize};
use shared::store::begin;
use shared::store::imports::rows::{self, Reject, Rejects};
use shared::store::imports::{self, Import, ImportState, Totals};
use std::sync::atomic::AtomicI32;
use time::OffsetDateTime;
use tracing::info;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use changes::first_changes;
pub use changes::{ChangeView, changed_fields};

/// Problems told in the answer; the rest is in the file to mend.
const TOLD_MOST: usize = 100;

/// Rows read from Postgres at a time.
const GROUP: i64 = 1_000;

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
    /// Blank rows, which are skipped.
    pub blank: i32,
    /// The first hundred things wrong with rows.
    #[schema(value_type = Vec<crate::import::Problem>)]
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
        totals: &Totals,
        problems: Vec<serde_json::Value>,
    ) -> Self {
        Self {
            problems_url: id
                .filter(|_| totals.rejected > totals.duplicates)
                .map(|id| format!("/v1/imports/{id}/problems.csv")),
            id,
            file_name,
            state,
            rows: totals.rows,
            created: totals.created,
            updated: totals.updated,
            unchanged: totals.unchanged,
            rejected: totals.rejected,
            duplicates: totals.duplicates,
            changes: Vec::new(),
            blank: totals.blank,
            problems,
            details_dropped_at: None,
        }
    }
}

/// Brings people in, from CSV or a JSON array of users.
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
    let file_name = file_name(&request.file_name)?;
    let spooled = spool(&api.room, caller.id(), body).await?;
    let once = Once::new(
        &caller,
        &format!("import {file_name} {}", request.dry_run),
        key,
        spooled.digest.clone(),
    );
    let this = api.clone();
    let answer = api
        .to_the_end(async move { bring_in(&this, caller, once, spooled, form, file_name, request.dry_run).await })
        .await?;
    let status = if answer.id.is_some() {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok((status, Json(answer)))
}

async fn bring_in(
    api: &Api,
    caller: Caller,
    once: Once,
    spooled: Spooled,
    form: Form,
    file_name: String,
    dry_run: bool,
) -> Result<ImportView, Problem> {
    let opened = tokio::task::spawn_blocking(move || match form {
        Form::Csv => Sheet::open_csv(spooled.file, Limits::default()),
        Form::Json => Sheet::open_json(spooled.file, Limits::default()),
    });
    let (sheet, lines) = opened.await.map_err(|_| Problem::internal())?.map_err(file_problem)?;
    let _room = api.room.for_import().await?;
    let mut transaction = begin(&api.db).await?;
    if let Some(answer) = once.answered(&mut transaction).await? {
        return Ok(answer);
    }
    rows::take_turn(&mut transaction).await?;
    let import = rows::create(&mut transaction, &file_name, &caller.actor.name).await?;
    let unwatched = AtomicI32::new(0);
    let Found { file, totals, problems } =
        store_sheet(&mut transaction, sheet, lines, import, &unwatched, TOLD_MOST).await?;
    let changes = first_changes(&mut transaction, import).await?;
    if dry_run {
        // Nothing of it stays: the transaction is dropped.
        let answer = ImportView::new(None, ImportState::Done, file_name, &totals, problems);
        return Ok(ImportView { changes, ..answer });
    }
    if !rows::finish(&mut transaction, import, 0, &file, &totals, &caller.actor.name).await? {
        return Err(Problem::internal());
    }
    note_imported(&mut transaction, &caller.actor, import, &totals).await?;
    let answer = ImportView::new(Some(import), ImportState::Done, file_name, &totals, problems);
    let answer = ImportView { changes, ..answer };
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
    Csv,
    Json,
}

impl Form {
    fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let content_type = headers
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        match content_type
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase()
            .as_str()
        {
            "text/csv" if !headers.contains_key(header::CONTENT_ENCODING) => Ok(Self::Csv),
            "application/json" if !headers.contains_key(header::CONTENT_ENCODING) => Ok(Self::Json),
            _ => Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "not_csv",
                "Send a CSV file with Content-Type: text/csv, or a JSON array of users with application/json, uncompressed.",
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
    let error = FieldError {
        row: fault.row(),
        column: fault.column().map(str::to_owned),
        field: None,
        code: fault.code().to_owned(),
        message: fault.to_string(),
    };
    Problem::new(status, fault.code(), fault.to_string()).with_errors(vec![error])
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
    let mut view = ImportView::new(
        Some(import.id),
        import.state,
        import.file_name,
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

/// The rejected rows as a CSV file to mend and import again. Rows whose address an earlier row has are not in it:
/// imported by themselves, they would overwrite what that row said.
#[utoipa::path(get, path = "/v1/imports/{id}/problems.csv", tag = "imports",
    responses((status = 200, content_type = "text/csv", body = String), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub async fn problems_csv(State(api): State<Api>, Path(id): Path<Uuid>) -> Result<Response, Problem> {
    let import = get(&api, id).await?;
    if import.details_dropped_at.is_some() {
        return Err(Problem::unprocessable(
            "details_dropped",
            "The rejected rows of this import are not kept any longer. Import the file again to see what is wrong in it.",
        ));
    }
    let parts = stream::try_unfold((api, import, Some(-1)), |(api, import, after)| async move {
        let Some(after) = after else { return Ok(None) };
        let rejects = rows::rejects(&api.db, import.id, Rejects::Faulty, after.max(0), GROUP)
            .await
            .map_err(std::io::Error::other)?;
        let next = rejects.last().map(|reject| reject.number);
        let part = written(&import, &rejects, after < 0)?;
        Ok::<_, std::io::Error>(Some((part, (api, import, next))))
    });
    let name = format!("attachment; filename=\"import-{id}-problems.csv\"");
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (header::CONTENT_DISPOSITION, name),
    ];
    Ok((headers, Body::from_stream(parts)).into_response())
}

fn written(import: &Import, rejects: &[Reject], is_first: bool) -> std::io::Result<Bytes> {
    let separator = u8::try_from(import.separator).unwrap_or(b',');
    let mut file = if is_first {
        FixFile::new(Vec::new(), separator, &import.header)?
    } else {
        FixFile::continued(Vec::new(), separator, &import.header)
    };
    for reject in rejects {
        let told: Vec<(Option<&str>, &str)> = reject
            .problems
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|problem| Some((problem["column"].as_str(), problem["message"].as_str()?)))
            .collect();
        file.write(&reject.cells, told)?;
    }
    Ok(Bytes::from(file.finish()?))
}

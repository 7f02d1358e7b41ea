//! Imports: `POST /v1/imports`, and the result of one.

use crate::app::caller::Caller;
use crate::app::idempotent::{IdempotencyKey, IdempotentRequest};
use crate::app::imports;
use crate::app::imports::request::{ImportRequest, file_name, named};
use crate::app::imports::view::ImportView;
use crate::app::problem::Problem;
use crate::app::state::AppState;
use crate::app::upload_spool::spool;
use crate::http::file_form::form_of;
use crate::http::problem::ProblemBody;
use crate::http::query::{Path, Query};
use crate::http::rejected_rows;
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use uuid::Uuid;

/// Imports users from CSV, a spreadsheet (`.xlsx`, `.xls`, `.ods`) or a JSON array of users.
#[utoipa::path(post, path = "/v1/imports", tag = "imports", params(ImportRequest),
    request_body(content((String = "text/csv"), (Vec<u8> = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        (Vec<u8> = "application/vnd.ms-excel"), (Vec<u8> = "application/vnd.oasis.opendocument.spreadsheet"),
        (Vec<Object> = "application/json"))),
    responses((status = 200, body = ImportView, description = "The expected result: a dry run stores nothing."),
        (status = 201, body = ImportView, description = "The result."), (status = 422, body = ProblemBody)))]
pub async fn create(
    State(api): State<AppState>,
    caller: Caller,
    key: IdempotencyKey,
    Query(request): Query<ImportRequest>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<ImportView>), Problem> {
    let form = form_of(&headers)?;
    let request = ImportRequest {
        file_name: file_name(&request.file_name)?,
        ..request
    };
    let directions = request.directions(form)?;
    let spooled = spool(&api.concurrency_limits, caller.id(), body.into_data_stream()).await?;
    let once = IdempotentRequest::new(&caller, &named(&request), key, spooled.digest.clone());
    let answer = imports::import_file(&api, caller, once, spooled, (form, directions), request).await?;
    let status = if answer.id.is_some() {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok((status, Json(answer)))
}

/// Shows the result of an import.
#[utoipa::path(get, path = "/v1/imports/{id}", tag = "imports", responses((status = 200, body = ImportView), (status = 404, body = ProblemBody)))]
pub async fn show(State(api): State<AppState>, Path(id): Path<Uuid>) -> Result<Json<ImportView>, Problem> {
    Ok(Json(imports::result_of(&api, id).await?))
}

/// Downloads the rejected rows as a CSV file to correct and import again. Rows with the address of an earlier row are
/// not included: imported again, they would overwrite the values of that row.
#[utoipa::path(get, path = "/v1/imports/{id}/problems.csv", tag = "imports",
    responses((status = 200, content_type = "text/csv", body = String), (status = 404, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub async fn problems_csv(State(api): State<AppState>, Path(id): Path<Uuid>) -> Result<Response, Problem> {
    rejected_rows::csv(api, id).await
}

/// Downloads the rejected rows as a spreadsheet to correct and import again, with the faulty cells marked and the
/// reasons in a separate column.
#[utoipa::path(get, path = "/v1/imports/{id}/problems.xlsx", tag = "imports",
    responses((status = 200, content_type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        body = Vec<u8>), (status = 404, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub async fn problems_xlsx(State(api): State<AppState>, Path(id): Path<Uuid>) -> Result<Response, Problem> {
    rejected_rows::xlsx(&api, id).await
}

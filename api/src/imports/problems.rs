//! The rejected rows as a file to correct and import again: CSV, or a spreadsheet.

use super::get;
use crate::problem::Problem;
use crate::query::Path;
use crate::spool::disk;
use crate::state::Api;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use import::{FixFile, FixWorkbook};
use serde_json::Value;
use shared::store::imports::Import;
use shared::store::imports::rows::{self, Reject, Rejects};
use std::io::Seek as _;
use tokio_util::io::ReaderStream;
use uuid::Uuid;

/// Rows read from Postgres at a time.
const GROUP: i64 = 1_000;

/// Downloads the rejected rows as a CSV file to correct and import again. Rows with the address of an earlier row are
/// not included: imported again, they would overwrite the values of that row.
#[utoipa::path(get, path = "/v1/imports/{id}/problems.csv", tag = "imports",
    responses((status = 200, content_type = "text/csv", body = String), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub async fn problems_csv(State(api): State<Api>, Path(id): Path<Uuid>) -> Result<Response, Problem> {
    let import = with_details(&api, id).await?;
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
        let listed: Vec<(Option<&str>, &str)> = reject
            .problems
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|problem| Some((problem["column"].as_str(), problem["message"].as_str()?)))
            .collect();
        file.write(&reject.cells, listed)?;
    }
    Ok(Bytes::from(file.finish()?))
}

/// Downloads the rejected rows as a spreadsheet to correct and import again, with the faulty cells marked and the
/// reasons in a separate column.
#[utoipa::path(get, path = "/v1/imports/{id}/problems.xlsx", tag = "imports",
    responses((status = 200, content_type = "application/octet-stream",
        body = String), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub async fn problems_xlsx(State(api): State<Api>, Path(id): Path<Uuid>) -> Result<Response, Problem> {
    let import = with_details(&api, id).await?;
    let mut book = FixWorkbook::new(&import.header).map_err(|fault| disk(&fault))?;
    let mut after = 0;
    loop {
        let rejects = rows::rejects(&api.db, id, Rejects::Faulty, after, GROUP).await?;
        let Some(last) = rejects.last() else { break };
        after = last.number;
        for reject in &rejects {
            let problems = reject.problems.as_array().into_iter().flatten();
            let listed = problems.filter_map(|problem| {
                let place = place_of(problem, &import.header);
                Some((place, problem["column"].as_str(), problem["message"].as_str()?))
            });
            book.write(&reject.cells, listed).map_err(|fault| disk(&fault))?;
        }
    }
    let written = tokio::task::spawn_blocking(move || {
        let mut file = tempfile::tempfile()?;
        book.save(&mut file)?;
        file.rewind()?;
        Ok(file)
    });
    let file = written.await.map_err(|_| Problem::internal())?;
    let file = file.map_err(|fault: std::io::Error| disk(&fault))?;
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"import-{id}-problems.xlsx\""),
        ),
    ];
    let body = Body::from_stream(ReaderStream::new(tokio::fs::File::from_std(file)));
    Ok((headers, body).into_response())
}

/// An import whose rejected rows are kept.
async fn with_details(api: &Api, id: Uuid) -> Result<Import, Problem> {
    let import = get(api, id).await?;
    if import.details_dropped_at.is_some() {
        return Err(Problem::unprocessable(
            "details_dropped",
            "The rejected rows of this import have been deleted. Import the file again to see its problems.",
        ));
    }
    Ok(import)
}

/// The place in the row that a problem is about.
fn place_of(problem: &Value, header: &[String]) -> Option<usize> {
    let column = problem["column"].as_str()?;
    header.iter().position(|name| name == column)
}

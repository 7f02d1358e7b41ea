//! The rejected rows of an import as a file to correct and import again.

use crate::app::imports::rejects;
use crate::app::problem::Problem;
use crate::app::state::AppState;
use crate::http::download::{CSV, XLSX, download};
use axum::response::Response;
use tokio_util::io::ReaderStream;
use uuid::Uuid;

/// The rows as CSV.
///
/// # Errors
///
/// If there is no such import, or its rejected rows have been deleted.
pub(crate) async fn csv(api: AppState, import: Uuid) -> Result<Response, Problem> {
    let found = rejects::with_details(&api, import).await?;
    let name = format!("import-{import}-problems.csv");
    Ok(download(CSV, &name, rejects::csv(api, found)))
}

/// The rows as a spreadsheet.
///
/// # Errors
///
/// As for [`csv`].
pub(crate) async fn xlsx(api: &AppState, import: Uuid) -> Result<Response, Problem> {
    let found = rejects::with_details(api, import).await?;
    let file = rejects::workbook(api, &found).await?;
    let name = format!("import-{import}-problems.xlsx");
    let pieces = ReaderStream::new(tokio::fs::File::from_std(file));
    Ok(download(XLSX, &name, pieces))
}

//! The rejected rows as a file to correct and import again: CSV, or a spreadsheet.

use super::get;
use crate::app::problem::Problem;
use crate::app::state::AppState;
use crate::app::upload_spool::disk;
use futures_util::{Stream, stream};
use import::{FixFile, FixWorkbook};
use serde_json::Value;
use shared::store::imports::Import;
use shared::store::imports::rejects::{self, Reject, Rejects};
use std::fs::File;
use std::io::{self, Seek as _};
use uuid::Uuid;

/// Rows read from Postgres at a time.
const GROUP: i64 = 1_000;

/// The rejected rows of this import as a CSV file, in pieces. Rows with the address of an earlier row are not included.
pub fn csv(api: AppState, import: Import) -> impl Stream<Item = io::Result<Vec<u8>>> + Send + 'static {
    stream::try_unfold((api, import, Some(-1)), |(api, import, after)| async move {
        let Some(after) = after else { return Ok(None) };
        let rejects = rejects::list(&api.db, import.id, Rejects::Faulty, after.max(0), GROUP)
            .await
            .map_err(io::Error::other)?;
        let next = rejects.last().map(|reject| reject.number);
        let part = written(&import, &rejects, after < 0)?;
        Ok::<_, io::Error>(Some((part, (api, import, next))))
    })
}

fn written(import: &Import, rejects: &[Reject], is_first: bool) -> io::Result<Vec<u8>> {
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
    file.finish()
}

/// The rejected rows of this import as a spreadsheet.
///
/// # Errors
///
/// If Postgres is unavailable, or there is no disk space for the file.
pub async fn workbook(api: &AppState, import: &Import) -> Result<File, Problem> {
    let mut book = FixWorkbook::new(&import.header).map_err(|fault| disk(&fault))?;
    let mut after = 0;
    loop {
        let rejects = rejects::list(&api.db, import.id, Rejects::Faulty, after, GROUP).await?;
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
    file.map_err(|fault: io::Error| disk(&fault))
}

/// An import whose rejected rows are kept.
///
/// # Errors
///
/// If there is no such import, or its rejected rows have been deleted.
pub async fn with_details(api: &AppState, id: Uuid) -> Result<Import, Problem> {
    let import = get(api, id).await?;
    if import.details_dropped_at.is_some() {
        return Err(Problem::invalid(
            "details_dropped",
            "The rejected rows of this import have been deleted. Import the file again to see its problems.",
        ));
    }
    Ok(import)
}

/// The place in the row that a problem is about.
fn place_of(problem: &Value, header: &[String]) -> Option<usize> {
    let column = problem["column"].as_str()?;
    // A problem has the beginning of a long name.
    header.iter().position(|name| import::single::shown(name) == column)
}

//! The page of one import, in any state.

use super::find::get;
use super::upload::unreadable;
use super::{checked, columns, done};
use crate::app::problem::Problem;
use crate::app::state::AppState;
use crate::console::format::{Moment, counted, lasting, moment};
use crate::console::frame::{Frame, Section};
use crate::console::respond::page;
use crate::console::session::Administrator;
use crate::http::query::Path;
use askama::Template;
use axum::extract::State;
use axum::response::Response;
use shared::store::imports::{Import, ImportState};
use uuid::Uuid;

/// Shows an import.
pub(super) async fn show(
    State(api): State<AppState>,
    administrator: Administrator,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    let import = get(&api, id).await?;
    let is_about_columns = import.trouble.as_ref().is_some_and(|trouble| trouble.is_about_columns);
    match import.state {
        ImportState::Checking if import.is_interrupted && is_about_columns => {
            columns::choose(&api, &administrator, &import).await
        }
        ImportState::Checking | ImportState::Storing => working(&api, &administrator, &import).await,
        ImportState::Checked => checked::show(&api, &administrator, &import).await,
        ImportState::Done | ImportState::Undone => done::show(&api, &administrator, &import).await,
        ImportState::Unreadable => {
            let why = import.trouble.map(|trouble| trouble.message).unwrap_or_default();
            unreadable(&api, &administrator, id, format!("{}: {why}", import.file_name)).await
        }
        ImportState::Discarded => discarded(&api, &administrator, &import).await,
    }
}

/// The page of an import that is being checked or stored, or was interrupted.
#[derive(Template)]
#[template(path = "console/import_work.html")]
struct WorkPage {
    frame: Frame,
    id: Uuid,
    is_storing: bool,
    is_interrupted: bool,
    trouble: Option<String>,
    /// Sheets to choose from, if the file has several.
    sheets: Vec<String>,
    /// Rows processed, and the total once it is known.
    rows: i32,
    of_rows: Option<i32>,
    rows_per_second: Option<i32>,
    /// Number of users to import.
    good: i32,
}

impl WorkPage {
    /// Progress in a short sentence, which screen readers announce.
    fn announcement(&self) -> String {
        let doing = if self.is_storing { "Imported" } else { "Checked" };
        match self.of_rows {
            Some(of_rows) => format!("{doing} {} of {} rows", counted(self.rows), counted(of_rows)),
            None if self.is_storing => "Waiting for other imports to finish…".to_owned(),
            None => "Reading the file…".to_owned(),
        }
    }

    /// The rate and the time left, once they are known.
    fn pace(&self) -> Option<String> {
        let (of_rows, rate) = (self.of_rows?, self.rows_per_second?);
        let left = i64::from(of_rows - self.rows).max(0);
        let left = left / i64::from(rate.max(1));
        Some(match left {
            0 => format!("{} rows a second, almost done", counted(rate)),
            left => format!("{} rows a second, about {} left", counted(rate), lasting(left)),
        })
    }

    fn percent(&self) -> i64 {
        let of_rows = i64::from(self.of_rows.unwrap_or_default());
        (i64::from(self.rows) * 100).checked_div(of_rows).unwrap_or_default()
    }

    fn state(&self) -> &'static str {
        match (self.is_interrupted, self.sheets.is_empty()) {
            (false, _) => "working",
            (true, false) => "choose",
            (true, true) => "interrupted",
        }
    }

    fn good_shown(&self) -> String {
        counted(self.good)
    }
}

async fn working(api: &AppState, administrator: &Administrator, import: &Import) -> Result<Response, Problem> {
    let is_storing = import.state == ImportState::Storing;
    let sheets = import
        .trouble
        .as_ref()
        .map(|trouble| trouble.choices.clone())
        .unwrap_or_default();
    let title = match (is_storing, import.is_interrupted) {
        (true, false) => format!("Importing {}", import.file_name),
        (false, false) => format!("Checking {}", import.file_name),
        (_, true) if !sheets.is_empty() => format!("Choose a sheet: {}", import.file_name),
        (_, true) => format!("Interrupted: {}", import.file_name),
    };
    let totals = &import.totals;
    page(&WorkPage {
        frame: administrator.frame(api, Section::Imports, title).await,
        id: import.id,
        is_storing,
        is_interrupted: import.is_interrupted,
        sheets,
        trouble: import.trouble.as_ref().map(|trouble| trouble.message.clone()),
        rows: import.progress_rows,
        of_rows: (totals.rows > 0).then_some(totals.rows),
        rows_per_second: import.rows_per_second,
        good: totals.rows - totals.rejected - totals.ignored,
    })
}

/// The page of a discarded file.
#[derive(Template)]
#[template(path = "console/import_discarded.html")]
struct DiscardedPage {
    frame: Frame,
    by: Option<String>,
    at: Moment,
}

async fn discarded(api: &AppState, administrator: &Administrator, import: &Import) -> Result<Response, Problem> {
    let title = format!("Discarded: {}", import.file_name);
    page(&DiscardedPage {
        frame: administrator.frame(api, Section::Imports, title).await,
        by: import.ended_by.clone(),
        at: moment(import.ended_at.unwrap_or(import.created_at)),
    })
}

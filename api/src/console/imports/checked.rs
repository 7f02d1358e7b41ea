//! The page of a checked file: its problems and the possible next steps.

use super::changes::{self, Changes};
use super::faults::{self, FaultyRows};
use super::figures::{Figure, figures};
use super::import_options::ChosenOptions;
use super::labels::{acceptable_kinds, columns, is_spreadsheet, lacks_names, notes, read_columns_of, remedies};
use super::upload::FileForm;
use crate::app::problem::Problem;
use crate::app::state::AppState;
use crate::console::format::{counted, some};
use crate::console::frame::{Frame, Section};
use crate::console::respond::page;
use crate::console::session::Administrator;
use askama::Template;
use axum::response::Response;
use shared::store::imports::rejects::Rejects;
use shared::store::imports::{Import, ImportCounts};
use uuid::Uuid;

/// The page of a checked file.
#[derive(Template)]
#[template(path = "console/import_checked.html")]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
struct CheckedPage {
    frame: Frame,
    id: Uuid,
    totals: ImportCounts,
    figures: Vec<Figure>,
    remedies: Vec<String>,
    faulty: FaultyRows,
    repeated: FaultyRows,
    changes: Changes,
    /// The kinds of damage in the file: code, label and number of values.
    kinds: Vec<(String, &'static str, String)>,
    columns: Vec<(String, String)>,
    /// Whether users would be created without names, though a column that was not recognised may hold them.
    lacks_names: bool,
    /// Whether the column mapping comes from an earlier file.
    is_remembered: bool,
    /// Import options that differ from the default, in sentences.
    how: Vec<String>,
    /// Whether empty cells clear values.
    clears_empty: bool,
    /// Notes about skipped rows and other details of the file.
    notes: Vec<String>,
    /// Whether the file is a spreadsheet, which decides the format of the download.
    is_spreadsheet: bool,
    form: FileForm,
}

impl CheckedPage {
    const fn good(&self) -> i32 {
        self.totals.rows - self.totals.rejected - self.totals.ignored
    }

    /// Number of rows to correct.
    const fn problems(&self) -> i32 {
        self.totals.rejected - self.totals.duplicates
    }

    fn problems_shown(&self) -> String {
        counted(self.problems())
    }

    /// Number of users imported if doubtful values are accepted.
    fn with_doubtful(&self) -> String {
        some(self.good() + self.totals.doubtful, "user", "users")
    }

    fn doubtful_rows(&self) -> String {
        some(self.totals.doubtful, "row", "rows")
    }

    fn all_doubtful(&self) -> bool {
        self.totals.doubtful == self.problems()
    }

    fn good_users(&self) -> String {
        some(self.good(), "user", "users")
    }

    fn problem_rows(&self) -> String {
        some(self.problems(), "row", "rows")
    }

    fn repeated_rows(&self) -> String {
        some(self.totals.duplicates, "row repeats", "rows repeat")
    }

    fn updated_users(&self) -> String {
        some(self.totals.updated, "existing user", "existing users")
    }

    fn blank_rows(&self) -> String {
        some(self.totals.blank, "empty row was", "empty rows were")
    }
}

/// Shows the result of the check.
pub(super) async fn show(api: &AppState, administrator: &Administrator, import: &Import) -> Result<Response, Problem> {
    let title = format!("Check import: {}", import.file_name);
    let frame = administrator.frame(api, Section::Imports, title).await;
    let totals = import.totals.clone();
    let read = read_columns_of(import);
    page(&CheckedPage {
        frame: if totals.rejected > totals.duplicates {
            frame.with_faults()
        } else {
            frame
        },
        id: import.id,
        figures: figures(&totals),
        totals,
        kinds: acceptable_kinds(&import.problem_counts),
        remedies: remedies(&import.problem_counts, &read),
        faulty: faults::of(api, import, Rejects::Faulty).await?,
        repeated: faults::of(api, import, Rejects::Duplicates).await?,
        changes: changes::of(api, import).await?,
        lacks_names: import.totals.created > 0 && lacks_names(&read),
        columns: columns(&read),
        is_remembered: import.mapping_is_remembered,
        how: ChosenOptions::of(import).sentences(),
        clears_empty: import.clears_empty,
        notes: notes(import),
        is_spreadsheet: is_spreadsheet(import),
        form: FileForm::correcting(import),
    })
}

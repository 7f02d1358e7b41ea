//! The import summary: the result of an import, and the buttons to email its users.

use super::changes::{self, Changes};
use super::faults::{self, FaultyRows};
use super::figures::{Figure, figures_of_done};
use super::import_options::ChosenOptions;
use super::labels::is_spreadsheet;
use super::undo;
use crate::app::problem::Problem;
use crate::app::state::AppState;
use crate::console::format::{Moment, author, moment, some};
use crate::console::frame::{Frame, Section};
use crate::console::respond::page;
use crate::console::session::Administrator;
use askama::Template;
use axum::response::Response;
use shared::store::imports::rejects::Rejects;
use shared::store::imports::{Import, ImportCounts, ImportState, UndoneCounts, undo as store};
use uuid::Uuid;

/// The summary page.
#[derive(Template)]
#[template(path = "console/import_done.html")]
struct DonePage {
    frame: Frame,
    id: Uuid,
    by: String,
    at: Moment,
    figures: Vec<Figure>,
    totals: ImportCounts,
    is_anybody_emailed: bool,
    faulty: FaultyRows,
    repeated: FaultyRows,
    changes: Changes,
    undone: Option<Undone>,
    /// Import options that differed from the default, in sentences.
    how: Vec<String>,
    /// Whether the file is a spreadsheet, which decides the format of the download.
    is_spreadsheet: bool,
    /// When the rejected rows were deleted.
    dropped: Option<Moment>,
}

struct Undone {
    by: String,
    at: Moment,
    /// The effects of undoing it, in sentences.
    did: Vec<String>,
}

impl DonePage {
    const fn taken(&self) -> i32 {
        self.totals.created + self.totals.updated + self.totals.unchanged
    }

    /// Number of rows to correct.
    const fn problems(&self) -> i32 {
        self.totals.rejected - self.totals.duplicates
    }

    fn problem_rows(&self) -> String {
        some(self.problems(), "row was", "rows were")
    }

    fn problem_download(&self) -> String {
        some(self.problems(), "row with its reason", "rows with reasons")
    }

    fn repeated_rows(&self) -> String {
        some(self.totals.duplicates, "row repeats", "rows repeat")
    }

    fn changed_users(&self) -> String {
        some(self.totals.updated, "existing user", "existing users")
    }

    /// Whether undoing the import would change anything.
    const fn can_be_undone(&self) -> bool {
        (!self.is_anybody_emailed && self.totals.created > 0) || (self.totals.updated > 0 && self.dropped.is_none())
    }

    fn blank_rows(&self) -> String {
        some(self.totals.blank, "empty row was", "empty rows were")
    }
}

/// The effects of undoing an import, in sentences.
fn effects(totals: &ImportCounts, undone: UndoneCounts) -> Vec<String> {
    let mut effects = undo::done(undone);
    let rest = totals.updated - undone.restored - undone.kept;
    if rest > 0 {
        effects.push(format!(
            "{} the new details.",
            some(rest, "updated user keeps", "updated users keep")
        ));
    }
    if undone.removed == 0 && totals.created > 0 {
        effects.push("No users were removed.".to_owned());
    }
    effects
}

/// Shows the summary of an import.
pub(super) async fn show(api: &AppState, administrator: &Administrator, import: &Import) -> Result<Response, Problem> {
    let title = format!("Import summary: {}", import.file_name);
    let ended = import.ended_at.filter(|_| import.state == ImportState::Undone);
    let undone = ended.map(|at| Undone {
        by: import.ended_by.clone().unwrap_or_default(),
        at: moment(at),
        did: effects(&import.totals, import.undone),
    });
    page(&DonePage {
        frame: administrator.frame(api, Section::Imports, title).await,
        id: import.id,
        by: author(import.done_by.as_ref().unwrap_or(&import.created_by)),
        at: moment(import.done_at.unwrap_or(import.created_at)),
        figures: figures_of_done(import.id, &import.totals, import.state == ImportState::Undone),
        totals: import.totals.clone(),
        is_anybody_emailed: store::is_any_user_emailed(&api.db, import.id).await?,
        faulty: faults::of(api, import, Rejects::Faulty).await?,
        repeated: faults::of(api, import, Rejects::Duplicates).await?,
        changes: changes::of(api, import).await?,
        undone,
        how: ChosenOptions::of(import).sentences(),
        is_spreadsheet: is_spreadsheet(import),
        dropped: import.details_dropped_at.map(moment),
    })
}

//! Import Summary: what came of a file, and whom to write to next.

use super::faults::{self, FaultyRows};
use crate::console::frame::{Frame, Place};
use crate::console::respond::page;
use crate::console::session::Administrator;
use crate::console::words::{Moment, asker, counted, moment, some};
use crate::problem::Problem;
use crate::state::Api;
use askama::Template;
use axum::response::Response;
use shared::store::imports::{Import, ImportEffect, ImportState, Totals, undo};
use uuid::Uuid;

/// The page.
#[derive(Template)]
#[template(path = "console/import_done.html")]
struct DonePage {
    frame: Frame,
    id: Uuid,
    by: String,
    at: Moment,
    figures: Vec<Figure>,
    totals: Totals,
    is_anybody_emailed: bool,
    faulty: FaultyRows,
    undone: Option<Undone>,
    /// Since when the rejected rows are gone.
    dropped: Option<Moment>,
}

/// One of the numbers that add up to the rows of the file, and where those are listed whom it counts.
struct Figure {
    word: &'static str,
    number: String,
    is_nought: bool,
    href: String,
}

struct Undone {
    by: String,
    at: Moment,
    removed: i32,
}

impl DonePage {
    const fn taken(&self) -> i32 {
        self.totals.created + self.totals.updated + self.totals.unchanged
    }

    fn rejected_rows(&self) -> String {
        some(self.totals.rejected, "row was", "rows were")
    }

    fn rejected_download(&self) -> String {
        some(self.totals.rejected, "row with its reason", "rows with reasons")
    }

    fn blank_rows(&self) -> String {
        some(self.totals.blank, "empty row was", "empty rows were")
    }

    fn updated_users(&self) -> String {
        some(
            self.totals.updated,
            "user that it updated keeps",
            "users that it updated keep",
        )
    }
}

fn figures_of(import: Uuid, state: ImportState, totals: &Totals) -> Vec<Figure> {
    let users = format!("/console/users?import={import}");
    let by = |effect: ImportEffect| format!("{users}&effect={}", effect.as_str());
    let all = [
        ("in the file", totals.rows, String::new()),
        ("new", totals.created, by(ImportEffect::Created)),
        ("updated", totals.updated, by(ImportEffect::Updated)),
        ("unchanged", totals.unchanged, by(ImportEffect::Unchanged)),
        ("not imported", totals.rejected, "#rows".to_owned()),
    ];
    all.into_iter()
        .map(|(word, number, href)| Figure {
            word,
            number: counted(number),
            is_nought: number == 0,
            href: if number > 0 && (state == ImportState::Done || href.starts_with('#')) {
                href
            } else {
                String::new()
            },
        })
        .collect()
}

impl Undone {
    fn removed_users(&self) -> String {
        some(self.removed, "user was", "users were")
    }
}

/// Shows what came of an import.
pub(super) async fn show(api: &Api, administrator: &Administrator, import: &Import) -> Result<Response, Problem> {
    let title = format!("Import summary: {}", import.file_name);
    let ended = import.ended_at.filter(|_| import.state == ImportState::Undone);
    let undone = ended.map(|at| Undone {
        by: import.ended_by.clone().unwrap_or_default(),
        at: moment(at),
        removed: import.removed,
    });
    page(&DonePage {
        frame: administrator.frame(api, Place::Imports, title).await,
        id: import.id,
        by: asker(import.done_by.as_ref().unwrap_or(&import.created_by)),
        at: moment(import.done_at.unwrap_or(import.created_at)),
        figures: figures_of(import.id, import.state, &import.totals),
        totals: import.totals.clone(),
        is_anybody_emailed: undo::is_anybody_emailed(&api.db, import.id).await?,
        faulty: faults::of(api, import).await?,
        undone,
        dropped: import.details_dropped_at.map(moment),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_add_up_to_the_rows_of_the_file() {
        let totals = Totals {
            rows: 4_812,
            created: 4_650,
            updated: 98,
            unchanged: 32,
            rejected: 32,
            blank: 7,
        };

        let figures = figures_of(Uuid::nil(), ImportState::Done, &totals);

        let numbers: Vec<i32> = figures
            .iter()
            .map(|figure| figure.number.replace(',', "").parse().unwrap())
            .collect();
        assert_eq!(numbers[0], numbers[1..].iter().sum::<i32>());
        assert!(figures[1..].iter().all(|figure| !figure.href.is_empty()));
    }
}

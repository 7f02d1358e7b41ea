//! A checked file: what is wrong in it, and the ways on.

use super::faults::{self, FaultyRows};
use super::upload::FileForm;
use super::words::{columns, remedies};
use crate::console::frame::{Frame, Place};
use crate::console::respond::page;
use crate::console::session::Administrator;
use crate::console::words::{counted, some};
use crate::problem::Problem;
use crate::state::Api;
use askama::Template;
use axum::response::Response;
use shared::store::imports::Import;
use uuid::Uuid;

/// The page.
#[derive(Template)]
#[template(path = "console/import_checked.html")]
struct CheckedPage {
    frame: Frame,
    id: Uuid,
    rows: i32,
    rejected: i32,
    blank: i32,
    remedies: Vec<String>,
    faulty: FaultyRows,
    columns: Vec<(String, String)>,
    form: FileForm,
}

impl CheckedPage {
    const fn good(&self) -> i32 {
        self.rows - self.rejected
    }

    fn rows_shown(&self) -> String {
        counted(self.rows)
    }

    fn rejected_shown(&self) -> String {
        counted(self.rejected)
    }

    fn good_shown(&self) -> String {
        counted(self.good())
    }

    fn good_users(&self) -> String {
        some(self.good(), "user", "users")
    }

    fn rejected_rows(&self) -> String {
        some(self.rejected, "row", "rows")
    }

    fn blank_rows(&self) -> String {
        some(self.blank, "empty row was", "empty rows were")
    }
}

/// Shows what was found.
pub(super) async fn show(api: &Api, administrator: &Administrator, import: &Import) -> Result<Response, Problem> {
    let title = format!("Check import: {}", import.file_name);
    let frame = administrator.frame(api, Place::Imports, title).await;
    let totals = &import.totals;
    page(&CheckedPage {
        frame: if totals.rejected > 0 {
            frame.with_faults()
        } else {
            frame
        },
        id: import.id,
        rows: totals.rows,
        rejected: totals.rejected,
        blank: totals.blank,
        remedies: remedies(&import.problem_counts, &import.header),
        faulty: faults::of(api, import).await?,
        columns: columns(&import.header),
        form: FileForm::instead_of(Some(import.id)),
    })
}

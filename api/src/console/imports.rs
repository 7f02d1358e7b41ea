//! Imports: the list of imports, and the page of one import.
//!
//! An import keeps one address from the upload on. Its page depends on its state: progress, the rows with problems
//! and the choices, the summary, or why it ended. An administrator can leave the page and return at any time.

mod changes;
mod checked;
mod columns;
mod done;
mod faults;
mod figures;
mod find;
mod import_options;
mod labels;
mod one;
pub(super) mod receive;
mod rejects;
mod steps;
mod template;
mod undo;
mod upload;

use super::cursor::{CursorPage, CursorQuery, LIMIT};
use super::format::{Moment, author, counted, moment};
use super::frame::{Frame, Section};
use super::respond::page;
use super::session::Administrator;
use crate::app::problem::Problem;
use crate::app::state::AppState;
use askama::Template;
use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::response::Response;
use axum::routing::{get, post};
use shared::store::imports::{self, Import, ImportState};
use uuid::Uuid;

/// Routes of the pages about imports.
pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/console/imports", get(list))
        .route("/console/imports/example.csv", get(upload::example))
        .route("/console/imports/template.csv", get(template::csv))
        .route("/console/imports/template.xlsx", get(template::xlsx))
        .route("/console/imports/{id}", get(one::show))
        .route(
            "/console/imports/{id}/columns",
            get(columns::show).post(columns::submit),
        )
        .route("/console/imports/{id}/check", post(steps::check))
        .route("/console/imports/{id}/store", post(steps::store))
        .route("/console/imports/{id}/discard", post(steps::discard))
        .route("/console/imports/{id}/problems.csv", get(rejects::csv))
        .route("/console/imports/{id}/problems.xlsx", get(rejects::xlsx))
        .route("/console/imports/{id}/undo", get(undo::ask).post(undo::undo))
}

/// The upload page. It has no short time limit, because an upload takes as long as the connection needs.
pub(super) fn upload_routes() -> Router<AppState> {
    Router::new()
        .route("/console/imports/new", get(upload::show).post(upload::upload))
        .layer(DefaultBodyLimit::disable())
}

/// The list of imports.
#[derive(Template)]
#[template(path = "console/imports.html")]
struct ImportsPage {
    frame: Frame,
    list: CursorPage<ImportRow>,
}

struct ImportRow {
    id: Uuid,
    file_name: String,
    at: Moment,
    by: String,
    tone: &'static str,
    word: &'static str,
    rows: String,
    created: String,
    rejected: String,
    has_rejects: bool,
    has_rows: bool,
    is_done: bool,
}

/// Shows the list of imports.
pub(super) async fn list(
    State(api): State<AppState>,
    administrator: Administrator,
    CursorQuery { 0: cursor }: CursorQuery,
) -> Result<Response, Problem> {
    let found = imports::list(&api.db, cursor.before, cursor.after, LIMIT).await?;
    let list = CursorPage::of(found, cursor, |import| import.id, "/console/imports", &[]);
    page(&ImportsPage {
        frame: administrator.frame(&api, Section::Imports, list.title("Imports")).await,
        list: list.map(row),
    })
}

fn row(import: Import) -> ImportRow {
    let (tone, word) = labels::state(&import);
    let is_done = matches!(import.state, ImportState::Done | ImportState::Undone);
    ImportRow {
        id: import.id,
        file_name: import.file_name,
        at: moment(import.done_at.unwrap_or(import.created_at)),
        by: author(import.done_by.as_ref().unwrap_or(&import.created_by)),
        tone,
        word,
        rows: counted(import.totals.rows),
        created: counted(import.totals.created),
        rejected: counted(import.totals.rejected),
        has_rejects: import.totals.rejected > 0,
        has_rows: is_done || import.state == ImportState::Checked,
        is_done,
    }
}

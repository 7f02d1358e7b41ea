//! Undoing an import: what it would do, and doing it.

use super::one::get;
use crate::console::frame::{Frame, Place};
use crate::console::respond::{page, redirect, redirect_noting, redirect_saying};
use crate::console::session::Administrator;
use crate::console::words::some;
use crate::problem::Problem;
use crate::query::Path;
use crate::staged_import::StagedImports;
use crate::state::Api;
use askama::Template;
use axum::extract::State;
use axum::response::Response;
use shared::store::imports::ImportState;
use shared::store::imports::undo::{self, Outlook, Undone};
use uuid::Uuid;

/// The page.
#[derive(Template)]
#[template(path = "console/import_undo.html")]
struct UndoPage {
    frame: Frame,
    id: Uuid,
    file_name: String,
    outlook: Outlook,
    updated: i32,
}

impl UndoPage {
    fn removed(&self) -> String {
        some(self.outlook.removed, "user", "users")
    }

    fn kept(&self) -> String {
        some(self.outlook.kept, "user stays", "users stay")
    }

    fn updated(&self) -> String {
        some(self.updated, "user that it updated keeps", "users that it updated keep")
    }

    fn emailed(&self) -> String {
        some(
            self.outlook.emailed,
            "of its users was emailed or is about to be",
            "of its users were emailed or are about to be",
        )
    }

    fn signed_in(&self) -> String {
        some(self.outlook.signed_in, "has signed in", "have signed in")
    }
}

/// Asks whether to undo an import.
pub(super) async fn ask(
    State(api): State<Api>,
    administrator: Administrator,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    let import = get(&api, id).await?;
    if import.state != ImportState::Done {
        return Ok(redirect(&format!("/console/imports/{id}")));
    }
    let title = format!("Undo the import of {}", import.file_name);
    page(&UndoPage {
        frame: administrator.frame(&api, Place::Imports, title).await,
        id,
        file_name: import.file_name,
        outlook: undo::outlook(&api.db, id).await?,
        updated: import.totals.updated,
    })
}

/// Undoes an import.
pub(super) async fn undo(
    State(api): State<Api>,
    administrator: Administrator,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    get(&api, id).await?;
    let to = format!("/console/imports/{id}");
    match StagedImports::of(&api).undo(id, &administrator.actor).await? {
        Undone::Done(removed) => {
            let said = format!(
                "The import is undone. {} removed.",
                some(removed, "user was", "users were")
            );
            Ok(redirect_saying(&to, &said))
        }
        // The page of the question says why.
        Undone::Known(_) => Ok(redirect(&format!("{to}/undo"))),
        Undone::NotNow(Some(ImportState::Undone)) => Ok(redirect(&to)),
        Undone::NotNow(_) => Ok(redirect_noting(&to, "Only an import that is done can be undone.")),
    }
}

//! Undoing an import, after confirmation.

use super::find::get;
use crate::app::problem::Problem;
use crate::app::state::AppState;
use crate::console::format::some;
use crate::console::frame::{Frame, Section};
use crate::console::respond::{page, redirect, redirect_with_flash, redirect_with_note};
use crate::console::session::Administrator;
use crate::http::query::Path;
use askama::Template;
use axum::extract::State;
use axum::response::Response;
use shared::store::imports::undo::{self, UndoForecast, UndoResult};
use shared::store::imports::{ImportState, UndoneCounts};
use uuid::Uuid;

/// The confirmation page.
#[derive(Template)]
#[template(path = "console/import_undo.html")]
struct UndoPage {
    frame: Frame,
    id: Uuid,
    file_name: String,
    forecast: UndoForecast,
    updated: i32,
}

impl UndoPage {
    /// Whether users created by the import would be removed.
    const fn removes(&self) -> bool {
        self.forecast.is_clear() && self.forecast.removed > 0
    }

    /// Whether undoing would change nothing.
    const fn does_nothing(&self) -> bool {
        !self.removes() && self.forecast.restored == 0
    }

    fn removed(&self) -> String {
        some(self.forecast.removed, "user", "users")
    }

    fn kept(&self) -> String {
        some(self.forecast.kept, "user stays", "users stay")
    }

    fn created(&self) -> String {
        some(
            self.forecast.removed,
            "user created by this import stays",
            "users created by this import stay",
        )
    }

    fn restored(&self) -> String {
        some(self.forecast.restored, "user", "users")
    }

    fn restored_people(&self) -> String {
        some(
            self.forecast.restored,
            "user updated by this import gets",
            "users updated by this import get",
        )
    }

    fn changed_since(&self) -> String {
        some(
            self.forecast.changed_since,
            "user updated by this import keeps",
            "users updated by this import keep",
        )
    }

    /// Updated users who were deleted or whose previous values are unknown.
    fn unknown(&self) -> i64 {
        (i64::from(self.updated) - self.forecast.restored - self.forecast.changed_since).max(0)
    }

    fn unknown_shown(&self) -> String {
        some(
            self.unknown(),
            "user updated by this import",
            "users updated by this import",
        )
    }

    fn emailed(&self) -> String {
        some(
            self.forecast.emailed,
            "of its users was emailed or is about to be",
            "of its users were emailed or are about to be",
        )
    }

    fn signed_in(&self) -> String {
        some(self.forecast.signed_in, "has signed in", "have signed in")
    }
}

/// Asks for confirmation.
pub(super) async fn ask(
    State(api): State<AppState>,
    administrator: Administrator,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    let import = get(&api, id).await?;
    if import.state != ImportState::Done {
        return Ok(redirect(&format!("/console/imports/{id}")));
    }
    let title = format!("Undo the import of {}", import.file_name);
    page(&UndoPage {
        frame: administrator.frame(&api, Section::Imports, title).await,
        id,
        file_name: import.file_name,
        forecast: undo::undo_forecast(&api.db, id).await?,
        updated: import.totals.updated,
    })
}

/// Undoes an import.
pub(super) async fn undo(
    State(api): State<AppState>,
    administrator: Administrator,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    get(&api, id).await?;
    let to = format!("/console/imports/{id}");
    match api.staged_imports.undo(id, &administrator.actor).await? {
        UndoResult::Done(totals) => {
            let message = format!("The import is undone. {}", done(totals).join(" "));
            Ok(redirect_with_flash(&to, message.trim()))
        }
        // The confirmation page explains why.
        UndoResult::Known(_) => Ok(redirect(&format!("{to}/undo"))),
        UndoResult::NotNow(Some(ImportState::Undone)) => Ok(redirect(&to)),
        UndoResult::NotNow(_) => Ok(redirect_with_note(&to, "Only a finished import can be undone.")),
    }
}

/// The effects of undoing an import, in sentences.
pub(super) fn done(totals: UndoneCounts) -> Vec<String> {
    let sentences = [
        (
            totals.removed,
            some(totals.removed, "user was removed.", "users were removed."),
        ),
        (
            totals.restored,
            some(
                totals.restored,
                "user got their previous details back.",
                "users got their previous details back.",
            ),
        ),
        (
            totals.kept,
            some(
                totals.kept,
                "user keeps the new details, because they were changed since.",
                "users keep the new details, because they were changed since.",
            ),
        ),
    ];
    sentences
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(_, sentence)| sentence)
        .collect()
}

//! The buttons of an import: check, store and discard. Each redirects to the import's page, which shows the current
//! state. A second or late click changes nothing.

use super::find::get;
use super::upload::PATIENCE;
use crate::app::problem::Problem;
use crate::app::state::AppState;
use crate::console::fields::Fields;
use crate::console::format::some;
use crate::console::respond::{redirect, redirect_with_flash, redirect_with_note};
use crate::console::session::Administrator;
use crate::http::query::Path;
use axum::extract::State;
use axum::response::Response;
use import::Accepted;
use shared::store::imports::{Accepting, ImportState};
use uuid::Uuid;

/// Checks a file again after an interruption, or with the selected sheet.
pub(super) async fn check(
    State(api): State<AppState>,
    _administrator: Administrator,
    Path(id): Path<Uuid>,
    fields: Fields,
) -> Result<Response, Problem> {
    get(&api, id).await?;
    let sheet = fields.is_set("sheet").then(|| fields.text("sheet").to_owned());
    if let Some(in_hand) = api.staged_imports.check(id, sheet).await? {
        in_hand.ended_within(PATIENCE).await;
    }
    Ok(redirect(&address(id)))
}

/// Stores the valid rows of a checked file, and those with doubtful values if the administrator accepts them.
pub(super) async fn store(
    State(api): State<AppState>,
    administrator: Administrator,
    Path(id): Path<Uuid>,
    fields: Fields,
) -> Result<Response, Problem> {
    get(&api, id).await?;
    let accepting = accepting(&fields);
    let stored = api.staged_imports.store(id, &administrator.actor, &accepting);
    let Some(in_hand) = stored.await? else {
        return Ok(redirect(&address(id)));
    };
    in_hand.ended_within(PATIENCE).await;
    let import = get(&api, id).await?;
    if import.state != ImportState::Done {
        return Ok(redirect(&address(id)));
    }
    let totals = &import.totals;
    let taken = totals.created + totals.updated + totals.unchanged;
    let message = format!("{} imported.", some(taken, "user is", "users are"));
    Ok(redirect_with_flash(&address(id), &message))
}

/// The kinds of damage that the administrator accepts: the ticked ones, if there was a choice.
fn accepting(fields: &Fields) -> Accepting {
    match fields.text("doubtful") {
        "accept" => Accepting::Everything,
        "ticked" => {
            let ticked = Accepted::codes().filter(|code| fields.is_set(&format!("accept-{code}")));
            let ticked: Vec<String> = ticked.map(str::to_owned).collect();
            if ticked.is_empty() {
                Accepting::Nothing
            } else {
                Accepting::Problems(ticked)
            }
        }
        _ => Accepting::Nothing,
    }
}

/// Discards a file that is not stored.
pub(super) async fn discard(
    State(api): State<AppState>,
    administrator: Administrator,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    let import = get(&api, id).await?;
    if api.staged_imports.discard(id, &administrator.actor).await? {
        let message = format!("{} is discarded. None of it was imported.", import.file_name);
        return Ok(redirect_with_flash("/console/imports", &message));
    }
    Ok(redirect_with_note(
        &address(id),
        "This file has been imported or is being imported, so it was not discarded.",
    ))
}

fn address(id: Uuid) -> String {
    format!("/console/imports/{id}")
}

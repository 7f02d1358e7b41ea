//! The steps of an import that a button takes. Each leads back to the import's page, which shows
//! where it stands: whoever presses a second time, or too late, sees what the first press did.

use super::one::get;
use super::upload::PATIENCE;
use crate::console::fields::Fields;
use crate::console::respond::{redirect, redirect_noting, redirect_saying};
use crate::console::session::Administrator;
use crate::console::words::some;
use crate::problem::Problem;
use crate::query::Path;
use crate::staged_import::StagedImports;
use crate::state::Api;
use axum::extract::State;
use axum::response::Response;
use shared::store::imports::ImportState;
use uuid::Uuid;

/// Checks a file again whose check was interrupted, or reads the sheet that was chosen.
pub(super) async fn check(
    State(api): State<Api>,
    _administrator: Administrator,
    Path(id): Path<Uuid>,
    fields: Fields,
) -> Result<Response, Problem> {
    get(&api, id).await?;
    let sheet = fields.is_set("sheet").then(|| fields.text("sheet").to_owned());
    if let Some(in_hand) = StagedImports::of(&api).check(id, sheet).await? {
        in_hand.ended_within(PATIENCE).await;
    }
    Ok(redirect(&address(id)))
}

/// Stores the good rows of a checked file, and those with doubtful values if they are accepted.
pub(super) async fn store(
    State(api): State<Api>,
    administrator: Administrator,
    Path(id): Path<Uuid>,
    fields: Fields,
) -> Result<Response, Problem> {
    get(&api, id).await?;
    let staged = StagedImports::of(&api);
    let accepts_doubtful = fields.text("doubtful") == "accept";
    let Some(in_hand) = staged.store(id, &administrator.actor, accepts_doubtful).await? else {
        return Ok(redirect(&address(id)));
    };
    in_hand.ended_within(PATIENCE).await;
    let import = get(&api, id).await?;
    if import.state != ImportState::Done {
        return Ok(redirect(&address(id)));
    }
    let totals = &import.totals;
    let taken = totals.created + totals.updated + totals.unchanged;
    let said = format!("{} imported.", some(taken, "user is", "users are"));
    Ok(redirect_saying(&address(id), &said))
}

/// Discards a file that is not stored.
pub(super) async fn discard(
    State(api): State<Api>,
    administrator: Administrator,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    let import = get(&api, id).await?;
    if StagedImports::of(&api).discard(id, &administrator.actor).await? {
        let said = format!("{} is discarded. Nothing of it was imported.", import.file_name);
        return Ok(redirect_saying("/console/imports", &said));
    }
    Ok(redirect_noting(
        &address(id),
        "This file is imported or on its way, so it was not discarded.",
    ))
}

fn address(id: Uuid) -> String {
    format!("/console/imports/{id}")
}

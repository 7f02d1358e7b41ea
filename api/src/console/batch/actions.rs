//! Actions on a batch that need no confirmation: undo, start now, pause and resume.
//!
//! A click on an outdated page, or a second click, does nothing and is not an error: the page that follows shows
//! the batch's current state.

use super::address;
use crate::app::batches::control::{BatchCommand, control_batch};
use crate::app::problem::Problem;
use crate::app::state::AppState;
use crate::console::respond::redirect;
use crate::console::session::Administrator;
use crate::http::query::Path;
use axum::extract::State;
use axum::response::Response;
use std::time::Duration;
use uuid::Uuid;

/// How long a page waits for an action to reach all deliveries, of which there may be a hundred thousand. The
/// action itself has taken effect long before; the next page shows how far the rest has come.
const PATIENCE: Duration = Duration::from_secs(1);

/// Stops a batch during its hold.
pub(in crate::console) async fn undo(
    state: State<AppState>,
    who: Administrator,
    id: Path<Uuid>,
) -> Result<Response, Problem> {
    perform_and_redirect(state, who, id, BatchCommand::Undo).await
}

/// Ends the hold now.
pub(in crate::console) async fn start(
    state: State<AppState>,
    who: Administrator,
    id: Path<Uuid>,
) -> Result<Response, Problem> {
    perform_and_redirect(state, who, id, BatchCommand::Start).await
}

/// Pauses a batch.
pub(in crate::console) async fn pause(
    state: State<AppState>,
    who: Administrator,
    id: Path<Uuid>,
) -> Result<Response, Problem> {
    perform_and_redirect(state, who, id, BatchCommand::Pause).await
}

/// Resumes a batch.
pub(in crate::console) async fn resume(
    state: State<AppState>,
    who: Administrator,
    id: Path<Uuid>,
) -> Result<Response, Problem> {
    perform_and_redirect(state, who, id, BatchCommand::Resume).await
}

async fn perform_and_redirect(
    State(api): State<AppState>,
    administrator: Administrator,
    Path(id): Path<Uuid>,
    command: BatchCommand,
) -> Result<Response, Problem> {
    perform(&api, &administrator, id, command).await?;
    Ok(redirect(&address(id)))
}

/// Performs the action and waits up to [`PATIENCE`] for its effects.
pub(super) async fn perform(
    api: &AppState,
    administrator: &Administrator,
    id: Uuid,
    command: BatchCommand,
) -> Result<(), Problem> {
    if let Ok(result) = tokio::time::timeout(PATIENCE, control_batch(api, id, &administrator.actor, command)).await {
        result?;
    }
    Ok(())
}

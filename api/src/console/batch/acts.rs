//! Actions on a batch that need no confirmation: undo, start now, pause and resume.
//!
//! A click on an outdated page, or a second click, does nothing and is not an error: the page that follows shows
//! the batch's current state.

use super::address;
use crate::batches::say::{Wish, say};
use crate::console::respond::redirect;
use crate::console::session::Administrator;
use crate::problem::Problem;
use crate::query::Path;
use crate::state::Api;
use axum::extract::State;
use axum::response::Response;
use std::time::Duration;
use uuid::Uuid;

/// How long a page waits for an action to reach all deliveries, of which there may be a hundred thousand. The
/// action itself has taken effect long before; the next page shows how far the rest has come.
const PATIENCE: Duration = Duration::from_secs(1);

/// Stops a batch during its hold.
pub(in crate::console) async fn undo(
    state: State<Api>,
    who: Administrator,
    id: Path<Uuid>,
) -> Result<Response, Problem> {
    fulfil(state, who, id, Wish::Undo).await
}

/// Ends the hold now.
pub(in crate::console) async fn start(
    state: State<Api>,
    who: Administrator,
    id: Path<Uuid>,
) -> Result<Response, Problem> {
    fulfil(state, who, id, Wish::Start).await
}

/// Pauses a batch.
pub(in crate::console) async fn pause(
    state: State<Api>,
    who: Administrator,
    id: Path<Uuid>,
) -> Result<Response, Problem> {
    fulfil(state, who, id, Wish::Pause).await
}

/// Resumes a batch.
pub(in crate::console) async fn resume(
    state: State<Api>,
    who: Administrator,
    id: Path<Uuid>,
) -> Result<Response, Problem> {
    fulfil(state, who, id, Wish::Resume).await
}

async fn fulfil(
    State(api): State<Api>,
    administrator: Administrator,
    Path(id): Path<Uuid>,
    wish: Wish,
) -> Result<Response, Problem> {
    press(&api, &administrator, id, wish).await?;
    Ok(redirect(&address(id)))
}

/// Performs the action and waits up to [`PATIENCE`] for its effects.
pub(super) async fn press(api: &Api, administrator: &Administrator, id: Uuid, wish: Wish) -> Result<(), Problem> {
    if let Ok(said) = tokio::time::timeout(PATIENCE, say(api, id, &administrator.actor, wish)).await {
        said?;
    }
    Ok(())
}

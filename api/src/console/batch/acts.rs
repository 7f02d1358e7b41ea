//! What can be done with a batch at one press: it can all be undone.
//!
//! A press from an old page, or a second one, does nothing and is no fault: the page it leads to
//! shows where the batch stands.

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

/// A page waits so long for what follows a wish for a hundred thousand deliveries. The wish itself
/// has been fulfilled long before; the page that comes shows how far the rest is.
const PATIENCE: Duration = Duration::from_secs(1);

/// Stops it in its hold.
pub(in crate::console) async fn undo(
    state: State<Api>,
    who: Administrator,
    id: Path<Uuid>,
) -> Result<Response, Problem> {
    fulfil(state, who, id, Wish::Undo).await
}

/// Ends its hold.
pub(in crate::console) async fn start(
    state: State<Api>,
    who: Administrator,
    id: Path<Uuid>,
) -> Result<Response, Problem> {
    fulfil(state, who, id, Wish::Start).await
}

/// Pauses it.
pub(in crate::console) async fn pause(
    state: State<Api>,
    who: Administrator,
    id: Path<Uuid>,
) -> Result<Response, Problem> {
    fulfil(state, who, id, Wish::Pause).await
}

/// Lets it go on.
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

/// Does what was pressed, and waits a moment for what follows from it.
pub(super) async fn press(api: &Api, administrator: &Administrator, id: Uuid, wish: Wish) -> Result<(), Problem> {
    if let Ok(said) = tokio::time::timeout(PATIENCE, say(api, id, &administrator.actor, wish)).await {
        said?;
    }
    Ok(())
}

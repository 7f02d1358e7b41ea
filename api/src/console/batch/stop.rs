//! Asking once before a batch is stopped for good, with the figures of this moment.

use super::sums::Sums;
use super::{address, mails, seen};
use crate::console::frame::{Frame, Place};
use crate::console::respond::{page, redirect};
use crate::console::session::Administrator;
use crate::console::words::counted;
use crate::problem::Problem;
use crate::query::Path;
use crate::state::Api;
use askama::Template;
use axum::extract::State;
use axum::response::Response;
use shared::batch::BatchState;
use uuid::Uuid;

/// The page.
#[derive(Template)]
#[template(path = "console/batch_stop.html")]
struct StopPage {
    frame: Frame,
    id: Uuid,
    rest: i64,
    rest_shown: String,
    /// Sent, or in the relay's hands.
    gone_shown: String,
    mails: String,
    is_paused: bool,
}

/// Asks. Whoever comes too late is shown what became of the batch.
pub(in crate::console) async fn ask(
    State(api): State<Api>,
    administrator: Administrator,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    let (seen, _) = seen(&api, id).await?;
    let is_open = matches!(
        seen.view.state,
        BatchState::Held | BatchState::Running | BatchState::Paused
    );
    if !is_open || seen.view.finished_at.is_some() {
        return Ok(redirect(&address(id)));
    }
    let sums = Sums::of(&seen);
    let gone = sums.sent + sums.sending;
    page(&StopPage {
        frame: administrator.frame(&api, Place::Activity, "Stop sending").await,
        id,
        rest: sums.rest(),
        rest_shown: counted(sums.rest()),
        gone_shown: counted(gone),
        mails: mails(seen.view.kind, sums.owed),
        is_paused: seen.view.state == BatchState::Paused,
    })
}

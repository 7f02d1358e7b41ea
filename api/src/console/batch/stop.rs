//! Stopping a batch for good takes two steps. The first pauses it, so that the figures on the confirmation page stay
//! correct until the administrator decides.
//!
//! Continuing resumes the batch only if this administrator's request paused it. A batch that was paused before, or
//! that another administrator or an API client paused meanwhile, stays paused.

use super::actions::perform;
use super::counts::LedgerCounts;
use super::{address, mails};
use crate::app::batches;
use crate::app::batches::control::BatchCommand;
use crate::app::problem::Problem;
use crate::app::state::AppState;
use crate::app::watch::Seen;
use crate::console::batch::live::reason;
use crate::console::format::counted;
use crate::console::frame::{Frame, Section};
use crate::console::respond::{page, redirect, redirect_with_note};
use crate::console::session::Administrator;
use crate::http::query::Path;
use askama::Template;
use axum::extract::State;
use axum::response::Response;
use shared::batch::BatchState;
use shared::store::batches::Batch;
use uuid::Uuid;

/// The confirmation page.
#[derive(Template)]
#[template(path = "console/batch_stop.html")]
struct StopPage {
    frame: Frame,
    id: Uuid,
    rest: i64,
    rest_shown: String,
    /// Number of emails sent or with the mail server.
    gone: i64,
    gone_shown: String,
    /// Number of emails with the mail server.
    sending: i64,
    sending_shown: String,
    /// Number of emails that would be stopped.
    rest_mails: String,
    mails: String,
    /// Whether this administrator's request paused the batch.
    is_asked: bool,
    /// Who or what paused the batch.
    reason: String,
}

/// First step: pauses the batch and asks for confirmation.
pub(in crate::console) async fn ask(
    State(api): State<AppState>,
    administrator: Administrator,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    perform(&api, &administrator, id, BatchCommand::AskToStop).await?;
    let batch = batches::get(&api, id).await?;
    Ok(match batch.state {
        BatchState::Paused => redirect(&confirm_url(id)),
        BatchState::Held | BatchState::Running => redirect_nothing_left(id),
        BatchState::Stopped | BatchState::Finished => redirect(&address(id)),
    })
}

/// Shows the confirmation page while the batch is paused. Otherwise the batch's page shows the outcome.
pub(in crate::console) async fn show(
    State(api): State<AppState>,
    administrator: Administrator,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    let batch = batches::get(&api, id).await?;
    if matches!(batch.state, BatchState::Held | BatchState::Running) {
        let note = "This batch is not paused. To stop it, select “Stop sending”.";
        return Ok(redirect_with_note(&address(id), note));
    }
    if is_over(&batch) {
        return Ok(redirect(&address(id)));
    }
    let is_asked = batch.stop_asked_by.is_some() && batch.stop_asked_by == administrator.actor.kind.id();
    // Counted now: the shared count may be a second old and predate the pause.
    let seen = Seen::of(&api.db, batch, shared::store::batches::LeftOutCounts::new()).await?;
    let sums = LedgerCounts::of(&seen);
    if sums.rest() == 0 {
        return Ok(redirect_nothing_left(id));
    }
    page(&StopPage {
        frame: administrator.frame(&api, Section::Activity, "Stop sending").await,
        id,
        rest: sums.rest(),
        rest_shown: counted(sums.rest()),
        gone: sums.sent + sums.sending,
        gone_shown: counted(sums.sent + sums.sending),
        sending: sums.sending,
        sending_shown: counted(sums.sending),
        rest_mails: mails(seen.view.kind, sums.rest()),
        mails: mails(seen.view.kind, sums.owed),
        is_asked,
        reason: seen.view.reason.as_deref().map(reason).unwrap_or_default(),
    })
}

/// Second step: stops the batch for good. If it was resumed meanwhile, it is paused and confirmed again, because the
/// figures on the page are outdated.
pub(in crate::console) async fn stop(
    State(api): State<AppState>,
    administrator: Administrator,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    let batch = batches::get(&api, id).await?;
    if matches!(batch.state, BatchState::Held | BatchState::Running) {
        perform(&api, &administrator, id, BatchCommand::AskToStop).await?;
        let note = "The batch was resumed in the meantime, so we paused it again. These are the current figures.";
        return Ok(redirect_with_note(&confirm_url(id), note));
    }
    perform(&api, &administrator, id, BatchCommand::Stop).await?;
    Ok(redirect(&address(id)))
}

/// Does not stop. The batch resumes if this administrator's request paused it.
pub(in crate::console) async fn carry_on(
    State(api): State<AppState>,
    administrator: Administrator,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    perform(&api, &administrator, id, BatchCommand::CarryOn).await?;
    let batch = batches::get(&api, id).await?;
    if batch.state == BatchState::Paused && !is_over(&batch) {
        let why = batch.reason.as_deref().map(reason).unwrap_or_default();
        return Ok(redirect_with_note(
            &address(id),
            &format!("The batch stays paused. {why}."),
        ));
    }
    Ok(redirect(&address(id)))
}

fn is_over(batch: &Batch) -> bool {
    matches!(batch.state, BatchState::Stopped | BatchState::Finished) || batch.finished_at.is_some()
}

/// Redirects to the batch's page with a note that nothing was left to stop.
fn redirect_nothing_left(id: Uuid) -> Response {
    let note = "There was nothing left to stop: all emails had already been sent or handed to the mail server.";
    redirect_with_note(&address(id), note)
}

fn confirm_url(id: Uuid) -> String {
    format!("{}/stop", address(id))
}

//! Sends a selection.

use super::check::{self, CheckPage};
use super::choice::Choice;
use super::exclude;
use super::load_selection::{self, OpenSelection};
use super::schedule::Schedule;
use crate::app::blocked::unblock_addresses;
use crate::app::exclusion::known;
use crate::app::idempotent::{IdempotencyKey, IdempotentRequest};
use crate::app::intake::accept_confirmed;
use crate::app::problem::Problem;
use crate::app::state::AppState;
use crate::console::fields::Fields;
use crate::console::format::counted;
use crate::console::respond::{page_as, redirect, redirect_with_note};
use crate::console::session::Administrator;
use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use shared::store::audit::Actor;
use shared::store::intake::{NewBatch, Selection};
use shared::store::left_out::Inclusions;
use shared::store::selections;
use shared::system_email::SystemEmailKind;
use shared::trace::TraceContext;
use time::OffsetDateTime;
use uuid::Uuid;

/// Sends the selection once, however often the form is submitted.
pub(in crate::console) async fn send(
    State(api): State<AppState>,
    administrator: Administrator,
    Extension(trace): Extension<TraceContext>,
    OpenSelection(mut selection, kind): OpenSelection,
    fields: Fields,
) -> Result<Response, Problem> {
    let id = selection.id;
    let choice = Choice::read(&fields);
    let excludes_others = exclude::store(&api, &mut selection, &fields).await?;
    let schedule = Schedule::read(&api, &choice.start_at).await?;
    let is_shown = is_shown(&fields, &choice) && !excludes_others;
    if schedule.fault.is_none() && (fields.text("do") == "update" || !is_shown) {
        return Ok(shown_again(id, &choice, &fields));
    }
    let is_understood = !fields.is_set("must_understand") || fields.is_set("understood");
    if schedule.fault.is_some() || !is_understood {
        let page = check::of(&api, &administrator, &selection, kind, choice, schedule).await?;
        let fault = "Tick the box to confirm, or leave out the people who have signed in";
        let fault = (!is_understood).then(|| ("understood", fault.to_owned()));
        return refused(StatusCode::UNPROCESSABLE_ENTITY, page, fault);
    }
    load_selection::store_ids(&api, &selection).await?;
    if fields.is_set("unblock") {
        unblock_addresses(&api, &administrator.actor, check::addresses_of(id)).await?;
    }
    let caller = administrator.caller();
    // The selection alone is the idempotency key, so a second click leads to the first batch even if an option was
    // changed in between.
    let once = IdempotentRequest::new(
        &caller,
        "console send",
        IdempotencyKey::of(&format!("selection {id}")),
        Vec::new(),
    );
    let sending = Sending {
        including: choice.resolved(false),
        start_at: schedule.start_at,
        created_by: caller.actor.clone(),
        trace,
    };
    let new = batch_of(&api, &selection, kind, sending).await?;
    let shown: i32 = fields.trimmed("to_send").parse().unwrap_or_default();
    if let Some(accepted) = accept_confirmed(&api, once, new, Some(shown)).await? {
        return Ok(redirect(&format!("/console/batches/{}", accepted.batch)));
    }
    let page = check::of(&api, &administrator, &selection, kind, choice, schedule).await?;
    let fault = format!(
        "The number of emails changed from {} to {} while you were checking. Nothing was sent. Check the numbers again.",
        counted(shown),
        page.sent_shown()
    );
    refused(StatusCode::CONFLICT, page, Some(("numbers", fault)))
}

/// Options of a batch that the form sets.
struct Sending {
    including: Inclusions,
    start_at: Option<OffsetDateTime>,
    created_by: Actor,
    trace: TraceContext,
}

/// The batch of a selection.
async fn batch_of(
    api: &AppState,
    selection: &selections::Selection,
    kind: SystemEmailKind,
    sending: Sending,
) -> Result<NewBatch, Problem> {
    Ok(NewBatch {
        kind,
        selection: Selection {
            chosen: Some(selection.id),
            ..Selection::default()
        },
        hold: api.hold,
        start_at: sending.start_at,
        including: sending.including,
        exclusion: known(api, &selection.excluded_filters, &selection.excluded_lists).await?,
        wording: selection.wording.clone(),
        stale_after: (kind == SystemEmailKind::PasswordReset).then_some(api.password_stale),
        created_by: sending.created_by,
        trace: sending.trace,
    })
}

/// Shows the page again with the reason why nothing was sent.
fn refused(
    status: StatusCode,
    mut page: CheckPage,
    fault: Option<(&'static str, String)>,
) -> Result<Response, Problem> {
    page.frame = page.frame.with_faults();
    page.faults.extend(fault);
    page_as(status, &page)
}

/// Whether the form's numbers and button match its options. They do not if an option was changed after the page was
/// shown, or if a start was entered and no script updated the button.
fn is_shown(fields: &Fields, choice: &Choice) -> bool {
    fields.text("shown") == choice.included() && fields.trimmed("shown_start") == choice.start_at
}

/// Shows the page again with the changed options.
fn shown_again(id: Uuid, choice: &Choice, fields: &Fields) -> Response {
    let to = format!("/console/selections/{id}/check?{}", choice.query());
    if fields.text("do") == "update" {
        return redirect(&to);
    }
    redirect_with_note(
        &to,
        "Nothing has been sent yet. You changed the options. Check the numbers and the start time, then send.",
    )
}

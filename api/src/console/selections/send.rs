//! Sends a selection.

use super::check::{self, CheckPage, Choice};
use super::own::{self, Own};
use super::schedule::Schedule;
use crate::blocked::unblock_those;
use crate::console::fields::Fields;
use crate::console::respond::{page_as, redirect, redirect_with_note};
use crate::console::session::Administrator;
use crate::console::words::counted;
use crate::idempotent::{IdempotencyKey, Once};
use crate::intake::accept_confirmed;
use crate::problem::Problem;
use crate::query::Path;
use crate::state::Api;
use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use shared::store::intake::{NewBatch, Selection};
use shared::system_email::SystemEmailKind;
use shared::trace::TraceContext;
use uuid::Uuid;

/// Sends the selection once, however often the form is submitted.
pub(in crate::console) async fn send(
    State(api): State<Api>,
    administrator: Administrator,
    Extension(trace): Extension<TraceContext>,
    Path(id): Path<Uuid>,
    fields: Fields,
) -> Result<Response, Problem> {
    let (selection, kind) = match own::find(&api, &administrator, id).await? {
        Own::Open(selection, kind) => (selection, kind),
        Own::Sent(response) => return Ok(response),
    };
    let choice = Choice::read(&fields);
    let schedule = Schedule::read(&api, &choice.start_at).await?;
    if schedule.fault.is_none() && (fields.text("do") == "update" || !is_shown(&fields, &choice)) {
        return Ok(shown_again(id, &choice, &fields));
    }
    let start_at = schedule.start_at;
    let is_understood = !fields.is_set("must_understand") || fields.is_set("understood");
    if schedule.fault.is_some() || !is_understood {
        let page = check::of(&api, &administrator, &selection, kind, choice, schedule).await?;
        let fault = "Tick the box to confirm, or leave out the people who have signed in";
        let fault = (!is_understood).then(|| ("understood", fault.to_owned()));
        return refused(StatusCode::UNPROCESSABLE_ENTITY, page, fault);
    }
    own::write_down(&api, &selection).await?;
    if fields.is_set("unblock") {
        unblock_those(&api, &administrator.actor, check::addresses_of(id)).await?;
    }
    let caller = administrator.caller();
    // The selection alone is the idempotency key, so a second click leads to the first batch even if an option was
    // changed in between.
    let once = Once::new(
        &caller,
        "console send",
        IdempotencyKey::of(&format!("selection {id}")),
        Vec::new(),
    );
    let new = NewBatch {
        kind,
        selection: Selection {
            chosen: Some(id),
            ..Selection::default()
        },
        hold: api.hold,
        start_at,
        including: choice.resolved(false),
        stale_after: (kind == SystemEmailKind::PasswordReset).then_some(api.password_stale),
        created_by: caller.actor.clone(),
        trace,
    };
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

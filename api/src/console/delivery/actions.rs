//! Actions on one email.

use crate::app::blocked::unblock_addresses;
use crate::app::deliveries::{self, DeliveryCommand};
use crate::app::idempotent::{IdempotencyKey, IdempotentRequest};
use crate::app::problem::Problem;
use crate::app::state::AppState;
use crate::app::status_labels;
use crate::console::fields::Fields;
use crate::console::respond::{page_as, redirect, redirect_with_flash};
use crate::console::session::Administrator;
use crate::console::user::address_of;
use crate::http::query::Path;
use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use shared::store::deliveries as rows;
use shared::trace::TraceContext;
use uuid::Uuid;

/// Makes an email due now.
pub(in crate::console) async fn retry_now(
    State(api): State<AppState>,
    administrator: Administrator,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    perform_and_redirect(&api, &administrator, id, DeliveryCommand::RetryNow).await
}

/// Cancels an email before it is sent.
pub(in crate::console) async fn withdraw(
    State(api): State<AppState>,
    administrator: Administrator,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    perform_and_redirect(&api, &administrator, id, DeliveryCommand::Withdraw).await
}

/// Performs an action. If it comes too late, nothing changes and the page shows the current state.
async fn perform_and_redirect(
    api: &AppState,
    administrator: &Administrator,
    id: Uuid,
    command: DeliveryCommand,
) -> Result<Response, Problem> {
    deliveries::control_delivery(api, id, &administrator.actor, command).await?;
    Ok(redirect(&format!("/console/deliveries/{id}")))
}

/// Sends the same system email to the same person again, without a hold: someone is waiting for it, and a hold would
/// delay more than it could prevent in a single email. A repeated submission leads to the email that the first one
/// created.
pub(in crate::console) async fn send_again(
    State(api): State<AppState>,
    administrator: Administrator,
    Extension(trace): Extension<TraceContext>,
    Path(id): Path<Uuid>,
    fields: Fields,
) -> Result<Response, Problem> {
    let delivery = deliveries::get(&api, id).await?;
    let back = format!("/console/deliveries/{id}");
    let Some(user) = delivery.user else {
        return Ok(redirect(&back));
    };
    if fields.is_set("unblock") {
        unblock_addresses(&api, &administrator.actor, address_of(user)).await?;
    }
    let caller = administrator.caller();
    let key = IdempotencyKey::of(fields.trimmed("token"));
    let once = IdempotentRequest::new(&caller, &format!("send-again {id}"), key, Vec::new());
    let accepted = deliveries::send_again(&api, id, once, &caller, trace).await?;
    if let Some(reason) = accepted.left_out.keys().next() {
        let mut page = super::written(&api, &administrator, id).await?;
        page.refused = Some(status_labels::left_out(reason));
        page.frame = page.frame.with_faults();
        return page_as(StatusCode::CONFLICT, &page);
    }
    let sent = rows::of_batch(&api.db, accepted.batch, None, None, 1).await?;
    let to = sent.first().map_or_else(
        || format!("/console/batches/{}", accepted.batch),
        |sent| format!("/console/deliveries/{}", sent.id),
    );
    Ok(redirect_with_flash(&to, "The email is on its way."))
}

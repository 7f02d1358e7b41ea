//! Deliveries: one email to one user.

use crate::app::batches;
use crate::app::caller::Caller;
use crate::app::idempotent::IdempotentRequest;
use crate::app::intake::{AcceptedBatch, accept_batch};
use crate::app::problem::Problem;
use crate::app::state::AppState;
use shared::store::audit::{Action, Actor, AuditEntry};
use shared::store::left_out::Inclusions;
use shared::store::{begin, commit, deliveries};
use shared::trace::TraceContext;
use uuid::Uuid;

/// The delivery with this id.
///
/// # Errors
///
/// If there is no such delivery.
pub async fn get(api: &AppState, id: Uuid) -> Result<deliveries::Delivery, Problem> {
    deliveries::find(&api.db, id)
        .await?
        .ok_or_else(|| Problem::not_found("delivery"))
}

/// An action on an email that has not ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DeliveryCommand {
    /// Makes it due now.
    RetryNow,
    /// Cancels it before it is sent.
    Withdraw,
}

/// Performs an action and returns whether it changed the delivery. If it comes too late, nothing changes.
///
/// # Errors
///
/// If there is no such delivery.
pub async fn control_delivery(
    api: &AppState,
    id: Uuid,
    actor: &Actor,
    command: DeliveryCommand,
) -> Result<bool, Problem> {
    get(api, id).await?;
    let mut transaction = begin(&api.db).await?;
    let (is_moved, action) = match command {
        DeliveryCommand::RetryNow => (
            deliveries::retry_now(&mut transaction, id).await?,
            Action::DeliveryHurried,
        ),
        DeliveryCommand::Withdraw => (
            deliveries::withdraw(&mut transaction, id).await?,
            Action::DeliveryStopped,
        ),
    };
    if is_moved {
        AuditEntry::new(actor, action)
            .subject("delivery", id)
            .record(&mut transaction)
            .await?;
        commit(transaction).await?;
    }
    Ok(is_moved)
}

/// Sends the same system email to the same user again, as a batch of one.
///
/// # Errors
///
/// If there is no such delivery, or it has no user any more.
pub async fn send_again(
    api: &AppState,
    id: Uuid,
    once: IdempotentRequest,
    caller: &Caller,
    trace: TraceContext,
) -> Result<AcceptedBatch, Problem> {
    let delivery = get(api, id).await?;
    let user = delivery.user.ok_or_else(|| {
        Problem::conflict(
            "user_gone",
            "The user was deleted, or this was a test email, so it cannot be sent again.",
        )
    })?;
    let batch = batches::get(api, delivery.batch).await?;
    let new = batches::again(api, &batch, vec![user], Inclusions::ALL, caller, trace).await?;
    accept_batch(api, once, new).await
}

//! Batches: their counts, and sending again to their users.

pub mod control;

use crate::app::batch_view::BatchView;
use crate::app::caller::Caller;
use crate::app::idempotent::IdempotentRequest;
use crate::app::intake::{AcceptedBatch, accept_batch};
use crate::app::listed::Listed;
use crate::app::problem::{FieldError, Problem};
use crate::app::state::AppState;
use crate::app::validation::shown;
use crate::app::wording;
use serde::Deserialize;
use shared::delivery::DeliveryState;
use shared::store::counts;
use shared::store::exclusion::Exclusion;
use shared::store::intake::{NewBatch, Selection};
use shared::store::left_out::Inclusions;
use shared::store::{batches, deliveries};
use shared::system_email::SystemEmailKind;
use shared::trace::TraceContext;
use std::time::Duration;
use utoipa::ToSchema;
use uuid::Uuid;

/// A batch with its current counts.
pub async fn view(api: &AppState, batch: batches::Batch) -> Result<BatchView, Problem> {
    let left_out = batches::left_out(&api.db, batch.id).await?;
    let tally = counts::of_batch(&api.db, &batch).await?;
    Ok(BatchView::new(batch, &tally, left_out))
}

/// The batch with this id.
///
/// # Errors
///
/// If there is no such batch.
pub async fn get(api: &AppState, id: Uuid) -> Result<batches::Batch, Problem> {
    batches::find(&api.db, id)
        .await?
        .ok_or_else(|| Problem::not_found("batch"))
}

/// Maximum length of the list. There are only five outcomes, but a list may repeat them.
const MAX_OUTCOMES: usize = 100;

/// Users of a batch to send to again.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SendAgainRequest {
    /// States of their deliveries: `failed`, `expired`, `cancelled`, `suppressed`, `sent`.
    #[schema(value_type = Vec<String>)]
    pub outcomes: Listed<String, MAX_OUTCOMES>,
    /// Include users who have signed in.
    #[serde(default)]
    pub include_signed_in: bool,
    /// Include users who were sent this email in the last 24 hours.
    #[serde(default)]
    pub include_recent: bool,
}

/// Sends the same system email again to users of a batch whose email ended in one of these states.
///
/// # Errors
///
/// If the request names no outcome or an unknown one, or no user has such an outcome.
pub async fn send_again(
    api: &AppState,
    id: Uuid,
    request: SendAgainRequest,
    once: IdempotentRequest,
    caller: &Caller,
    trace: TraceContext,
) -> Result<AcceptedBatch, Problem> {
    if request.outcomes.is_too_long() {
        return Err(outcome_fault(
            "too_many_outcomes",
            format!("Name each of {OUTCOMES} once."),
        ));
    }
    let states = outcomes(request.outcomes.kept())?;
    let batch = get(api, id).await?;
    if batch.details_dropped_at.is_some() {
        return Err(Problem::invalid(
            "details_dropped",
            "The details of this batch have been deleted, so its recipients are unknown. Select the users again.",
        ));
    }
    let users = deliveries::users_in_states(&api.db, id, &states).await?;
    if users.is_empty() {
        return Err(Problem::invalid(
            "empty_batch",
            "No delivery of this batch ended in one of these ways.",
        ));
    }
    let including = Inclusions {
        signed_in: request.include_signed_in,
        recent: request.include_recent,
    };
    let new = again(api, &batch, users, including, caller, trace).await?;
    accept_batch(api, once, new).await
}

/// A new batch for users who were in an earlier one. It keeps the wording that the earlier one had for itself.
///
/// # Errors
///
/// If Postgres is unavailable.
pub async fn again(
    api: &AppState,
    batch: &batches::Batch,
    users: Vec<Uuid>,
    including: Inclusions,
    caller: &Caller,
    trace: TraceContext,
) -> Result<NewBatch, Problem> {
    let kind = batch.kind;
    Ok(NewBatch {
        kind,
        selection: Selection {
            users,
            ..Selection::default()
        },
        hold: Duration::ZERO,
        start_at: None,
        including,
        exclusion: Exclusion::default(),
        wording: wording::of_batch(api, batch).await?,
        stale_after: (kind == SystemEmailKind::PasswordReset).then_some(api.password_stale),
        created_by: caller.actor.clone(),
        trace,
    })
}

/// The outcomes that can be sent again, as error messages list them.
const OUTCOMES: &str = "failed, expired, cancelled, suppressed, sent";

fn outcome_fault(code: &str, message: String) -> Problem {
    let error = FieldError::in_field("outcomes", code, message);
    Problem::invalid("invalid_request", "List the outcomes to send again; see errors.").with_errors(vec![error])
}

fn outcomes(names: &[String]) -> Result<Vec<DeliveryState>, Problem> {
    let fault = |message| outcome_fault("unknown_outcome", message);
    if names.is_empty() {
        return Err(fault(format!("Name at least one of {OUTCOMES}.")));
    }
    names
        .iter()
        .map(|name| {
            DeliveryState::from_name(name)
                .filter(|state| state.has_ended())
                .ok_or_else(|| fault(format!("‘{}’ is not an outcome; use {OUTCOMES}.", shown(name))))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_listed_outcomes_are_the_accepted_ones() {
        for state in DeliveryState::ALL {
            let is_named = OUTCOMES.split(", ").any(|name| name == state.as_str());
            assert_eq!(is_named, outcomes(&[state.as_str().to_owned()]).is_ok(), "{state:?}");
        }
    }

    #[test]
    fn an_invalid_outcome_is_quoted_short_and_printable() {
        let problem = outcomes(&[format!("a\u{1b}b{}", "x".repeat(100_000))]).unwrap_err();

        let message = &problem.errors[0].message;
        assert!(
            message.starts_with("‘abxxx") && message.chars().count() < 160,
            "{message}"
        );
    }
}

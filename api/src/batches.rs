//! Batches: their counts, and the actions that control them.

pub mod control;

use crate::body::JsonBody;
use crate::caller::Caller;
use crate::idempotent::{IdempotencyKey, Once};
use crate::intake::{AcceptedBatch, accept_batch};
use crate::listed::Listed;
use crate::page::{Page, PageRequest};
use crate::problem::{FieldError, Problem};
use crate::query::{Path, Query, shown};
use crate::state::Api;
use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use control::BatchCommand;
use serde::{Deserialize, Serialize};
use shared::batch::BatchState;
use shared::delivery::DeliveryState;
use shared::store::intake::{NewBatch, Selection};
use shared::store::left_out::Including;
use shared::store::tally::{self, Tally};
use shared::store::{batches, deliveries};
use shared::system_email::SystemEmailKind;
use shared::trace::TraceContext;
use std::time::Duration;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

/// Numbers of emails by state. All except `unsure` add up to `selected`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize, ToSchema)]
#[expect(missing_docs, reason = "the delivery states, described there")]
pub struct Counts {
    pub selected: i64,
    pub left_out: i64,
    pub waiting: i64,
    pub queued: i64,
    pub sending: i64,
    pub retrying: i64,
    pub sent: i64,
    pub failed: i64,
    pub suppressed: i64,
    pub cancelled: i64,
    pub expired: i64,
    /// Deliveries with an attempt whose outcome is unknown. They are also counted under their state.
    pub unsure: i64,
}

/// A batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct BatchView {
    /// The id.
    pub id: Uuid,
    /// The system email.
    #[schema(value_type = String)]
    pub kind: SystemEmailKind,
    /// The version of the system email.
    pub version: i32,
    /// `held`, `running`, `paused`, `stopped` or `finished`.
    #[schema(value_type = String)]
    pub state: BatchState,
    /// Who created it.
    pub created_by: String,
    /// When it was accepted.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it may start.
    #[serde(with = "time::serde::rfc3339")]
    pub start_at: OffsetDateTime,
    /// When its last delivery ended.
    #[serde(with = "time::serde::rfc3339::option")]
    pub finished_at: Option<OffsetDateTime>,
    /// When its deliveries and the list of users left out were deleted (`BECKON_DETAILS_KEPT`). Its counts are kept.
    #[serde(with = "time::serde::rfc3339::option")]
    pub details_dropped_at: Option<OffsetDateTime>,
    /// When emails that have not been attempted expire (`BECKON_PASSWORD_STALE`). Absent for invites, which never
    /// expire, and while the batch is paused, because the time on pause does not count.
    #[serde(with = "time::serde::rfc3339::option")]
    pub expires_at: Option<OffsetDateTime>,
    /// While the batch is paused: seconds from its resume until emails that have not been attempted expire.
    pub expires_after_resume_seconds: Option<i64>,
    /// Why it is paused or stopped, as a sentence.
    pub reason: Option<String>,
    /// Why it was paused automatically, until it is resumed or stopped: `bounces` (too many addresses do not exist),
    /// `policy` (too many emails are refused as spam or by policy) or `relay` (the mail server refuses all emails
    /// from this sender or account).
    pub brake: Option<String>,
    /// Numbers of emails by state.
    pub counts: Counts,
    /// Numbers of users left out, by reason.
    #[schema(value_type = std::collections::BTreeMap<String, i64>)]
    pub left_out: batches::LeftOutCounts,
}

/// A batch with its current counts.
pub async fn view(api: &Api, batch: batches::Batch) -> Result<BatchView, Problem> {
    let left_out = batches::left_out(&api.db, batch.id).await?;
    let tally = tally::of_batch(&api.db, &batch).await?;
    Ok(view_of(batch, &tally, left_out))
}

/// A batch with the given counts.
pub(crate) fn view_of(batch: batches::Batch, tally: &Tally, left_out: batches::LeftOutCounts) -> BatchView {
    let (expires_at, expires_after_resume_seconds) = expiry(&batch);
    BatchView {
        expires_at,
        expires_after_resume_seconds,
        counts: Counts {
            selected: i64::from(batch.selected),
            left_out: i64::from(batch.selected - batch.accepted),
            waiting: tally.of(DeliveryState::Waiting),
            queued: tally.of(DeliveryState::Queued),
            sending: tally.of(DeliveryState::Sending),
            retrying: tally.of(DeliveryState::Retrying),
            sent: tally.of(DeliveryState::Sent),
            failed: tally.of(DeliveryState::Failed),
            suppressed: tally.of(DeliveryState::Suppressed),
            cancelled: tally.of(DeliveryState::Cancelled),
            expired: tally.of(DeliveryState::Expired),
            unsure: tally.unsure(),
        },
        id: batch.id,
        kind: batch.kind,
        version: batch.version,
        state: batch.state,
        created_by: batch.created_by,
        created_at: batch.created_at,
        start_at: batch.start_at,
        finished_at: batch.finished_at,
        details_dropped_at: batch.details_dropped_at,
        reason: batch.reason,
        brake: batch.brake,
        left_out,
    }
}

/// When emails that have not been tried yet expire. During a pause: how many seconds after its end.
fn expiry(batch: &batches::Batch) -> (Option<OffsetDateTime>, Option<i64>) {
    match (batch.state, batch.stale_at, batch.paused_at) {
        (BatchState::Held | BatchState::Running, stale_at, _) => (stale_at, None),
        // A pause that began before the start uses up no time until then.
        (BatchState::Paused, Some(stale_at), Some(paused_at)) => {
            let left = stale_at - paused_at.max(batch.start_at);
            (None, Some(left.whole_seconds().max(0)))
        }
        _ => (None, None),
    }
}

/// The batch with this id, or 404.
pub async fn get(api: &Api, id: Uuid) -> Result<batches::Batch, Problem> {
    batches::find(&api.db, id)
        .await?
        .ok_or_else(|| Problem::not_found("batch"))
}

/// Lists batches, newest first.
#[utoipa::path(get, path = "/v1/batches", tag = "batches", params(PageRequest), responses((status = 200, body = Page<BatchView>)))]
pub async fn list(State(api): State<Api>, Query(page): Query<PageRequest>) -> Result<Json<Page<BatchView>>, Problem> {
    let limit = page.limit()?;
    let found = batches::list(&api.db, page.after()?, limit + 1).await?;
    let mut items = Vec::with_capacity(found.len());
    for batch in found {
        items.push(view(&api, batch).await?);
    }
    Ok(Json(Page::of(items, limit, |batch| batch.id)))
}

/// Shows a batch.
#[utoipa::path(get, path = "/v1/batches/{id}", tag = "batches", responses((status = 200, body = BatchView), (status = 404, body = Problem)))]
pub async fn show(State(api): State<Api>, Path(id): Path<Uuid>) -> Result<Json<BatchView>, Problem> {
    let batch = get(&api, id).await?;
    Ok(Json(view(&api, batch).await?))
}

/// Pauses a batch. Nothing more is sent until it is resumed.
#[utoipa::path(post, path = "/v1/batches/{id}/pause", tag = "batches", responses((status = 200, body = BatchView), (status = 409, body = Problem)))]
pub async fn pause(State(api): State<Api>, caller: Caller, Path(id): Path<Uuid>) -> Result<Json<BatchView>, Problem> {
    answer(&api, id, &caller, BatchCommand::Pause, BatchState::Paused).await
}

/// Resumes a paused batch.
#[utoipa::path(post, path = "/v1/batches/{id}/resume", tag = "batches", responses((status = 200, body = BatchView), (status = 409, body = Problem)))]
pub async fn resume(State(api): State<Api>, caller: Caller, Path(id): Path<Uuid>) -> Result<Json<BatchView>, Problem> {
    answer(&api, id, &caller, BatchCommand::Resume, BatchState::Running).await
}

/// Stops a batch permanently. Emails that have not been started are cancelled.
///
/// After the response nothing more is sent, except emails that the mail server is already receiving, which are
/// counted as `sending`.
#[utoipa::path(post, path = "/v1/batches/{id}/stop", tag = "batches", responses((status = 200, body = BatchView), (status = 409, body = Problem)))]
pub async fn stop(State(api): State<Api>, caller: Caller, Path(id): Path<Uuid>) -> Result<Json<BatchView>, Problem> {
    answer(&api, id, &caller, BatchCommand::Stop, BatchState::Stopped).await
}

/// Performs an action and returns the batch. A repeated request finds the batch already changed.
async fn answer(
    api: &Api,
    id: Uuid,
    caller: &Caller,
    command: BatchCommand,
    wanted: BatchState,
) -> Result<Json<BatchView>, Problem> {
    let moved = control::control(api, id, &caller.actor, command).await?;
    let batch = get(api, id).await?;
    let is_there = batch.state == wanted || (wanted == BatchState::Running && batch.state == BatchState::Held);
    if !moved && !is_there {
        return Err(Problem::conflict(
            "batch_state",
            format!(
                "The batch is {} and cannot become {} any more.",
                batch.state.as_str(),
                wanted.as_str()
            ),
        ));
    }
    Ok(Json(view(api, batch).await?))
}

/// Maximum length of the list. There are only five outcomes, but a list may repeat them.
const OUTCOMES_MOST: usize = 100;

/// Users of a batch to send to again.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SendAgainRequest {
    /// States of their deliveries: `failed`, `expired`, `cancelled`, `suppressed`, `sent`.
    #[schema(value_type = Vec<String>)]
    pub outcomes: Listed<String, OUTCOMES_MOST>,
    /// Include users who have signed in.
    #[serde(default)]
    pub include_signed_in: bool,
    /// Include users who were sent this email in the last 24 hours.
    #[serde(default)]
    pub include_recent: bool,
}

/// Sends the same system email again to users of a batch whose email ended in one of these states.
#[utoipa::path(post, path = "/v1/batches/{id}/send-again", tag = "batches", request_body = SendAgainRequest,
    responses((status = 202, body = AcceptedBatch), (status = 422, body = Problem)))]
pub async fn send_again(
    State(api): State<Api>,
    caller: Caller,
    key: IdempotencyKey,
    Extension(trace): Extension<TraceContext>,
    Path(id): Path<Uuid>,
    body: JsonBody<SendAgainRequest>,
) -> Result<(StatusCode, Json<AcceptedBatch>), Problem> {
    if body.value.outcomes.is_too_long() {
        return Err(outcome_fault(
            "too_many_outcomes",
            format!("Name each of {OUTCOMES} once."),
        ));
    }
    let states = outcomes(body.value.outcomes.kept())?;
    let batch = get(&api, id).await?;
    if batch.details_dropped_at.is_some() {
        return Err(Problem::unprocessable(
            "details_dropped",
            "The details of this batch have been deleted, so its recipients are unknown. Select the users again.",
        ));
    }
    let users = deliveries::users_in_states(&api.db, id, &states).await?;
    if users.is_empty() {
        return Err(Problem::unprocessable(
            "empty_batch",
            "No delivery of this batch ended in one of these ways.",
        ));
    }
    let including = Including {
        signed_in: body.value.include_signed_in,
        recent: body.value.include_recent,
    };
    let new = again(&api, batch.kind, users, including, &caller, trace);
    let once = Once::new(&caller, &format!("send-again {id}"), key, body.digest);
    Ok((StatusCode::ACCEPTED, Json(accept_batch(&api, once, new).await?)))
}

/// A new batch for users who were in an earlier one.
pub fn again(
    api: &Api,
    kind: SystemEmailKind,
    users: Vec<Uuid>,
    including: Including,
    caller: &Caller,
    trace: TraceContext,
) -> NewBatch {
    NewBatch {
        kind,
        selection: Selection {
            users,
            ..Selection::default()
        },
        hold: Duration::ZERO,
        start_at: None,
        including,
        stale_after: (kind == SystemEmailKind::PasswordReset).then_some(api.password_stale),
        created_by: caller.actor.clone(),
        trace,
    }
}

/// The outcomes that can be sent again, as error messages list them.
const OUTCOMES: &str = "failed, expired, cancelled, suppressed, sent";

fn outcome_fault(code: &str, message: String) -> Problem {
    let error = FieldError::in_field("outcomes", code, message);
    Problem::unprocessable("invalid_request", "List the outcomes to send again; see errors.").with_errors(vec![error])
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

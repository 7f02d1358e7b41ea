//! Batches: their counts, and the actions that control them.

use crate::app::batch_view::BatchView;
use crate::app::batches::control::{BatchCommand, ensure_state};
use crate::app::batches::{self, SendAgainRequest};
use crate::app::caller::Caller;
use crate::app::idempotent::{IdempotencyKey, IdempotentRequest};
use crate::app::intake::AcceptedBatch;
use crate::app::problem::Problem;
use crate::app::state::AppState;
use crate::app::system_emails::texts::{TranslationView, translations};
use crate::app::wording::version_of;
use crate::http::body::JsonBody;
use crate::http::pagination::{Page, PageRequest};
use crate::http::problem::ProblemBody;
use crate::http::query::{Path, Query};
use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::Serialize;
use shared::batch::BatchState;
use shared::store::batches as store;
use shared::store::counts;
use shared::trace::TraceContext;
use std::collections::BTreeMap;
use utoipa::ToSchema;
use uuid::Uuid;

/// Lists batches, newest first.
#[utoipa::path(get, path = "/v1/batches", tag = "batches", params(PageRequest), responses((status = 200, body = Page<BatchView>)))]
pub async fn list(
    State(api): State<AppState>,
    Query(page): Query<PageRequest>,
) -> Result<Json<Page<BatchView>>, Problem> {
    let limit = page.limit()?;
    let found = store::list(&api.db, page.after()?, limit + 1).await?;
    let ids: Vec<Uuid> = found.iter().map(|batch| batch.id).collect();
    let mut left_out = store::left_out_of_each(&api.db, &ids).await?;
    let mut tallies = counts::of_each(&api.db, &found).await?;
    let views = found.into_iter().map(|batch| {
        let tally = tallies.remove(&batch.id).unwrap_or_default();
        let left_out = left_out.remove(&batch.id).unwrap_or_default();
        BatchView::new(batch, &tally, left_out)
    });
    Ok(Json(Page::of(views.collect(), limit, |batch| batch.id)))
}

/// Shows a batch.
#[utoipa::path(get, path = "/v1/batches/{id}", tag = "batches", responses((status = 200, body = BatchView), (status = 404, body = ProblemBody)))]
pub async fn show(State(api): State<AppState>, Path(id): Path<Uuid>) -> Result<Json<BatchView>, Problem> {
    let batch = batches::get(&api, id).await?;
    Ok(Json(batches::view(&api, batch).await?))
}

/// Pauses a batch. Nothing more is sent until it is resumed.
#[utoipa::path(post, path = "/v1/batches/{id}/pause", tag = "batches", responses((status = 200, body = BatchView), (status = 409, body = ProblemBody)))]
pub async fn pause(
    State(api): State<AppState>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> Result<Json<BatchView>, Problem> {
    Ok(Json(
        ensure_state(&api, id, &caller.actor, BatchCommand::Pause, BatchState::Paused).await?,
    ))
}

/// Resumes a paused batch.
#[utoipa::path(post, path = "/v1/batches/{id}/resume", tag = "batches", responses((status = 200, body = BatchView), (status = 409, body = ProblemBody)))]
pub async fn resume(
    State(api): State<AppState>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> Result<Json<BatchView>, Problem> {
    Ok(Json(
        ensure_state(&api, id, &caller.actor, BatchCommand::Resume, BatchState::Running).await?,
    ))
}

/// Stops a batch permanently. Emails that have not been started are cancelled.
///
/// After the response nothing more is sent, except emails that the mail server is already receiving, which are
/// counted as `sending`.
#[utoipa::path(post, path = "/v1/batches/{id}/stop", tag = "batches", responses((status = 200, body = BatchView), (status = 409, body = ProblemBody)))]
pub async fn stop(
    State(api): State<AppState>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> Result<Json<BatchView>, Problem> {
    Ok(Json(
        ensure_state(&api, id, &caller.actor, BatchCommand::Stop, BatchState::Stopped).await?,
    ))
}

/// Sends the same system email again to users of a batch whose email ended in one of these states.
#[utoipa::path(post, path = "/v1/batches/{id}/send-again", tag = "batches", request_body = SendAgainRequest,
    responses((status = 202, body = AcceptedBatch), (status = 422, body = ProblemBody)))]
pub async fn send_again(
    State(api): State<AppState>,
    caller: Caller,
    key: IdempotencyKey,
    Extension(trace): Extension<TraceContext>,
    Path(id): Path<Uuid>,
    body: JsonBody<SendAgainRequest>,
) -> Result<(StatusCode, Json<AcceptedBatch>), Problem> {
    let once = IdempotentRequest::new(&caller, &format!("send-again {id}"), key, body.digest);
    let accepted = batches::send_again(&api, id, body.value, once, &caller, trace).await?;
    Ok((StatusCode::ACCEPTED, Json(accepted)))
}

/// The text that a batch is sent with.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct BatchEmailView {
    /// The version of the system email; for a batch with its own wording, the one that it was written from.
    pub version: i32,
    /// Whether the batch has its own wording.
    pub own_wording: bool,
    /// The subject, with merge fields.
    pub subject: String,
    /// The text, Markdown with merge fields.
    pub body: String,
    /// The language of subject and body; empty if it is not stated.
    pub language: String,
    /// The same email in other languages, by language tag; empty for a batch with its own wording.
    pub translations: BTreeMap<String, TranslationView>,
}

/// Shows the text that a batch is sent with.
#[utoipa::path(get, path = "/v1/batches/{id}/email", tag = "batches",
    responses((status = 200, body = BatchEmailView), (status = 404, body = ProblemBody)))]
pub async fn email(State(api): State<AppState>, Path(id): Path<Uuid>) -> Result<Json<BatchEmailView>, Problem> {
    let version = version_of(&api, &batches::get(&api, id).await?).await?;
    Ok(Json(BatchEmailView {
        version: version.based_on.unwrap_or(version.version),
        own_wording: version.based_on.is_some(),
        translations: translations(&version),
        language: version.language,
        subject: version.subject,
        body: version.body,
    }))
}

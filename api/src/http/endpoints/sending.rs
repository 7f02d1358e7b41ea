//! Sending an email to many users: `POST /v1/invites` and `POST /v1/password-resets`.

use crate::app::caller::Caller;
use crate::app::idempotent::{IdempotencyKey, IdempotentRequest};
use crate::app::intake::{AcceptedBatch, SendRequest, send};
use crate::app::problem::Problem;
use crate::app::state::AppState;
use crate::http::body::JsonBody;
use crate::http::problem::ProblemBody;
use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use shared::failpoint::{Point, reach};
use shared::system_email::SystemEmailKind;
use shared::trace::TraceContext;

/// Sends an invite to each selected user. Users who have signed in are left out unless `include_signed_in` is set, and
/// users whose address is blocked always. A waiting invite whose address is blocked later ends as `suppressed`.
#[utoipa::path(post, path = "/v1/invites", tag = "sending", request_body = SendRequest,
    responses((status = 202, body = AcceptedBatch), (status = 422, body = ProblemBody)))]
pub async fn invites(
    State(api): State<AppState>,
    caller: Caller,
    key: IdempotencyKey,
    Extension(trace): Extension<TraceContext>,
    body: JsonBody<SendRequest>,
) -> Result<(StatusCode, Json<AcceptedBatch>), Problem> {
    accept(api, SystemEmailKind::Invite, caller, key, trace, body).await
}

/// Generates a password for each selected user and sends it by email. Users who have signed in are left out unless
/// `include_signed_in` is set, and users whose address is blocked always. A waiting email whose address is blocked
/// later ends as `suppressed`, and no password is generated for it.
#[utoipa::path(post, path = "/v1/password-resets", tag = "sending", request_body = SendRequest,
    responses((status = 202, body = AcceptedBatch), (status = 422, body = ProblemBody)))]
pub async fn password_resets(
    State(api): State<AppState>,
    caller: Caller,
    key: IdempotencyKey,
    Extension(trace): Extension<TraceContext>,
    body: JsonBody<SendRequest>,
) -> Result<(StatusCode, Json<AcceptedBatch>), Problem> {
    accept(api, SystemEmailKind::PasswordReset, caller, key, trace, body).await
}

async fn accept(
    api: AppState,
    kind: SystemEmailKind,
    caller: Caller,
    key: IdempotencyKey,
    trace: TraceContext,
    body: JsonBody<SendRequest>,
) -> Result<(StatusCode, Json<AcceptedBatch>), Problem> {
    let once = IdempotentRequest::new(&caller, kind.as_str(), key, body.digest);
    let accepted = send(&api, once, kind, body.value, &caller, trace, body.slot).await?;
    reach(Point::AnswerReady);
    Ok((StatusCode::ACCEPTED, Json(accepted)))
}

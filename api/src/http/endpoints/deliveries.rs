//! Deliveries in the API: the ledger of a batch, and the attempts of one delivery.

use crate::app::caller::Caller;
use crate::app::idempotent::{IdempotencyKey, IdempotentRequest};
use crate::app::intake::AcceptedBatch;
use crate::app::problem::Problem;
use crate::app::state::AppState;
use crate::app::status_labels::status;
use crate::app::validation::shown;
use crate::app::{batches, deliveries, ledger};
use crate::http::download::{CSV, download};
use crate::http::pagination::{Page, PageRequest};
use crate::http::problem::ProblemBody;
use crate::http::query::{Path, Query};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use shared::delivery::DeliveryState;
use shared::store::{attempts, deliveries as store};
use shared::trace::TraceContext;
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// The fields of a delivery in lists and in single responses.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DeliveryFields {
    /// The id, which is also part of the email's Message-ID.
    pub id: Uuid,
    /// The batch.
    pub batch: Uuid,
    /// The user; absent for a test email and if the user was deleted.
    pub user: Option<Uuid>,
    /// The address it was or will be sent to. A later correction of the user's address does not change it.
    pub email: Option<String>,
    /// The state.
    #[schema(value_type = String)]
    pub state: DeliveryState,
    /// The reason for the state.
    pub reason: Option<String>,
    /// State and reason in words, as shown in the console.
    #[schema(value_type = String)]
    pub status: &'static str,
    /// Number of attempts that have begun.
    pub attempt_count: i32,
    /// When the next attempt is due.
    #[serde(with = "time::serde::rfc3339::option")]
    pub due_at: Option<OffsetDateTime>,
    /// When the mail server accepted it.
    #[serde(with = "time::serde::rfc3339::option")]
    pub sent_at: Option<OffsetDateTime>,
    /// Whether the user may have received it twice.
    pub unsure: bool,
}

/// A delivery in a list.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DeliveryView {
    /// The delivery.
    #[serde(flatten)]
    pub delivery: DeliveryFields,
    /// The same as `attempt_count`, under the name that earlier releases used.
    #[schema(deprecated)]
    pub attempts: i32,
}

/// A delivery with its attempts.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DeliveryWithAttempts {
    /// The delivery.
    #[serde(flatten)]
    pub delivery: DeliveryFields,
    /// The attempts that have begun, oldest first.
    pub attempts: Vec<AttemptView>,
}

impl From<store::Delivery> for DeliveryFields {
    fn from(row: store::Delivery) -> Self {
        Self {
            id: row.id,
            batch: row.batch,
            user: row.user,
            email: row.email,
            status: status(row.state, row.reason.as_deref(), row.batch_state).word,
            state: row.state,
            reason: row.reason,
            attempt_count: row.attempts,
            due_at: row.due_at,
            sent_at: row.sent_at,
            unsure: row.unsure,
        }
    }
}

/// An attempt.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AttemptView {
    /// The number of the attempt, counted from 1.
    pub n: i32,
    /// The address it was sent to. The next attempt uses a corrected address.
    pub email: Option<String>,
    /// When it began.
    #[serde(with = "time::serde::rfc3339")]
    pub started_at: OffsetDateTime,
    /// When its outcome was known.
    #[serde(with = "time::serde::rfc3339::option")]
    pub ended_at: Option<OffsetDateTime>,
    /// `accepted`, `try_later`, `refused` or `unsure`; absent while it runs.
    pub verdict: Option<String>,
    /// The phase of the SMTP dialogue that was reached.
    pub phase: Option<String>,
    /// The SMTP reply code.
    pub code: Option<i16>,
    /// The enhanced status code (RFC 3463).
    pub enhanced_code: Option<String>,
    /// The text of the mail server's reply. It is untrusted input: display it as plain text.
    pub reply: Option<String>,
    /// The worker that made the attempt.
    pub worker: String,
}

/// Filter and page.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DeliveriesRequest {
    /// Only deliveries in this state.
    pub state: Option<String>,
    /// Maximum number of items: 1 to 1000, default 50.
    pub limit: Option<i64>,
    /// The `next_cursor` of the previous page.
    pub cursor: Option<String>,
}

/// Lists a batch's deliveries.
#[utoipa::path(get, path = "/v1/batches/{id}/deliveries", tag = "deliveries", params(DeliveriesRequest), responses((status = 200, body = Page<DeliveryView>)))]
pub async fn of_batch(
    State(api): State<AppState>,
    Path(id): Path<Uuid>,
    Query(request): Query<DeliveriesRequest>,
) -> Result<Json<Page<DeliveryView>>, Problem> {
    let page = PageRequest {
        limit: request.limit,
        cursor: request.cursor,
    };
    let limit = page.limit()?;
    let state = state_of(request.state.as_deref())?;
    batches::get(&api, id).await?;
    let rows = store::of_batch(&api.db, id, state, page.after()?, limit + 1).await?;
    let items = rows
        .into_iter()
        .map(|row| DeliveryView {
            attempts: row.attempts,
            delivery: row.into(),
        })
        .collect();
    Ok(Json(Page::of(items, limit, |line: &DeliveryView| line.delivery.id)))
}

/// The requested state.
fn state_of(name: Option<&str>) -> Result<Option<DeliveryState>, Problem> {
    name.map(|name| DeliveryState::from_name(name).ok_or_else(|| unknown_state(name)))
        .transpose()
}

fn unknown_state(name: &str) -> Problem {
    let known = DeliveryState::ALL.map(DeliveryState::as_str).join(", ");
    Problem::malformed(
        "unknown_state",
        format!(
            "‘{}’ is not a state of a delivery; the states are {known}.",
            shown(name)
        ),
    )
}

/// Filter of a ledger.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct LedgerRequest {
    /// Only deliveries in this state. Without it, users who were left out are included.
    pub state: Option<String>,
}

/// Downloads the ledger of a batch as CSV, with one line per selected user; or only the deliveries in one state.
#[utoipa::path(get, path = "/v1/batches/{id}/deliveries.csv", tag = "deliveries", params(LedgerRequest),
    responses((status = 200, content_type = "text/csv", body = String)))]
pub async fn csv(
    State(api): State<AppState>,
    Path(id): Path<Uuid>,
    Query(request): Query<LedgerRequest>,
) -> Result<Response, Problem> {
    let state = state_of(request.state.as_deref())?;
    let batch = batches::get(&api, id).await?;
    let name = format!("batch-{}.csv", batch.id);
    Ok(download(CSV, &name, ledger::csv(api, batch.id, state)))
}

/// Shows a delivery with all its attempts.
#[utoipa::path(get, path = "/v1/deliveries/{id}", tag = "deliveries", responses((status = 200, body = DeliveryWithAttempts), (status = 404, body = ProblemBody)))]
pub async fn show(State(api): State<AppState>, Path(id): Path<Uuid>) -> Result<Json<DeliveryWithAttempts>, Problem> {
    let delivery = deliveries::get(&api, id).await?;
    let attempts = attempts::of_delivery(&api.db, id).await?;
    Ok(Json(DeliveryWithAttempts {
        delivery: delivery.into(),
        attempts: attempts.into_iter().map(AttemptView::from).collect(),
    }))
}

impl From<attempts::Attempt> for AttemptView {
    fn from(row: attempts::Attempt) -> Self {
        Self {
            n: row.n,
            email: row.email,
            started_at: row.started_at,
            ended_at: row.ended_at,
            verdict: row.verdict,
            phase: row.phase,
            code: row.code,
            enhanced_code: row.enhanced_code,
            reply: row.reply,
            worker: row.worker,
        }
    }
}

/// Sends the same system email to the same user again, as a batch of one. Users who have signed in or were emailed
/// recently are not left out, but a user whose address is blocked is.
#[utoipa::path(post, path = "/v1/deliveries/{id}/send-again", tag = "deliveries", responses((status = 202, body = AcceptedBatch), (status = 409, body = ProblemBody)))]
pub async fn send_again(
    State(api): State<AppState>,
    caller: Caller,
    key: IdempotencyKey,
    Extension(trace): Extension<TraceContext>,
    Path(id): Path<Uuid>,
) -> Result<(StatusCode, Json<AcceptedBatch>), Problem> {
    let once = IdempotentRequest::new(&caller, &format!("send-again {id}"), key, Vec::new());
    let accepted = deliveries::send_again(&api, id, once, &caller, trace).await?;
    Ok((StatusCode::ACCEPTED, Json(accepted)))
}

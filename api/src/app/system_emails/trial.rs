//! Test emails: to any address, marked as a test, with an invented person and no password.

use crate::app::caller::Caller;
use crate::app::idempotent::{IdempotentRequest, Success};
use crate::app::problem::Problem;
use crate::app::state::AppState;
use crate::spans;
use serde::{Deserialize, Serialize};
use shared::address::EmailAddress;
use shared::store::system_emails::Wording;
use shared::store::{begin, intake};
use shared::system_email::SystemEmailKind;
use shared::trace::{TraceContext, now};
use tracing::info;
use utoipa::ToSchema;
use uuid::Uuid;

/// An accepted test email.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct TestView {
    /// The batch, which has one delivery.
    pub batch: Uuid,
}

/// A test email.
#[derive(Clone, Debug)]
pub struct Trial {
    /// The system email.
    pub kind: SystemEmailKind,
    /// Wording that replaces the shared text.
    pub wording: Option<Wording>,
    /// Where it goes.
    pub address: EmailAddress,
    /// The language of a user who would get it; empty for the default text.
    pub language: String,
}

/// Accepts a test email, once.
///
/// # Errors
///
/// If Postgres is unavailable, or the idempotency key was used with another request.
pub async fn send_test(
    api: &AppState,
    once: IdempotentRequest,
    trial: Trial,
    caller: &Caller,
    trace: TraceContext,
) -> Result<TestView, Problem> {
    let Trial {
        kind,
        wording,
        address,
        language,
    } = trial;
    let began = now();
    let mut transaction = begin(&api.db).await?;
    if let Some(answer) = once.answered(&mut transaction).await? {
        return Ok(answer);
    }
    let typed = address.as_typed();
    let batch = intake::accept_test(
        &mut transaction,
        kind,
        wording.as_ref(),
        typed,
        &language,
        &caller.actor,
        trace,
    )
    .await?;
    let answer = TestView { batch };
    once.commit(&api.db, transaction, Success::Accepted, &answer).await?;
    spans::emit_intake(trace, batch, kind, 1, began);
    info!(batch.id = %batch, mail = kind.as_str(), to = %address, "Accepted a test email");
    Ok(answer)
}

//! Test emails: to any address, marked as a test, with an invented person and no password.

use super::KindPath;
use crate::body::JsonBody;
use crate::caller::Caller;
use crate::idempotent::{IdempotencyKey, Once};
use crate::problem::{FieldError, Problem};
use crate::query::Path;
use crate::spans;
use crate::state::Api;
use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use shared::address::EmailAddress;
use shared::store::{begin, intake};
use shared::system_email::SystemEmailKind;
use shared::trace::{TraceContext, now};
use tracing::info;
use utoipa::ToSchema;
use uuid::Uuid;

/// Where to send it.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TestRequest {
    /// The recipient, who need not be a user.
    pub to: String,
}

/// An accepted test email.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct TestView {
    /// The batch, which has one delivery.
    pub batch: Uuid,
}

/// Sends the current version to one address as a test, which changes no password.
#[utoipa::path(post, path = "/v1/system-emails/{key}/test", tag = "system emails", request_body = TestRequest,
    params(("key" = String, Path, description = "`invite` or `password_reset`.")),
    responses((status = 202, body = TestView), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub async fn test(
    State(api): State<Api>,
    caller: Caller,
    key: IdempotencyKey,
    Extension(trace): Extension<TraceContext>,
    Path(kind): KindPath,
    body: JsonBody<TestRequest>,
) -> Result<(StatusCode, Json<TestView>), Problem> {
    let once = Once::new(&caller, &format!("test {}", kind.as_str()), key, body.digest);
    let address = EmailAddress::parse(&body.value.to).map_err(|fault| {
        let error = FieldError::in_field("to", fault.code(), fault.to_string());
        Problem::unprocessable("invalid_request", "This address cannot be used; see errors.").with_errors(vec![error])
    })?;
    let accepted = send_test(&api, once, kind, address, &caller, trace).await?;
    Ok((StatusCode::ACCEPTED, Json(accepted)))
}

/// Accepts a test email, once.
///
/// # Errors
///
/// If Postgres is unavailable, or the idempotency key was used with another request.
pub async fn send_test(
    api: &Api,
    once: Once,
    kind: SystemEmailKind,
    address: EmailAddress,
    caller: &Caller,
    trace: TraceContext,
) -> Result<TestView, Problem> {
    let (this, caller, began) = (api.clone(), caller.clone(), now());
    api.to_the_end(async move {
        let mut transaction = begin(&this.db).await?;
        if let Some(answer) = once.answered(&mut transaction).await? {
            return Ok(answer);
        }
        let typed = address.as_typed();
        let batch = intake::accept_test(&mut transaction, kind, typed, &caller.actor, trace).await?;
        let answer = TestView { batch };
        once.commit(&this.db, transaction, StatusCode::ACCEPTED, &answer)
            .await?;
        spans::emit_intake(trace, batch, kind, 1, began);
        info!(batch.id = %batch, mail = kind.as_str(), to = %address, "Accepted a test email");
        Ok(answer)
    })
    .await
}

//! Checking, choosing and revoking passwords for the platform, whose sign-in page calls this API.
//!
//! A wrong user password never returns 401, which is reserved for the caller's API key.

use crate::app::caller::Caller;
use crate::app::credentials::choose::{ChooseRequest, Chosen, choose_password};
use crate::app::credentials::revoke::{RevokeTarget, Revoked, revoke_passwords};
use crate::app::credentials::{Claim, verify_password};
use crate::app::idempotent::IdempotencyKey;
use crate::app::listed::Listed;
use crate::app::problem::Problem;
use crate::app::state::AppState;
use crate::app::validation::not_null;
use crate::http::body::JsonBody;
use crate::http::problem::ProblemBody;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;
use zeroize::Zeroizing;

/// Maximum number of users in a request.
const MAX_USERS: usize = 20_000;

/// A sign-in to check.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VerifyRequest {
    /// The user's address, in upper or lower case.
    pub email: String,
    /// The password as typed. A mailed password may be typed with or without its hyphens.
    #[schema(value_type = String, format = Password)]
    pub password: Zeroizing<String>,
    /// Identifies the device or network of the user, such as a device cookie or an IP address, in 1 to 128 bytes.
    /// Attempts are counted for each client (for an IPv6 address also for its /64, /56 and /48), and a client that has
    /// signed in as the user before has its own limit. Without `client`, an attacker can use up the attempts of a user.
    #[schema(min_length = 1, max_length = 128)]
    pub client: Option<String>,
}

/// The result of a check.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct Verified {
    /// Whether the password is correct for this address and currently valid. If `false`, this is the only field.
    pub valid: bool,
    /// The id of the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Uuid, required = false)]
    pub user: Option<Uuid>,
    /// The password was mailed. The platform must let the user do nothing but choose a password.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = bool, required = false)]
    pub must_set_password: Option<bool>,
    /// When the password expires; null if it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Expiry>,
}

/// When a password expires; `None` if it does not.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub struct Expiry(#[serde(with = "time::serde::rfc3339::option")] Option<OffsetDateTime>);

/// Checks a password. The status is 200 for a wrong password as well: check `valid`.
#[utoipa::path(post, path = "/v1/credentials/verify", tag = "credentials", request_body = VerifyRequest,
    responses((status = 200, body = Verified), (status = 422, body = ProblemBody), (status = 429, body = ProblemBody),
        (status = 503, body = ProblemBody)))]
pub async fn verify(
    State(api): State<AppState>,
    caller: Caller,
    body: JsonBody<VerifyRequest>,
) -> Result<Json<Verified>, Problem> {
    let request = body.value;
    let claim = Claim {
        email: &request.email,
        password: &request.password,
        client: request.client.as_ref(),
    };
    let found = verify_password(&api, &caller, claim).await?;
    let verified = found.map(|candidate| Verified {
        valid: true,
        user: Some(candidate.user),
        must_set_password: Some(candidate.is_generated),
        expires_at: Some(Expiry(candidate.expires_at)),
    });
    Ok(Json(verified.unwrap_or_default()))
}

/// Sets a password that the user chose. All mailed passwords of the user stop working, and waiting password emails to
/// them are cancelled. A new password that is easy to guess can count as an attempt, like a wrong password, even if
/// the current password is correct. A wrong current password is answered with 422 `credentials_wrong`.
#[utoipa::path(post, path = "/v1/credentials/choose", tag = "credentials", request_body = ChooseRequest,
    responses((status = 200, body = Chosen), (status = 422, body = ProblemBody), (status = 429, body = ProblemBody),
        (status = 503, body = ProblemBody)))]
pub async fn choose(
    State(api): State<AppState>,
    caller: Caller,
    key: IdempotencyKey,
    body: JsonBody<ChooseRequest>,
) -> Result<Json<Chosen>, Problem> {
    Ok(Json(choose_password(&api, &caller, key, body.value).await?))
}

/// Whose mailed passwords to revoke: exactly one of `batch` and `users`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RevokeRequest {
    /// Those mailed by this batch.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = Uuid, required = false)]
    pub batch: Option<Uuid>,
    /// Those of these users.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = Vec<Uuid>, required = false, min_items = 1, max_items = 20_000)]
    pub users: Option<Listed<Uuid, MAX_USERS>>,
    /// Also revoke passwords that were used. A password that a user chose is never revoked; lock the user instead.
    #[serde(default)]
    pub include_used: bool,
}

/// Revokes mailed passwords and cancels password emails that are on their way.
///
/// A batch that is still sending is stopped, and waiting password emails to the users are cancelled, so that none of
/// their passwords becomes valid afterwards. If a user is unknown, nothing is revoked.
#[utoipa::path(post, path = "/v1/credentials/revoke", tag = "credentials", request_body = RevokeRequest,
    responses((status = 200, body = Revoked), (status = 404, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub async fn revoke(
    State(api): State<AppState>,
    caller: Caller,
    body: JsonBody<RevokeRequest>,
) -> Result<Json<Revoked>, Problem> {
    let include_used = body.value.include_used;
    let whose = whose(body.value)?;
    Ok(Json(revoke_passwords(&api, &caller.actor, whose, include_used).await?))
}

fn whose(request: RevokeRequest) -> Result<RevokeTarget, Problem> {
    match (request.batch, request.users) {
        (Some(batch), None) => Ok(RevokeTarget::Batch(batch)),
        (None, Some(users)) if users.is_too_long() => Err(Problem::invalid(
            "too_many_users",
            format!(
                "{} users are listed; the maximum per request is {MAX_USERS}.",
                users.len()
            ),
        )),
        (None, Some(users)) if !users.is_empty() => Ok(RevokeTarget::Users(users.into_entries())),
        (Some(_), Some(_)) => Err(Problem::invalid(
            "several_selectors",
            "The request has both batch and users. Send one of them.",
        )),
        (None, _) => Err(Problem::invalid(
            "nothing_to_revoke",
            "Send the batch or the users whose passwords to revoke.",
        )),
    }
}

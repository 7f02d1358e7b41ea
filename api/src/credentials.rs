//! Checking and revoking passwords for the platform, whose sign-in page calls this API.
//!
//! For every failure (unknown user, no password, a wrong or expired one) the response is the same and costs the same
//! time, one hash. Rate limits do not depend on whether the user exists either ([`Tries`]). A correct mailed password
//! needs no full hash and has its own limit.
//!
//! A mailed password only lets its user choose a password of their own. Until they do, their previous password stays
//! valid, so neither a failed email nor a reset requested by someone else locks them out.
//!
//! A wrong user password never returns 401, which is reserved for the caller's API key.

mod checking;
pub mod choose;
pub mod revoke;
pub mod tries;

use crate::body::JsonBody;
use crate::caller::Caller;
use crate::problem::Problem;
use crate::state::Api;
use axum::Json;
use axum::extract::State;
use checking::{Check, Claim};
use serde::{Deserialize, Serialize};
use shared::store::credentials;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;
use zeroize::Zeroizing;

pub use tries::Tries;

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
    responses((status = 200, body = Verified), (status = 422, body = Problem), (status = 429, body = Problem),
        (status = 503, body = Problem)))]
pub async fn verify(
    State(api): State<Api>,
    caller: Caller,
    body: JsonBody<VerifyRequest>,
) -> Result<Json<Verified>, Problem> {
    let request = body.value;
    let claim = Claim {
        email: &request.email,
        password: &request.password,
        client: request.client.as_ref(),
    };
    let found = Check::begin(&api, &caller, claim).await?.matching().await?;
    let used = match found.clone() {
        Some(proof) => {
            let db = api.db.clone();
            api.to_the_end(async move { Ok(credentials::note_use(&db, &proof).await?) })
                .await?
        }
        None => false,
    };
    checking::count(&api, if used { "right" } else { "wrong" });
    let verified = found.filter(|_| used).map(|candidate| Verified {
        valid: true,
        user: Some(candidate.user),
        must_set_password: Some(candidate.is_generated),
        expires_at: Some(Expiry(candidate.expires_at)),
    });
    Ok(Json(verified.unwrap_or_default()))
}

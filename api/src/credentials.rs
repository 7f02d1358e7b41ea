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

/// Somebody who wants to sign in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VerifyRequest {
    /// Their address, in any case.
    pub email: String,
    /// What they typed. A mailed password may be typed with or without its hyphens.
    #[schema(value_type = String, format = Password)]
    pub password: Zeroizing<String>,
    /// What the platform calls the device or network that asks, such as its device cookie or IP address, in 1 to 128
    /// bytes. Tries are counted for each (of an IPv6 address, for its /64, /56 and /48), and one that has signed in as
    /// the person before has its own. Without it, strangers who guess at a person can use up that person's tries.
    #[schema(min_length = 1, max_length = 128)]
    pub client: Option<String>,
}

/// Whether somebody may sign in.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct Verified {
    /// Whether the address and the password belong together and the password works now. If not, this is the only field.
    pub valid: bool,
    /// Who.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Uuid, required = false)]
    pub user: Option<Uuid>,
    /// Let them do nothing but choose a password of their own: this one was mailed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = bool, required = false)]
    pub must_set_password: Option<bool>,
    /// When it stops working; null if it does not expire.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Expiry>,
}

/// When a password expires; `None` if it does not.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub struct Expiry(#[serde(with = "time::serde::rfc3339::option")] Option<OffsetDateTime>);

/// Checks a password. A wrong one is an answer like a right one: look at `valid`, and not at the status alone.
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

//! Checking and revoking passwords for the platform, whose sign-in page calls the API.
//!
//! For every failure (unknown user, no password, a wrong or expired one) the response is the same and costs the same
//! time, one hash. Rate limits do not depend on whether the user exists either ([`AttemptLimiter`]). A correct mailed
//! password needs no full hash and has its own limit.
//!
//! A mailed password only lets its user choose a password of their own. Until they do, their previous password stays
//! valid, so neither a failed email nor a reset requested by someone else locks them out.

pub mod attempt_limiter;
mod checking;
pub mod choose;
pub mod revoke;

use crate::app::caller::Caller;
use crate::app::problem::Problem;
use crate::app::state::AppState;
use checking::Check;
use shared::store::credentials::{self, Candidate};

pub use attempt_limiter::AttemptLimiter;
pub use checking::Claim;

/// Checks a sign-in. Returns the password that it matches, if that is valid now.
///
/// # Errors
///
/// If the client is invalid, or no attempt is left, for existing and unknown people alike.
pub async fn verify_password(api: &AppState, caller: &Caller, claim: Claim<'_>) -> Result<Option<Candidate>, Problem> {
    let found = Check::begin(api, caller, claim).await?.matching().await?;
    let used = match &found {
        Some(proof) => credentials::record_use(&api.db, proof).await?,
        None => false,
    };
    checking::count(api, if used { "right" } else { "wrong" });
    Ok(found.filter(|_| used))
}

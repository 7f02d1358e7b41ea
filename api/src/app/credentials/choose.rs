//! Setting a password that a person chose.
//!
//! If the response was lost, the request can be repeated with the same `Idempotency-Key`, although the old password no
//! longer works. Nothing derived from a password is stored under the key: a digest of the body would let a reader of
//! the database guess passwords faster than the verifiers allow. So a repeated request is recognised by its address and
//! by the new password already being the person's own.

use super::checking::{self, Check, Claim};
use crate::app::caller::Caller;
use crate::app::idempotent::{IdempotencyKey, IdempotentRequest, Success};
use crate::app::problem::{FieldError, Problem};
use crate::app::state::AppState;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use shared::password::{PasswordFault, PersonalWords, Rank, Verifier};
use shared::store::credentials::{self, Candidate};
use shared::store::{StoreResult, Transaction, begin, despite_deadlocks};
use utoipa::ToSchema;
use uuid::Uuid;
use zeroize::Zeroizing;

/// A new password for a user.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChooseRequest {
    /// The user's address.
    pub email: String,
    /// The current password: a mailed one, or one chosen before.
    #[schema(value_type = String, format = Password)]
    pub password: Zeroizing<String>,
    /// The new password: at least 15 characters, at most 1,024 bytes, not easy to guess, not the user's address or
    /// name, and not one of their current passwords, mailed or chosen.
    #[schema(value_type = String, format = Password)]
    pub new_password: Zeroizing<String>,
    /// As in `POST /v1/credentials/verify`.
    #[schema(min_length = 1, max_length = 128)]
    pub client: Option<String>,
}

/// The user whose password was set.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
pub struct Chosen {
    /// The id of the user.
    pub user: Uuid,
}

/// Sets a password that the user chose. All mailed passwords of the user stop working.
///
/// # Errors
///
/// If the current password is wrong, the new one cannot be used, or no attempt is left.
pub async fn choose_password(
    api: &AppState,
    caller: &Caller,
    key: IdempotencyKey,
    request: ChooseRequest,
) -> Result<Chosen, Problem> {
    let once = IdempotentRequest::new(caller, "choose", key, Sha256::digest(&request.email).to_vec());
    let before: Option<Chosen> = once.answered_before(&api.db).await?;
    // A repeated request is authenticated by the password that it set.
    let password = if before.is_some() {
        &request.new_password
    } else {
        &request.password
    };
    let claim = Claim {
        email: &request.email,
        password,
        client: request.client.as_ref(),
    };
    let check = Check::begin(api, caller, claim).await?;
    if let Some(before) = before {
        let found = check.matching().await?;
        return repeated(before, found.as_ref());
    }
    // Judged before the current password is checked, so that an unfit password costs no comparison. It still costs
    // the attempt, because judging is work and nothing has been proved yet. A person has ten.
    let words = PersonalWords::of([&request.email, &api.letters.organisation]);
    let judged = api
        .hashing
        .choose(check.rank(), request.new_password.clone(), words)
        .await;
    judged?.map_err(guessable)?;
    if let Some(proof) = check.matching().await?
        && let Some(chosen) = replace(api, &once, &request.email, &proof, request.new_password.clone()).await?
    {
        return Ok(chosen);
    }
    // The same request may have been completed while this one was checked.
    match once.answered_before(&api.db).await? {
        Some(before) => {
            let found = checking::found(api, &request.email, request.new_password).await?;
            repeated(before, found.as_ref())
        }
        None => Err(wrong_current_password()),
    }
}

/// Sets the new password of an authenticated person. `None` if the current password ended meanwhile, for example
/// through the same request.
async fn replace(
    api: &AppState,
    once: &IdempotentRequest,
    email: &str,
    proof: &Candidate,
    new: Zeroizing<String>,
) -> Result<Option<Chosen>, Problem> {
    // Only after authentication: the result reveals whether a password works.
    if checking::found(api, email, new.clone()).await?.is_some() {
        if once.answered_before::<Chosen>(&api.db).await?.is_some() {
            return Ok(None);
        }
        return Err(invalid_password("password_reused", REUSED.to_owned()));
    }
    // Judged again with the person's own words, which must be revealed only to that person.
    let words = checking::words_of(api, proof.user).await?;
    let judged = api.hashing.choose(Rank::FIRST, new, words).await?;
    let (_, verifier) = api.hashing.hash(judged.map_err(guessable)?).await?;
    // It may have expired or been revoked during hashing.
    if !credentials::record_use(&api.db, proof).await? {
        return Ok(None);
    }
    let Some(transaction) = despite_deadlocks(|| begin_setting(api, once, proof, &verifier)).await?? else {
        return Ok(None);
    };
    let chosen = Chosen { user: proof.user };
    once.commit(&api.db, transaction, Success::Done, &chosen).await?;
    Ok(Some(chosen))
}

/// Begins the transaction that sets the password. `None` if the request was answered before or the current password has
/// ended. The inner error is the response, the outer one a failure of Postgres.
async fn begin_setting(
    api: &AppState,
    once: &IdempotentRequest,
    proof: &Candidate,
    verifier: &Verifier,
) -> StoreResult<Result<Option<Transaction>, Problem>> {
    let mut transaction = begin(&api.db).await?;
    match once.answered::<Chosen>(&mut transaction).await {
        Ok(None) => {}
        Ok(Some(_)) => return Ok(Ok(None)),
        Err(problem) => return Ok(Err(problem)),
    }
    let is_set = credentials::choose(&mut transaction, proof, verifier.as_stored()).await?;
    Ok(Ok(is_set.then_some(transaction)))
}

/// Repeats an earlier response if the new password is the person's own by now.
fn repeated(before: Chosen, found: Option<&Candidate>) -> Result<Chosen, Problem> {
    if found.is_some_and(|found| found.user == before.user && !found.is_generated) {
        return Ok(before);
    }
    Err(Problem::invalid(
        "idempotency_mismatch",
        "This Idempotency-Key was used before. It set another password, or the password has ended or changed since. \
         Use a new key for a new request.",
    ))
}

/// The response to a wrong current password.
fn wrong_current_password() -> Problem {
    Problem::invalid("credentials_wrong", "The email address or password is incorrect.")
}

const REUSED: &str = "Password must not be the current one or one that was mailed";

fn guessable(fault: PasswordFault) -> Problem {
    invalid_password(fault.code(), fault.to_string())
}

/// The response to a password that cannot be chosen.
fn invalid_password(code: &str, message: String) -> Problem {
    let error = FieldError::in_field("new_password", code, message);
    Problem::invalid("password_unfit", "This password cannot be used; see errors.").with_errors(vec![error])
}

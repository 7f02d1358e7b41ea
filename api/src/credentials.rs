//! Checking passwords for the platform, and ending them.
//!
//! The platform's sign-in page asks here. Whatever was wrong (no such person, no password, the
//! wrong one, one that expired), the answer has the same words and costs the same time: one hash, and
//! as many tries ([`Tries`]) are there for a stranger as for anybody. A password that Beckon mailed lets its owner
//! in to do one thing, choose their own; until they do, the one they had before works too, so
//! neither a failed mail nor somebody else's request locks anybody out.

mod checking;
pub mod revoke;
pub mod tries;

use crate::body::JsonBody;
use crate::caller::Caller;
use crate::problem::{FieldError, Problem};
use crate::state::Api;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use checking::Check;
use serde::{Deserialize, Serialize};
use shared::password::{PasswordFault, PersonalWords, Rank};
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
    /// What the platform calls the device or network that asks, such as its device cookie, in 1 to 128
    /// bytes. Tries are counted for each, and one that has signed in as the person before has its own.
    #[schema(min_length = 1, max_length = 128)]
    pub client: Option<String>,
}

/// Somebody who may sign in.
#[derive(Debug, Serialize, ToSchema)]
pub struct Verified {
    /// Who.
    pub user: Uuid,
    /// Let them do nothing but choose a password of their own: this one was mailed.
    pub must_set_password: bool,
    /// When it stops working.
    #[serde(with = "time::serde::rfc3339::option")]
    pub expires_at: Option<OffsetDateTime>,
}

/// Checks a password.
#[utoipa::path(post, path = "/v1/credentials/verify", tag = "credentials", request_body = VerifyRequest,
    responses((status = 200, body = Verified), (status = 401, body = Problem), (status = 429, body = Problem),
        (status = 503, body = Problem)))]
pub async fn verify(
    State(api): State<Api>,
    caller: Caller,
    body: JsonBody<VerifyRequest>,
) -> Result<Json<Verified>, Problem> {
    let request = body.value;
    let check = Check::begin(&api, &caller, &request.email, request.client).await?;
    let found = check.matching(request.password).await?;
    let used = match found.clone() {
        Some(proof) => {
            let db = api.db.clone();
            api.to_the_end(async move { Ok(credentials::note_use(&db, &proof).await?) })
                .await?
        }
        None => false,
    };
    checking::count(&api, if used { "right" } else { "wrong" });
    match found {
        Some(candidate) if used => Ok(Json(Verified {
            user: candidate.user,
            must_set_password: candidate.is_generated,
            expires_at: candidate.expires_at,
        })),
        _ => Err(wrong()),
    }
}

fn wrong() -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "credentials_wrong",
        "The address and the password do not belong together.",
    )
}

/// Somebody who chooses a password of their own.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChooseRequest {
    /// Their address.
    pub email: String,
    /// The password they have: a mailed one, or the one they chose before.
    #[schema(value_type = String, format = Password)]
    pub password: Zeroizing<String>,
    /// The one they want: 15 characters or more, at most 1,024 bytes, not easy to guess, and none that works for
    /// them now, mailed or chosen.
    #[schema(value_type = String, format = Password)]
    pub new_password: Zeroizing<String>,
    /// As in `POST /v1/credentials/verify`.
    #[schema(min_length = 1, max_length = 128)]
    pub client: Option<String>,
}

/// Who has a password of their own now.
#[derive(Debug, Serialize, ToSchema)]
pub struct Chosen {
    /// Who.
    pub user: Uuid,
}

/// Sets the password a person chose. Every mailed password of theirs stops working, and password
/// mails still owed to them are cancelled. A new password that is easy to guess can cost a try, as a
/// wrong password does, even with the right present one.
#[utoipa::path(post, path = "/v1/credentials/choose", tag = "credentials", request_body = ChooseRequest,
    responses((status = 200, body = Chosen), (status = 401, body = Problem), (status = 422, body = Problem),
        (status = 429, body = Problem), (status = 503, body = Problem)))]
pub async fn choose(
    State(api): State<Api>,
    caller: Caller,
    body: JsonBody<ChooseRequest>,
) -> Result<Json<Chosen>, Problem> {
    let request = body.value;
    let this = api.clone();
    api.to_the_end(async move {
        let check = Check::begin(&this, &caller, &request.email, request.client).await?;
        // Judged before the proof, so that an unfit one costs no comparison. It does cost the try: judging is work
        // too, and nothing has been proved yet. A person has ten.
        let words = PersonalWords::of([&request.email, &this.letters.organisation]);
        let judged = this
            .hashing
            .choose(check.rank(), request.new_password.clone(), words)
            .await;
        judged?.map_err(guessable)?;
        let proof = check.matching(request.password).await?.ok_or_else(wrong)?;
        // Only for those who have proved themselves: the answer says whether a password works.
        if checking::is_in_use(&this, &request.email, request.new_password.clone()).await? {
            return Err(unfit("password_reused", REUSED.to_owned()));
        }
        // Once more with the person's own words, which only they may learn anything about.
        let words = checking::words_of(&this, proof.user).await?;
        let judged = this.hashing.choose(Rank::FIRST, request.new_password, words).await?;
        let new = judged.map_err(guessable)?;
        let (_, verifier) = this.hashing.hash(new).await?;
        // It may have expired or been revoked while we hashed.
        if !credentials::note_use(&this.db, &proof).await?
            || !credentials::choose(&this.db, &proof, verifier.as_stored()).await?
        {
            return Err(wrong());
        }
        Ok(Json(Chosen { user: proof.user }))
    })
    .await
}

const REUSED: &str = "Password must not be the current one or one that was mailed";

fn guessable(fault: PasswordFault) -> Problem {
    unfit(fault.code(), fault.to_string())
}

/// Says why a password cannot be chosen.
fn unfit(code: &str, message: String) -> Problem {
    let error = FieldError::in_field("new_password", code, message);
    Problem::unprocessable("password_unfit", "This password cannot be used; see errors.").with_errors(vec![error])
}

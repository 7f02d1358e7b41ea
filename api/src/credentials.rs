//! Checking passwords for the platform, and ending them.
//!
//! The platform's sign-in page asks here. Whatever was wrong (no such person, no password, the
//! wrong one, one that expired), the answer has the same words and costs the same time: as many
//! hashes are computed for a stranger as for anybody, and as many tries ([`Tries`]) are there for
//! either. A password that Beckon mailed lets its owner
//! in to do one thing, choose their own; until they do, the one they had before works too, so
//! neither a failed mail nor somebody else's request locks anybody out.

mod tries;

use crate::body::JsonBody;
use crate::caller::Caller;
use crate::problem::{FieldError, Problem};
use crate::state::Api;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use shared::address::EmailAddress;
use shared::password::{Form, Password, Verifier, dummy_verifier};
use shared::store::audit::{self, Act, Action, Actor};
use shared::store::credentials::{self, Candidate};
use shared::store::intake::LIVE_PASSWORDS_MOST;
use shared::store::{begin, commit};
use std::time::{Duration, Instant};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;
use zeroize::Zeroizing;

pub use tries::Tries;

/// Longer candidates are refused before hashing: a megabyte costs more to hash than to send.
const CANDIDATE_MOST_BYTES: usize = 1_024;

/// Somebody who wants to sign in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VerifyRequest {
    /// Their address, in any case.
    pub email: String,
    /// What they typed. A mailed password may be typed with or without its hyphens.
    #[schema(value_type = String, format = Password)]
    pub password: Zeroizing<String>,
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
    responses((status = 200, body = Verified), (status = 401, body = Problem), (status = 429, body = Problem)))]
pub async fn verify(State(api): State<Api>, body: JsonBody<VerifyRequest>) -> Result<Json<Verified>, Problem> {
    let found = matching(&api, &body.value.email, body.value.password).await?;
    let used = match found.as_ref().map(|candidate| candidate.id) {
        Some(id) => {
            let db = api.db.clone();
            api.to_the_end(async move { Ok(credentials::note_use(&db, id).await?) })
                .await?
        }
        None => false,
    };
    let outcome = if used { "right" } else { "wrong" };
    api.metrics.verifications.with_label_values(&[outcome]).inc();
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

/// Says when to try again, to whom it may concern: whether there is such a person plays no part.
fn too_many_tries(wait: Duration) -> Problem {
    // Whole seconds, rounded up: a client that comes back on the dot is not refused again.
    let seconds = u32::try_from(wait.as_millis().div_ceil(1_000)).unwrap_or(u32::MAX);
    let mut problem = Problem::new(
        StatusCode::TOO_MANY_REQUESTS,
        "too_many_tries",
        format!("Too many passwords were tried for this address. Try again in {seconds} seconds."),
    );
    problem.retry_after = Some(seconds);
    problem
}

/// The verifier that the password fits, if there is one and a try is left.
async fn matching(api: &Api, email: &str, password: Zeroizing<String>) -> Result<Option<Candidate>, Problem> {
    let key = EmailAddress::parse(email).map(|address| address.key()).ok();
    let spent = api
        .tries
        .take(key.as_deref().unwrap_or(email), Instant::now())
        .map_err(|wait| {
            api.metrics.verifications.with_label_values(&["throttled"]).inc();
            too_many_tries(wait)
        })?;
    let found = compared(api, &key.unwrap_or_default(), password).await;
    // Without an answer, nobody learnt anything.
    if !matches!(found, Ok(None)) {
        api.tries.give_back(spent);
    }
    found
}

async fn compared(api: &Api, key: &str, password: Zeroizing<String>) -> Result<Option<Candidate>, Problem> {
    let candidates = credentials::live(&api.db, key).await?;
    let is_plausible = !password.is_empty() && password.len() <= CANDIDATE_MOST_BYTES;
    let candidate_text = if is_plausible {
        password
    } else {
        Zeroizing::new("-".to_owned())
    };
    let found = api
        .hashing
        .verify(verifiers(&candidates), candidate_text)
        .await
        .map_err(|fault| {
            tracing::error!(error = %fault, "A password could not be checked");
            Problem::internal()
        })?;
    Ok(found
        .filter(|_| is_plausible)
        .and_then(|at| candidates.into_iter().nth(at)))
}

/// The candidates' verifiers, filled up with ones that fit nothing: the time must not tell how
/// many passwords somebody has, or whether there is such a person.
///
/// Somebody has more than fit only when the relay fell silent over several of their mails; each
/// may have arrived, so each is compared, and the time then tells that there are some more.
fn verifiers(candidates: &[Candidate]) -> Vec<(Verifier, Form)> {
    let usual = usize::try_from(LIVE_PASSWORDS_MOST).unwrap_or_default() + 1;
    let count = candidates.len().max(1).next_multiple_of(usual);
    let known = candidates.iter().map(|candidate| {
        let form = if candidate.is_generated {
            Form::Generated
        } else {
            Form::Chosen
        };
        (Verifier::from_stored(candidate.verifier.clone()), form)
    });
    let filling = std::iter::repeat_with(|| (dummy_verifier(), Form::Chosen));
    known.chain(filling).take(count).collect()
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
    /// The one they want: 15 to 1024 bytes.
    #[schema(value_type = String, format = Password)]
    pub new_password: Zeroizing<String>,
}

/// Who has a password of their own now.
#[derive(Debug, Serialize, ToSchema)]
pub struct Chosen {
    /// Who.
    pub user: Uuid,
}

/// Sets the password a person chose. Every mailed password of theirs stops working, and password
/// mails still owed to them are cancelled.
#[utoipa::path(post, path = "/v1/credentials/choose", tag = "credentials", request_body = ChooseRequest,
    responses((status = 200, body = Chosen), (status = 401, body = Problem), (status = 422, body = Problem),
        (status = 429, body = Problem)))]
pub async fn choose(State(api): State<Api>, body: JsonBody<ChooseRequest>) -> Result<Json<Chosen>, Problem> {
    let request = body.value;
    let new = Password::chosen(&request.new_password).map_err(|fault| {
        let error = FieldError::in_field("new_password", fault.code(), fault.to_string());
        Problem::unprocessable("password_unfit", "This password cannot be used; see errors.").with_errors(vec![error])
    })?;
    let this = api.clone();
    api.to_the_end(async move {
        let proof = matching(&this, &request.email, request.password)
            .await?
            .ok_or_else(wrong)?;
        let (_, verifier) = this.hashing.hash(new).await.map_err(|_| Problem::internal())?;
        // It may have expired or been revoked while we hashed.
        if !credentials::note_use(&this.db, proof.id).await?
            || !credentials::choose(&this.db, proof.id, verifier.as_stored()).await?
        {
            return Err(wrong());
        }
        Ok(Json(Chosen { user: proof.user }))
    })
    .await
}

/// Whose unused passwords to end.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RevokeRequest {
    /// Those mailed by this batch,
    pub batch: Option<Uuid>,
    /// or those of these users.
    #[serde(default)]
    pub users: Vec<Uuid>,
}

/// How it went.
#[derive(Debug, Serialize, ToSchema)]
pub struct Revoked {
    /// Passwords that stop working now.
    pub revoked: i64,
    /// Passwords that had been used: their owners have signed in, and keep what they have.
    pub already_used: i64,
}

/// Ends unused mailed passwords: a mail cannot be recalled, what is in it can.
#[utoipa::path(post, path = "/v1/credentials/revoke", tag = "credentials", request_body = RevokeRequest,
    responses((status = 200, body = Revoked), (status = 422, body = Problem)))]
pub async fn revoke(
    State(api): State<Api>,
    caller: Caller,
    body: JsonBody<RevokeRequest>,
) -> Result<Json<Revoked>, Problem> {
    let request = body.value;
    if request.batch.is_none() && request.users.is_empty() {
        return Err(Problem::unprocessable(
            "nothing_to_revoke",
            "Say whose passwords to end: a batch, or users.",
        ));
    }
    let done = revoke_for(&api, &caller.actor, request.batch, request.users).await?;
    Ok(Json(Revoked {
        revoked: done.revoked,
        already_used: done.already_used,
    }))
}

/// Ends the unused passwords of a batch, or of some users, and puts on record who wished it.
///
/// # Errors
///
/// When Postgres is away; then none has ended.
pub async fn revoke_for(
    api: &Api,
    actor: &Actor,
    batch: Option<Uuid>,
    users: Vec<Uuid>,
) -> Result<credentials::Revoked, Problem> {
    let (db, actor) = (api.db.clone(), actor.clone());
    api.to_the_end(async move {
        let mut transaction = begin(&db).await?;
        let done = credentials::revoke(&mut transaction, batch, &users).await?;
        let act = Act {
            actor: &actor,
            action: Action::PasswordsRevoked,
            subject: batch.map(|batch| format!("batch {batch}")),
            details: serde_json::json!({
                "users": users.len(), "revoked": done.revoked, "already_used": done.already_used
            }),
        };
        audit::note(&mut transaction, &act).await?;
        commit(transaction).await?;
        Ok(done)
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stranger_costs_as_many_hashes_as_anybody() {
        let candidate = Candidate {
            id: Uuid::nil(),
            user: Uuid::nil(),
            is_generated: true,
            verifier: dummy_verifier().as_stored().to_owned(),
            expires_at: None,
        };
        let hashes = |passwords| verifiers(&vec![candidate.clone(); passwords]).len();

        assert_eq!([0, 1, 5, 6].map(hashes), [6; 4]);
        assert_eq!([7, 12, 13, 25].map(hashes), [12, 12, 18, 30]);
    }

    #[test]
    fn a_wait_is_told_in_whole_seconds_that_are_enough() {
        for (wait, seconds) in [(1, 1), (1_000, 1), (1_001, 2), (9_999, 10)] {
            let problem = too_many_tries(Duration::from_millis(wait));
            assert_eq!((problem.status, problem.retry_after), (429, Some(seconds)));
        }
    }
}

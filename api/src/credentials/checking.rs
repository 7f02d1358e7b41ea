//! Whose password it is that somebody typed at the platform's sign-in.
//!
//! First a try is taken ([`Tries`](super::Tries)), then Postgres is asked for the person's verifiers, then
//! one hash is computed, whoever the person is.

use crate::caller::Caller;
use crate::problem::Problem;
use crate::state::Api;
use axum::http::StatusCode;
use sha2::{Digest as _, Sha256};
use shared::address::EmailAddress;
use shared::password::{Form, HashFault, PersonalWords, Rank, Verifier};
use shared::store::audit::Action;
use shared::store::credentials::{self, Candidate};
use shared::store::{known_clients, users};
use std::time::Instant;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::tries::{Attempt, Place, Refusal, Try, UsedUp};

/// Longer candidates are refused before hashing: a megabyte costs more to hash than to send.
const CANDIDATE_MOST_BYTES: usize = 1_024;

/// Most bytes of what a platform calls its client.
const CLIENT_MOST_BYTES: usize = 128;

impl From<HashFault> for Problem {
    fn from(fault: HashFault) -> Self {
        if matches!(fault, HashFault::Busy) {
            return Self::unavailable(
                "busy",
                "Too many passwords are being checked at the moment. Try again in a second.",
                1,
            );
        }
        tracing::error!(error = %fault, "A password could not be checked or hashed");
        Self::internal()
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        if refusal.used_up == UsedUp::Everybody {
            return Self::unavailable("busy", refusal.sentence(), refusal.seconds());
        }
        let mut problem = Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_tries", refusal.sentence());
        problem.retry_after = Some(refusal.seconds());
        problem
    }
}

/// A password that may be checked, for its try is taken.
pub(super) struct Check<'a> {
    api: &'a Api,
    caller: &'a Caller,
    /// The address as identity; empty for what is no address.
    key: String,
    client: Option<String>,
    spent: Try,
}

impl<'a> Check<'a> {
    /// Takes a try for the person with this address, from the client that the platform names.
    ///
    /// # Errors
    ///
    /// 422 for a client that cannot be one, 429 or 503 when no try is left, whoever it is for.
    pub(super) async fn begin(
        api: &'a Api,
        caller: &'a Caller,
        email: &str,
        client: Option<String>,
    ) -> Result<Self, Problem> {
        if client
            .as_ref()
            .is_some_and(|client| !(1..=CLIENT_MOST_BYTES).contains(&client.len()))
        {
            return Err(Problem::unprocessable(
                "client_unfit",
                format!("`client` must have 1 to {CLIENT_MOST_BYTES} bytes."),
            ));
        }
        let key = EmailAddress::parse(email).map(|address| address.key()).ok();
        let is_known = match (&key, &client) {
            (Some(key), Some(client)) => known_clients::is_client_known(&api.db, key, &digest(client)).await?,
            _ => false,
        };
        let attempt = Attempt {
            place: Place::Platform {
                key: caller.actor.kind.id().unwrap_or_default(),
            },
            person: key.as_deref().unwrap_or(email),
            client: client.as_deref(),
            is_known,
        };
        let spent = match api.tries.take(attempt, Instant::now()) {
            Ok(spent) => spent,
            Err(refusal) if refusal.used_up == UsedUp::Everybody => {
                count(api, "busy");
                return Err(refusal.into());
            }
            Err(refusal) => {
                count(api, "throttled");
                // For whom it was is left out: a line for each person would show who exists.
                api.record_access(Action::CredentialThrottled, &caller.actor, None);
                return Err(refusal.into());
            }
        };
        Ok(Self {
            api,
            caller,
            key: key.unwrap_or_default(),
            client,
            spent,
        })
    }

    /// The verifier that the password fits.
    pub(super) async fn matching(self, password: Zeroizing<String>) -> Result<Option<Candidate>, Problem> {
        let found = match compared(self.api, &self.key, self.spent.rank, password).await {
            // One who met a full line keeps the worse rank, so that a flood makes room for others.
            Err(Unchecked::Busy) => {
                count(self.api, "busy");
                return Err(HashFault::Busy.into());
            }
            Err(Unchecked::Problem(problem)) => Err(problem),
            Ok(found) => Ok(found),
        };
        let action = match &found {
            Ok(Some(_)) => Some(Action::CredentialAccepted),
            Ok(None) => Some(Action::CredentialRefused),
            Err(_) => None,
        };
        if let Some(action) = action {
            self.api.record_access(action, &self.caller.actor, None);
        }
        if let Ok(Some(candidate)) = &found
            && let Some(client) = &self.client
        {
            remember(self.api, candidate.user, digest(client)).await?;
        }
        // Nobody learnt anything from a failure of ours.
        if !matches!(found, Ok(None)) {
            self.api.tries.give_back(self.spent);
        }
        found
    }

    /// Its place in the line for a hash.
    pub(super) fn rank(&self) -> Rank {
        self.spent.rank
    }
}

/// Which verifier of this person a password fits, a mailed one in whatever form it is typed. Such a password cannot be
/// chosen: it is known to more than its owner, or lies in a mailbox (ASVS 5.0, 6.4.1).
///
/// Takes no try. Only for callers who have proved the person.
pub(super) async fn found(api: &Api, email: &str, password: Zeroizing<String>) -> Result<Option<Candidate>, Problem> {
    let key = EmailAddress::parse(email)
        .map(|address| address.key())
        .unwrap_or_default();
    match compared(api, &key, Rank::FIRST, password).await {
        Ok(found) => Ok(found),
        Err(Unchecked::Busy) => Err(HashFault::Busy.into()),
        Err(Unchecked::Problem(problem)) => Err(problem),
    }
}

async fn compared(
    api: &Api,
    key: &str,
    rank: Rank,
    password: Zeroizing<String>,
) -> Result<Option<Candidate>, Unchecked> {
    // Before Postgres is asked: a flood costs it nothing either.
    if !api.hashing.has_place(rank) {
        return Err(Unchecked::Busy);
    }
    let candidates = credentials::live(&api.db, key).await;
    let candidates = candidates.map_err(|fault| Unchecked::Problem(fault.into()))?;
    let is_plausible = !password.is_empty() && password.len() <= CANDIDATE_MOST_BYTES;
    let candidate_text = if is_plausible {
        password
    } else {
        Zeroizing::new("-".to_owned())
    };
    let verifiers = candidates.iter().map(|candidate| {
        let form = if candidate.is_generated {
            Form::Generated
        } else {
            Form::Chosen
        };
        (Verifier::from_stored(candidate.verifier.clone()), form)
    });
    let found = api.hashing.verify(rank, verifiers.collect(), candidate_text).await?;
    Ok(found
        .filter(|_| is_plausible)
        .and_then(|at| candidates.into_iter().nth(at)))
}

/// Why a password was not compared.
enum Unchecked {
    /// Too many wait for a hash.
    Busy,
    /// Postgres or the hashing failed.
    Problem(Problem),
}

impl From<HashFault> for Unchecked {
    fn from(fault: HashFault) -> Self {
        match fault {
            HashFault::Busy => Self::Busy,
            other => Self::Problem(other.into()),
        }
    }
}

/// Counts a check that came to no answer or to one.
pub(super) fn count(api: &Api, outcome: &str) {
    api.metrics.verifications.with_label_values(&[outcome]).inc();
}

/// What an attacker who knows the person tries first.
pub(super) async fn words_of(api: &Api, user: Uuid) -> Result<PersonalWords, Problem> {
    let user = users::find(&api.db, user).await?;
    let organisation = &api.letters.organisation;
    Ok(user.map_or_else(PersonalWords::default, |user| {
        let name = format!("{} {}", user.first_name, user.last_name);
        PersonalWords::of([&user.email, &name, organisation])
    }))
}

/// What a client is remembered as.
fn digest(client: &str) -> Vec<u8> {
    Sha256::digest(client.as_bytes()).to_vec()
}

/// Remembers the client. Where it cannot be, the person is let in all the same.
async fn remember(api: &Api, user: Uuid, digest: Vec<u8>) -> Result<(), Problem> {
    let db = api.db.clone();
    api.to_the_end(async move {
        if let Err(fault) = known_clients::remember_client(&db, user, &digest).await {
            tracing::warn!(error = ?fault, "Could not remember a client that signed in");
        }
        Ok(())
    })
    .await
}

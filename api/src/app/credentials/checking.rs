//! Finds the user whose password was typed at the platform's sign-in.
//!
//! Takes an attempt ([`AttemptLimiter`](super::AttemptLimiter)), reads the person's verifiers from Postgres and
//! computes one hash, whether or not the person exists.
//!
//! Input in the form of a mailed password is first compared with mailed passwords, without an attempt: they cannot be
//! guessed, and the comparison takes a third of a millisecond. So guessing cannot lock out a person who has a mailed
//! password. Whether this comparison happens depends only on the input, never on the person.

use crate::app::caller::Caller;
use crate::app::problem::{Problem, ProblemKind};
use crate::app::state::AppState;
use sha2::{Digest as _, Sha256};
use shared::address::EmailAddress;
use shared::password::{HashFault, PasswordOrigin, PersonalWords, Rank, Verifier, is_like_mailed};
use shared::store::audit::Action;
use shared::store::credentials::{self, Candidate};
use shared::store::{known_clients, users};
use std::time::Instant;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::attempt_limiter::{Attempt, AttemptToken, Client, ExhaustedLimit, Realm, Refusal};

/// Longer candidates are rejected before hashing: hashing a megabyte costs more than sending it.
const CANDIDATE_MOST_BYTES: usize = 1_024;

/// Maximum length in bytes of the client name that a platform sends.
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
        if refusal.used_up == ExhaustedLimit::Overall {
            return Self::unavailable("busy", refusal.sentence(), refusal.seconds());
        }
        let mut problem = Self::new(ProblemKind::LimitReached, "too_many_tries", refusal.sentence());
        problem.retry_after = Some(refusal.seconds());
        problem
    }
}

/// A sign-in as the platform reports it.
#[derive(Clone, Copy)]
pub struct Claim<'a> {
    /// The address, as typed.
    pub email: &'a str,
    /// The password to check.
    pub password: &'a Zeroizing<String>,
    /// The client, if the platform names one.
    pub client: Option<&'a String>,
}

/// A password check whose attempt has been counted.
pub(super) struct Check<'a> {
    api: &'a AppState,
    caller: &'a Caller,
    claim: Claim<'a>,
    /// The normalised address; empty if the input is not an address.
    key: String,
    /// The mailed password that it matched, if any.
    mailed: Option<Candidate>,
    spent: AttemptToken,
}

impl<'a> Check<'a> {
    /// Counts an attempt for the person with this address, from the client that the platform names. A correct mailed password
    /// has a limit of its own.
    ///
    /// # Errors
    ///
    /// If the client is invalid, or no attempt is left, for existing and unknown people alike.
    pub(super) async fn begin(api: &'a AppState, caller: &'a Caller, claim: Claim<'a>) -> Result<Self, Problem> {
        if claim
            .client
            .is_some_and(|client| !(1..=CLIENT_MOST_BYTES).contains(&client.len()))
        {
            return Err(Problem::invalid(
                "client_unfit",
                format!("`client` must have 1 to {CLIENT_MOST_BYTES} bytes."),
            ));
        }
        let platform = caller.actor.kind.id().unwrap_or_default();
        let key = EmailAddress::parse(claim.email).map(|address| address.key()).ok();
        let is_like_mailed = is_like_mailed(claim.password);
        let mailed = if is_like_mailed && api.attempt_limiter.allow_light_check(platform, Instant::now()) {
            mailed_match(api, key.as_deref().unwrap_or_default(), claim.password).await?
        } else {
            None
        };
        let (client, is_known) = match &mailed {
            Some(mailed) => (Some(Client::named(format!("mailed password {}", mailed.id))), true),
            None => named_client(api, key.as_deref(), claim.client).await?,
        };
        let attempt = Attempt {
            realm: Realm::Platform { key: platform },
            person: key.as_deref().unwrap_or(claim.email),
            client: client.as_ref(),
            is_known,
            is_like_mailed,
        };
        let spent = match api.attempt_limiter.take(attempt, Instant::now()) {
            Ok(spent) => spent,
            Err(refusal) => {
                let is_busy = refusal.used_up == ExhaustedLimit::Overall;
                count(api, if is_busy { "busy" } else { "throttled" });
                // Recorded without the person: an entry per person would reveal who exists.
                api.record_access(Action::CredentialThrottled, &caller.actor, None);
                return Err(refusal.into());
            }
        };
        Ok(Self {
            api,
            caller,
            claim,
            key: key.unwrap_or_default(),
            mailed,
            spent,
        })
    }

    /// The verifier that the password matches.
    pub(super) async fn matching(self) -> Result<Option<Candidate>, Problem> {
        let compared = match self.mailed {
            Some(mailed) => Ok(Some(mailed)),
            None => compared(self.api, &self.key, self.spent.rank, self.claim.password.clone()).await,
        };
        let found = match compared {
            // A client that met a full queue keeps its worse rank, so that a flood makes room for others.
            Err(Unchecked::Busy) => {
                count(self.api, "busy");
                self.api
                    .record_access(Action::CredentialThrottled, &self.caller.actor, None);
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
            && let Some(client) = self.claim.client
        {
            remember(self.api, candidate.user, client).await;
        }
        // An internal failure reveals nothing about the password, so the attempt is refunded.
        if !matches!(found, Ok(None)) {
            self.api.attempt_limiter.refund(self.spent);
        }
        found
    }

    /// Its priority in the queue for a hash.
    pub(super) fn rank(&self) -> Rank {
        self.spent.rank
    }
}

/// The client that the platform names, and whether it has signed in as the person before.
async fn named_client(
    api: &AppState,
    key: Option<&str>,
    client: Option<&String>,
) -> Result<(Option<Client>, bool), Problem> {
    let is_known = match (key, client) {
        (Some(key), Some(client)) => known_clients::is_client_known(&api.db, key, &digest(client)).await?,
        _ => false,
    };
    Ok((client.map(|client| Client::of_platform(client)), is_known))
}

/// Which verifier of this person a password matches; mailed ones match in any form they can be typed. Such a password
/// must not be chosen again: others know it, or it is in a mailbox (ASVS 5.0, 6.4.1).
///
/// Counts no attempt. Only for callers whose identity has been proved.
pub(super) async fn found(
    api: &AppState,
    email: &str,
    password: Zeroizing<String>,
) -> Result<Option<Candidate>, Problem> {
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
    api: &AppState,
    key: &str,
    rank: Rank,
    password: Zeroizing<String>,
) -> Result<Option<Candidate>, Unchecked> {
    // Reserved before the query, so that a flood costs Postgres little too.
    let Some(_place) = api.hashing.reserve(rank) else {
        return Err(Unchecked::Busy);
    };
    let candidates = credentials::live(&api.db, key).await;
    let candidates = candidates.map_err(|fault| Unchecked::Problem(fault.into()))?;
    let is_plausible = !password.is_empty() && password.len() <= CANDIDATE_MOST_BYTES;
    let candidate_text = if is_plausible {
        password
    } else {
        Zeroizing::new("-".to_owned())
    };
    let found = api
        .hashing
        .verify(rank, verifiers_of(&candidates), candidate_text)
        .await?;
    Ok(found
        .filter(|_| is_plausible)
        .and_then(|at| candidates.into_iter().nth(at)))
}

/// The mailed password that this matches. Also `None` if the light queue is full, because the usual check covers mailed
/// passwords too.
async fn mailed_match(api: &AppState, key: &str, password: &Zeroizing<String>) -> Result<Option<Candidate>, Problem> {
    let Some(_place) = api.light_hashing.reserve(Rank::FIRST) else {
        return Ok(None);
    };
    let candidates = credentials::live(&api.db, key).await?;
    let verifiers = verifiers_of(&candidates);
    match api.light_hashing.verify_light(verifiers, password.clone()).await {
        Ok(found) => Ok(found.and_then(|at| candidates.into_iter().nth(at))),
        Err(HashFault::Busy) => Ok(None),
        Err(fault) => Err(fault.into()),
    }
}

fn verifiers_of(candidates: &[Candidate]) -> Vec<(Verifier, PasswordOrigin)> {
    let verifier = |candidate: &Candidate| {
        let form = if candidate.is_generated {
            PasswordOrigin::Generated
        } else {
            PasswordOrigin::Chosen
        };
        (Verifier::from_stored(candidate.verifier.clone()), form)
    };
    candidates.iter().map(verifier).collect()
}

/// Why a password was not compared.
enum Unchecked {
    /// The queue for hashing is full.
    Busy,
    /// Postgres or hashing failed.
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

/// Counts a check by outcome.
pub(super) fn count(api: &AppState, outcome: &str) {
    api.metrics.verifications.with_label_values(&[outcome]).inc();
}

/// Words an attacker who knows the person would try first.
pub(super) async fn words_of(api: &AppState, user: Uuid) -> Result<PersonalWords, Problem> {
    let user = users::find(&api.db, user).await?;
    let organisation = &api.letters.organisation;
    Ok(user.map_or_else(PersonalWords::default, |user| {
        let name = format!("{} {}", user.first_name, user.last_name);
        PersonalWords::of([&user.email, &name, organisation])
    }))
}

/// The digest under which a client is remembered.
fn digest(client: &str) -> Vec<u8> {
    Sha256::digest(client.as_bytes()).to_vec()
}

/// Remembers the client. A database error is only logged: it must not prevent sign-in.
async fn remember(api: &AppState, user: Uuid, client: &str) {
    if let Err(fault) = known_clients::remember_client(&api.db, user, &digest(client)).await {
        tracing::warn!(error = ?fault, "Could not remember a client that signed in");
    }
}

//! Passwords for a group of mails: made, hashed, and their verifiers committed before the first
//! SMTP byte.
//!
//! That order is the promise that the password in any mail that arrived works. The current
//! password is not touched, so a mail that never arrives locks nobody out. Each attempt has a
//! password of its own: the relay may have taken an earlier attempt's mail without our knowing,
//! and then both work.

use crate::claim::Held;
use crate::metrics::WorkerMetrics;
use crate::spans::{Step, Steps, Times};
use futures_util::future::join_all;
use shared::batch::Lane;
use shared::config::Lifetimes;
use shared::failpoint::{Point, reach};
use shared::password::{Cost, Hasher, Password, Salt, Verifier, os_randomness};
use shared::store::Db;
use shared::store::credentials::{NewCredential, store};
use shared::system_email::SystemEmailKind;
use shared::trace::now;
use std::collections::HashSet;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;
use tokio::sync::Semaphore;
use tracing::warn;
use uuid::Uuid;

/// Passwords that one task makes: at 36 µs each half a millisecond, at full cost a third of a second.
const TASK: usize = 16;

/// Why there is no password; the attempt has not begun and is given back.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// The operating system gave no randomness, or no memory to hash in.
    #[error("no password could be made: {0}")]
    NotMade(String),
    /// Its verifier is not stored: the claim is lost, the mail was cancelled meanwhile, or Postgres
    /// is away.
    #[error("the verifier could not be stored, so no mail may carry its password")]
    NotStored,
}

/// Makes passwords and stores their verifiers.
pub struct Credentials {
    db: Db,
    lifetimes: Lifetimes,
    cost: Cost,
    metrics: Arc<WorkerMetrics>,
    /// Tasks of each lane that hash at the same time, one a core; a batch's passwords at full cost hold up no single one.
    interactive: Semaphore,
    bulk: Semaphore,
}

/// A password and what is stored of it.
type Made = (Password, Verifier);

/// A claimed delivery with the times of its steps.
pub type Timed = (Held, Steps);

impl Credentials {
    /// Hashes at this cost.
    pub fn new(db: Db, lifetimes: Lifetimes, cost: Cost, metrics: Arc<WorkerMetrics>) -> Self {
        let cores = available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            db,
            lifetimes,
            cost,
            metrics,
            interactive: Semaphore::new(cores),
            bulk: Semaphore::new(cores),
        }
    }

    /// How long a password for this claim's user works after its mail was accepted.
    pub fn lifetime(&self, held: &Held) -> Duration {
        let has_signed_in = held.claim.recipient.as_ref().is_some_and(|person| person.has_signed_in);
        self.lifetimes.of(has_signed_in)
    }

    /// A password for each mail of a group that carries one, in the group's order. Those that come
    /// back work; a mail without the one it needs must not be sent.
    pub async fn make(&self, group: &mut [Timed]) -> Vec<Result<Option<Password>, CredentialError>> {
        let count = group.iter().filter(|(held, _)| needs_password(held)).count();
        let Some((first, _)) = group.first().filter(|_| count > 0) else {
            return group.iter().map(|_| Ok(None)).collect();
        };
        let began = now();
        let mut made = self.hash(first.work.lane, count).await.into_iter();
        let hashed: Vec<Result<Option<Made>, CredentialError>> = group
            .iter()
            .map(|(held, _)| {
                let made = needs_password(held).then(|| made.next());
                made.map_or(Ok(None), |made| made.transpose())
            })
            .collect();
        self.note(group, Step::Hash, Times::since(began));
        reach(Point::PasswordHashed);

        let began = now();
        let pairs = group.iter().zip(&hashed);
        let credentials: Vec<NewCredential> = pairs
            .filter_map(|((held, _), hashed)| {
                let (_, verifier) = hashed.as_ref().ok()?.as_ref()?;
                self.credential(held, verifier)
            })
            .collect();
        let stored = self.store(&credentials).await;
        self.note(group, Step::Credential, Times::since(began));
        reach(Point::VerifierStored);
        let made = group.iter().zip(hashed).map(|((held, _), hashed)| match hashed? {
            None => Ok(None),
            Some((password, _)) if stored.contains(&held.claim.delivery) => Ok(Some(password)),
            Some(_) => Err(CredentialError::NotStored),
        });
        made.collect()
    }

    /// So many passwords with their verifiers, made off the runtime's own threads.
    async fn hash(&self, lane: Lane, count: usize) -> Vec<Result<Made, CredentialError>> {
        let cost = self.cost;
        let slots = match lane {
            Lane::Interactive => &self.interactive,
            Lane::Bulk => &self.bulk,
        };
        let tasks = (0..count).step_by(TASK).map(async |from| {
            let some = TASK.min(count - from);
            // It fails only once it is closed, which it never is.
            let _slot = slots.acquire().await;
            let made = tokio::task::spawn_blocking(move || make(some, cost)).await;
            let failed = |fault: tokio::task::JoinError| {
                let not_made = || Err(CredentialError::NotMade(fault.to_string()));
                std::iter::repeat_with(not_made).take(some).collect()
            };
            made.unwrap_or_else(failed)
        });
        join_all(tasks).await.into_iter().flatten().collect()
    }

    fn credential(&self, held: &Held, verifier: &Verifier) -> Option<NewCredential> {
        let (claim, person) = (&held.claim, held.claim.recipient.as_ref()?);
        Some(NewCredential {
            user: person.user,
            email_key: person.email_key.clone(),
            delivery: claim.delivery,
            attempt: claim.attempt,
            batch: claim.batch,
            token: held.lease.token(),
            verifier: verifier.as_stored().to_owned(),
            // Until the outcome is settled it must outlive any attempt.
            lifetime: self.lifetime(held) + Duration::from_hours(1),
        })
    }

    /// The deliveries whose verifiers are stored.
    async fn store(&self, credentials: &[NewCredential]) -> HashSet<Uuid> {
        match store(&self.db, credentials).await {
            Ok(stored) => stored.into_iter().collect(),
            Err(fault) => {
                let count = credentials.len();
                warn!(error = ?fault, count, "Could not store verifiers; their mails are given back");
                HashSet::new()
            }
        }
    }

    fn note(&self, group: &mut [Timed], step: Step, times: Times) {
        for (held, steps) in group {
            if needs_password(held) {
                steps.add(&self.metrics, step, times);
            }
        }
    }
}

fn make(count: usize, cost: Cost) -> Vec<Result<Made, CredentialError>> {
    let mut hasher = Hasher::new();
    let not_made = |fault: String| CredentialError::NotMade(fault);
    let mut one = || {
        let password = Password::generate(&mut os_randomness()).map_err(|fault| not_made(fault.to_string()))?;
        let password = password.with_cost(cost);
        let salt = Salt::generate(&mut os_randomness()).map_err(|fault| not_made(fault.to_string()))?;
        let verifier = hasher
            .hash(&password, &salt)
            .map_err(|fault| not_made(fault.to_string()))?;
        Ok((password, verifier))
    };
    (0..count).map(|_| one()).collect()
}

fn needs_password(held: &Held) -> bool {
    held.claim.kind == SystemEmailKind::PasswordReset && held.claim.recipient.is_some()
}

//! Creates and hashes the passwords for a group of mails, and commits their verifiers before the first SMTP
//! byte.
//!
//! This order guarantees that the password in any mail that arrives works. The current password stays valid,
//! so a mail that never arrives locks no user out. Each attempt has its own password: the relay may have
//! accepted the mail of an earlier attempt without our knowing, and then both passwords work.

use crate::claim::ClaimedDelivery;
use crate::metrics::WorkerMetrics;
use crate::spans::{Steps, Times};
use crate::step::Step;
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

/// Passwords hashed per task: a quarter of a millisecond of work at 16 µs each, a third of a second at full cost.
const TASK: usize = 16;

/// How much longer than its lifetime a password is valid at first. An attempt that takes less time needs no second
/// write, which would cost Postgres as much as the first. If the outcome of an attempt never becomes known, the lifetime
/// counts from here.
pub const GRACE: Duration = Duration::from_mins(1);

/// Why there is no password. The attempt has not begun and is given back.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// The operating system provided no randomness, or no memory for hashing.
    #[error("no password could be generated: {0}")]
    NotMade(String),
    /// The verifier is not stored: the claim is lost, the mail was cancelled, or Postgres is unavailable.
    #[error("the verifier could not be stored, so no mail may carry its password")]
    NotStored,
}

/// Creates passwords and stores their verifiers.
pub struct Credentials {
    db: Db,
    lifetimes: Lifetimes,
    cost: Cost,
    metrics: Arc<WorkerMetrics>,
    /// Limits concurrent hashing tasks to one per core for each lane, so that a batch hashed at full cost
    /// does not hold up single mails.
    interactive: Semaphore,
    bulk: Semaphore,
}

/// A password and its stored verifier.
type NewPassword = (Password, Verifier);

/// A claimed delivery with the timings of its steps.
pub type TimedDelivery = (ClaimedDelivery, Steps);

impl Credentials {
    /// Creates passwords that are hashed at this cost.
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

    /// How long this user's password is valid after the relay accepted the mail. It may be valid for [`GRACE`] longer.
    pub fn lifetime(&self, held: &ClaimedDelivery) -> Duration {
        let has_signed_in = held.claim.recipient.as_ref().is_some_and(|person| person.has_signed_in);
        self.lifetimes.of(has_signed_in)
    }

    /// Creates a password for each mail of the group that carries one, in the group's order.
    ///
    /// The verifiers of all returned passwords are stored. A mail whose password is missing must not be sent.
    pub async fn make(&self, group: &mut [TimedDelivery]) -> Vec<Result<Option<Password>, CredentialError>> {
        let count = group.iter().filter(|(held, _)| needs_password(held)).count();
        let Some((first, _)) = group.first().filter(|_| count > 0) else {
            return group.iter().map(|_| Ok(None)).collect();
        };
        let began = now();
        let mut made = self.hash(first.work.lane, count).await.into_iter();
        let hashed: Vec<Result<Option<NewPassword>, CredentialError>> = group
            .iter()
            .map(|(held, _)| {
                let made = needs_password(held).then(|| made.next());
                made.map_or(Ok(None), Option::transpose)
            })
            .collect();
        self.record_times(group, Step::Hash, Times::since(began));
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
        self.record_times(group, Step::Credential, Times::since(began));
        reach(Point::VerifierStored);
        let made = group.iter().zip(hashed).map(|((held, _), hashed)| match hashed? {
            None => Ok(None),
            Some((password, _)) if stored.contains(&held.claim.delivery) => Ok(Some(password)),
            Some(_) => Err(CredentialError::NotStored),
        });
        made.collect()
    }

    /// Creates and hashes `count` passwords on blocking threads.
    async fn hash(&self, lane: Lane, count: usize) -> Vec<Result<NewPassword, CredentialError>> {
        let cost = self.cost;
        let slots = match lane {
            Lane::Interactive => &self.interactive,
            Lane::Bulk => &self.bulk,
        };
        let tasks = (0..count).step_by(TASK).map(async |from| {
            let some = TASK.min(count - from);
            // Acquiring fails only after the semaphore is closed, which never happens.
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

    fn credential(&self, held: &ClaimedDelivery, verifier: &Verifier) -> Option<NewCredential> {
        let (claim, person) = (&held.claim, held.claim.recipient.as_ref()?);
        Some(NewCredential {
            user: person.user,
            email_key: person.email_key.clone(),
            delivery: claim.delivery,
            attempt: claim.attempt,
            batch: claim.batch,
            token: held.lease.token(),
            verifier: verifier.as_stored().to_owned(),
            lifetime: self.lifetime(held) + GRACE,
        })
    }

    /// Stores the verifiers and returns the deliveries whose verifier is stored.
    async fn store(&self, credentials: &[NewCredential]) -> HashSet<Uuid> {
        match store(&self.db, credentials).await {
            Ok(stored) => stored.into_iter().collect(),
            Err(fault) => {
                let count = credentials.len();
                warn!(error = ?fault, count, "Could not store verifiers; their emails are given back");
                HashSet::new()
            }
        }
    }

    fn record_times(&self, group: &mut [TimedDelivery], step: Step, times: Times) {
        for (held, steps) in group {
            if needs_password(held) {
                steps.add(&self.metrics, step, times);
            }
        }
    }
}

fn make(count: usize, cost: Cost) -> Vec<Result<NewPassword, CredentialError>> {
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

fn needs_password(held: &ClaimedDelivery) -> bool {
    held.claim.kind == SystemEmailKind::PasswordReset && held.claim.recipient.is_some()
}

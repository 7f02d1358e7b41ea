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
use shared::config::Lifetimes;
use shared::failpoint::{Point, reach};
use shared::password::{Cost, HashPool, Password, Verifier, os_randomness};
use shared::store::Db;
use shared::store::credentials::{NewCredential, store};
use shared::system_email::SystemEmailKind;
use shared::trace::now;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tracing::warn;
use uuid::Uuid;

/// Why there is no password; the attempt has not begun and is given back.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// The operating system gave no randomness, or no thread hashed.
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
    pool: HashPool,
    lifetimes: Lifetimes,
    cost: Cost,
    metrics: Arc<WorkerMetrics>,
}

/// A claimed delivery with the times of its steps.
pub type Timed = (Held, Steps);

impl Credentials {
    /// `pool` does the hashing, at this cost.
    pub fn new(db: Db, pool: HashPool, lifetimes: Lifetimes, cost: Cost, metrics: Arc<WorkerMetrics>) -> Self {
        Self {
            db,
            pool,
            lifetimes,
            cost,
            metrics,
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
        if !group.iter().any(|(held, _)| needs_password(held)) {
            return group.iter().map(|_| Ok(None)).collect();
        }
        let began = now();
        let hashed = join_all(group.iter().map(|(held, _)| self.hash(held))).await;
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

    async fn hash(&self, held: &Held) -> Result<Option<(Password, Verifier)>, CredentialError> {
        if !needs_password(held) {
            return Ok(None);
        }
        let not_made = |fault: String| CredentialError::NotMade(fault);
        let password = Password::generate(&mut os_randomness()).map_err(|fault| not_made(fault.to_string()))?;
        let hashed = self.pool.hash(password.with_cost(self.cost)).await;
        hashed.map(Some).map_err(|fault| not_made(fault.to_string()))
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

    /// Shows the pool's gauges.
    pub fn show(&self) {
        let show = |gauge: &prometheus::IntGauge, value: usize| gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        show(&self.metrics.hash_threads, self.pool.threads());
        show(&self.metrics.hash_in_use, self.pool.in_use());
        show(&self.metrics.hash_waiting, self.pool.waiting());
    }
}

fn needs_password(held: &Held) -> bool {
    held.claim.kind == SystemEmailKind::PasswordReset && held.claim.recipient.is_some()
}

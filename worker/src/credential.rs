//! A password for one mail: made, hashed, and its verifier committed before the first SMTP byte.
//!
//! That order is the promise that the password in any mail that arrived works. The current
//! password is not touched, so a mail that never arrives locks nobody out. Each attempt has a
//! password of its own: the relay may have taken an earlier attempt's mail without our knowing,
//! and then both work.

use crate::claim::Held;
use crate::group::Group;
use crate::metrics::WorkerMetrics;
use crate::spans::Steps;
use shared::batch::Lane;
use shared::config::Lifetimes;
use shared::failpoint::{Point, reach};
use shared::lifecycle::Lifecycle;
use shared::password::{Cost, HashPool, Password, os_randomness};
use shared::store::Db;
use shared::store::claims::Recipient;
use shared::store::credentials::{NewCredential, store};
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
    /// Its verifier is not stored: the claim is lost, the mail was cancelled meanwhile, or Postgres is
    /// away.
    #[error("the verifier could not be stored, so no mail may carry its password")]
    NotStored,
}

/// Makes passwords and stores their verifiers, in groups.
pub struct Credentials {
    pool: HashPool,
    lifetimes: Lifetimes,
    cost: Cost,
    group: Group<NewCredential, bool>,
    metrics: Arc<WorkerMetrics>,
}

impl Credentials {
    /// Starts storing; `pool` does the hashing, at this cost.
    pub fn start(
        lifecycle: &Lifecycle,
        db: Db,
        pool: HashPool,
        lifetimes: Lifetimes,
        cost: Cost,
        metrics: Arc<WorkerMetrics>,
    ) -> Self {
        let group = Group::start(lifecycle, move |group: Vec<NewCredential>| {
            let db = db.clone();
            async move { store_group(&db, group).await }
        });
        Self {
            pool,
            lifetimes,
            cost,
            group,
            metrics,
        }
    }

    /// How long a password for this claim's person works after its mail was taken.
    pub fn lifetime(&self, held: &Held) -> Duration {
        let has_signed_in = held.0.recipient.as_ref().is_some_and(|person| person.has_signed_in);
        self.lifetimes.of(has_signed_in)
    }

    /// A password for this claim's mail. When it comes back, it works.
    ///
    /// # Errors
    ///
    /// No mail may be sent; the claim is to be given back.
    pub async fn make(
        &self,
        held: &Held,
        person: &Recipient,
        lane: Lane,
        steps: &mut Steps<'_>,
    ) -> Result<Password, CredentialError> {
        let password =
            Password::generate(&mut os_randomness()).map_err(|fault| CredentialError::NotMade(fault.to_string()))?;
        steps.begin_step("hash");
        let hashed = self.pool.hash(password.with_cost(self.cost)).await;
        steps.end_step();
        let (password, verifier) = hashed.map_err(|fault| CredentialError::NotMade(fault.to_string()))?;
        reach(Point::PasswordHashed);
        let (claim, lease) = held;
        let credential = NewCredential {
            user: person.user,
            email_key: person.email_key.clone(),
            delivery: claim.delivery,
            attempt: claim.attempt,
            batch: claim.batch,
            token: lease.token(),
            verifier: verifier.as_stored().to_owned(),
            // Until the outcome is settled it must outlive any attempt.
            lifetime: self.lifetime(held) + Duration::from_hours(1),
        };
        steps.begin_step("credential");
        let is_stored = self.group.ask(credential, lane).await;
        steps.end_step();
        reach(Point::VerifierStored);
        if is_stored == Some(true) {
            Ok(password)
        } else {
            Err(CredentialError::NotStored)
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

async fn store_group(db: &Db, group: Vec<NewCredential>) -> Vec<bool> {
    match store(db, &group).await {
        Ok(stored) => {
            let stored: HashSet<Uuid> = stored.into_iter().collect();
            group.iter().map(|one| stored.contains(&one.delivery)).collect()
        }
        Err(fault) => {
            warn!(error = ?fault, count = group.len(), "Could not store verifiers; their mails are given back");
            group.iter().map(|_| false).collect()
        }
    }
}

//! The path of a group of jobs, from the queue to settled deliveries.
//!
//! The order of the steps matters. Claims are committed before the relay is contacted, so no database
//! connection waits for a slow relay. A password's verifier is committed before its mail is sent, so every
//! mailed password works. Jobs are acknowledged last: if the worker dies at any step they are redelivered,
//! and the claim recognises what was done.
//!
//! ```text
//! consume ─▶ claim ─▶ credential ─▶ compose ─▶ send (one task per connection) ─▶ settle ─▶ acknowledge
//!             └────────── one task per group ──────────┘                          └─ groups of outcomes ─┘
//! ```

use crate::claim::{ClaimedDelivery, Claims};
use crate::compose::{ComposeError, Composer, Letterhead, Mail};
use crate::credential::{CredentialError, Credentials, TimedDelivery};
use crate::metrics::WorkerMetrics;
use crate::outcome;
use crate::send::{Mailer, Permit};
use crate::sending::Sending;
use crate::settle::{Finished, Settler};
use crate::spans::{Steps, Times};
use crate::step::Step;
use crate::work::Work;
use shared::failpoint::{Point, reach};
use shared::password::Password;
use shared::store::settle::Outcome;
use shared::system_email::SystemEmailKind;
use shared::trace::now;
use std::sync::Arc;

/// The steps that a job passes through.
pub struct Pipeline {
    /// Claims deliveries.
    pub claims: Claims,
    /// Creates passwords.
    pub credentials: Credentials,
    /// Composes mails.
    pub composer: Composer,
    /// Sends mails.
    pub mailer: Mailer<Sending>,
    /// Records outcomes.
    pub settler: Settler,
    /// When attempts are retried.
    pub retries: outcome::Retries,
    /// The worker's metrics.
    pub metrics: Arc<WorkerMetrics>,
}

impl Pipeline {
    /// Waits until jobs can be processed: neither the relay nor Postgres is failing.
    pub async fn ready(&self) {
        let mut available = self.claims.postgres_available();
        loop {
            self.mailer.ready().await;
            // An error would mean that the sender is gone, but `self` owns it.
            let _ = available.wait_for(|available| *available).await;
            if self.mailer.is_ready() {
                return;
            }
        }
    }

    /// Waits until jobs cannot be processed.
    pub async fn in_trouble(&self) {
        let mut available = self.claims.postgres_available();
        tokio::select! {
            () = self.mailer.in_trouble() => {}
            _ = available.wait_for(|available| !*available) => {}
        }
    }

    /// Takes a group of jobs to the relay. Each permit covers one mail.
    pub async fn run(&self, group: Vec<Work>, permits: Vec<Permit>) {
        let began = now();
        let held = self.claims.claim(group).await;
        if held.is_empty() {
            return;
        }
        reach(Point::Claimed);
        let times = Times::since(began);
        let mut group: Vec<TimedDelivery> = held.into_iter().map(|held| self.begin(held, times)).collect();
        let passwords = self.credentials.make(&mut group).await;
        let mut ready = Vec::with_capacity(group.len());
        for (((held, mut steps), password), permit) in group.into_iter().zip(passwords).zip(permits) {
            match self.compose(&held, password, &mut steps).await {
                Ok((mail, password)) => ready.push(self.sending(held, mail, password, steps, permit)),
                Err(unsent) => self.settler.push(unsent.finish(held, steps)),
            }
        }
        reach(Point::MailComposed);
        self.mailer.send(ready);
    }

    fn begin(&self, held: ClaimedDelivery, times: Times) -> TimedDelivery {
        self.metrics.observe_wait(held.work.lane, held.claim.waited_seconds);
        let mut steps = Steps::begin();
        steps.add(&self.metrics, Step::Claim, times);
        (held, steps)
    }

    async fn compose(
        &self,
        held: &ClaimedDelivery,
        password: Result<Option<Password>, CredentialError>,
        steps: &mut Steps,
    ) -> Result<(Mail, Option<Password>), Unsent> {
        let password = password?;
        let began = now();
        let letterhead = Letterhead {
            password: password.as_ref(),
            lifetime: self.credentials.lifetime(held),
        };
        let mail = self.composer.compose(&held.claim, &letterhead).await;
        steps.add(&self.metrics, Step::Compose, Times::since(began));
        Ok((mail?, password))
    }

    fn sending(
        &self,
        held: ClaimedDelivery,
        mail: Mail,
        password: Option<Password>,
        steps: Steps,
        permit: Permit,
    ) -> Sending {
        let carries_one = held.claim.kind == SystemEmailKind::PasswordReset;
        Sending {
            password_lifetime: carries_one.then(|| self.credentials.lifetime(&held)),
            held,
            mail,
            password,
            steps,
            began: now(),
            retries: self.retries,
            metrics: Arc::clone(&self.metrics),
            settler: self.settler.clone(),
            permit: Some(permit),
        }
    }
}

/// Why a mail was not offered to the relay.
#[derive(Debug, thiserror::Error)]
enum Unsent {
    /// It has no working password.
    #[error(transparent)]
    Credential(#[from] CredentialError),
    /// It could not be composed.
    #[error(transparent)]
    Compose(#[from] ComposeError),
}

impl Unsent {
    fn finish(&self, held: ClaimedDelivery, steps: Steps) -> Finished {
        Finished {
            outcome: self.outcome(&held),
            held,
            steps,
        }
    }

    fn outcome(&self, held: &ClaimedDelivery) -> Outcome {
        let (claim, token) = (&held.claim, held.lease.token());
        match self {
            Self::Compose(fault @ ComposeError::Unbuildable(_)) => {
                outcome::unbuildable(claim, token, fault.to_string())
            }
            Self::Credential(_) | Self::Compose(_) => outcome::given_back(claim, token, self.to_string()),
        }
    }
}

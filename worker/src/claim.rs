//! Taking a delivery on, before anything is done for it.
//!
//! A claim says: this attempt is ours. It is committed before the relay is spoken to, together
//! with the attempt's record, so that whatever happens afterwards is known to have been tried.

use crate::group::Group;
use crate::leases::{Lease, Leases};
use crate::metrics::WorkerMetrics;
use crate::outcome::{self, Retries};
use shared::batch::Lane;
use shared::job::Job;
use shared::lifecycle::Lifecycle;
use shared::reconnect::Delays;
use shared::store::claims::{Claim, Claimant, claim};
use shared::store::{Db, StoreError};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::watch;
use tracing::{error, warn};
use uuid::Uuid;

/// A claim with its lease.
pub type Held = (Claim, Arc<Lease>);

/// Takes deliveries on, in groups.
pub struct Claims {
    group: Group<Job, Taking>,
    /// Whether Postgres answers.
    works: watch::Receiver<bool>,
}

/// How a claim went.
pub enum Taking {
    /// It is ours.
    Ours(Box<Held>),
    /// It is not for us, and the job can go: somebody was faster, its batch was paused or stopped,
    /// its address is blocked, or it has ended.
    NotOurs,
    /// Postgres did not answer until the worker stopped. The job goes back.
    Unknown,
}

struct Claimer {
    db: Db,
    leases: Arc<Leases>,
    worker: String,
    retries: Retries,
    metrics: Arc<WorkerMetrics>,
    lifecycle: Lifecycle,
    works: watch::Sender<bool>,
}

impl Claims {
    /// Starts taking deliveries on for the worker of this name.
    pub fn start(
        lifecycle: &Lifecycle,
        db: Db,
        leases: Arc<Leases>,
        worker: String,
        retries: Retries,
        metrics: Arc<WorkerMetrics>,
    ) -> Self {
        let (works, watched) = watch::channel(true);
        let claimer = Arc::new(Claimer {
            db,
            leases,
            worker,
            retries,
            metrics,
            lifecycle: lifecycle.clone(),
            works,
        });
        let group = Group::start(lifecycle, move |jobs| {
            let claimer = Arc::clone(&claimer);
            async move { claimer.take(jobs).await }
        });
        Self { group, works: watched }
    }

    /// Tells whether claims are answered, and when that changes.
    pub fn works(&self) -> watch::Receiver<bool> {
        self.works.clone()
    }

    /// Takes on what a job points at.
    pub async fn take(&self, job: Job, lane: Lane) -> Taking {
        self.group.ask(job, lane).await.unwrap_or(Taking::Unknown)
    }
}

impl Claimer {
    async fn take(&self, jobs: Vec<Job>) -> Vec<Taking> {
        // One for as long as it takes: an answer may be lost whose claims are ours.
        let token = Uuid::new_v4();
        let Some((mut taken, asked_at)) = self.ask_until_answered(&jobs, token).await else {
            return jobs.iter().map(|_| Taking::Unknown).collect();
        };
        jobs.iter()
            .map(|job| match taken.remove(&job.delivery) {
                Some(claim) => {
                    let lease = self.leases.hold(claim.delivery, token, asked_at);
                    Taking::Ours(Box::new((claim, lease)))
                }
                None => Taking::NotOurs,
            })
            .collect()
    }

    /// A worker without Postgres takes nothing on: it would send what it cannot record.
    async fn ask_until_answered(&self, jobs: &[Job], token: Uuid) -> Option<(HashMap<Uuid, Claim>, Instant)> {
        let claimant = Claimant {
            worker: &self.worker,
            token,
            lease: self.leases.lease(),
            invites_give_up_after: self.retries.invites_give_up_after,
            passwords_give_up_after: self.retries.passwords_give_up_after,
        };
        let mut delays = Delays::for_a_near_server();
        loop {
            let asked_at = Instant::now();
            let asked = claim(&self.db, jobs, claimant).await;
            self.works
                .send_if_modified(|works| std::mem::replace(works, asked.is_ok()) != asked.is_ok());
            match asked {
                Ok(claims) => {
                    self.metrics.count_claims(jobs.len(), &claims);
                    claims.suppressed.iter().for_each(outcome::tell_suppressed);
                    let taken = claims.taken.into_iter().map(|claim| (claim.delivery, claim));
                    return Some((taken.collect(), asked_at));
                }
                Err(fault @ StoreError::Refused(_)) => {
                    error!(error = ?fault, count = jobs.len(), "Could not claim deliveries: Postgres refused the statement");
                }
                Err(fault) => warn!(error = ?fault, count = jobs.len(), "Could not claim deliveries; trying again"),
            }
            tokio::select! {
                () = tokio::time::sleep(delays.next_delay()) => {}
                () = self.lifecycle.stopping().cancelled() => return None,
            }
        }
    }
}

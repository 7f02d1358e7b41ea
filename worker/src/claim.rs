//! Claiming deliveries, before anything is done for them.
//!
//! A claim says: this attempt is ours. It is committed before the relay is spoken to, so that
//! whatever happens afterwards is known to have been tried. Deliveries are claimed in groups, with
//! one statement and one lease.

use crate::leases::{Lease, Leases};
use crate::metrics::{HeldDelivery, WorkerMetrics};
use crate::outcome::{self, Retries};
use crate::work::Work;
use shared::job::Job;
use shared::lifecycle::Lifecycle;
use shared::reconnect::Delays;
use shared::store::claims::{Claim, Claimant, claim};
use shared::store::{Db, StoreError};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::watch;
use tracing::{debug, error, warn};
use uuid::Uuid;

/// A delivery that is ours, with the job that asked for it.
pub struct Held {
    /// What it is.
    pub claim: Claim,
    /// For how long it is ours.
    pub lease: Arc<Lease>,
    /// The job.
    pub work: Work,
    _counted: HeldDelivery,
}

/// Claims deliveries for one worker.
pub struct Claims {
    db: Db,
    leases: Arc<Leases>,
    worker: String,
    retries: Retries,
    metrics: Arc<WorkerMetrics>,
    lifecycle: Lifecycle,
    works: watch::Sender<bool>,
}

impl Claims {
    /// Claims for the worker of this name.
    pub fn new(
        lifecycle: &Lifecycle,
        db: Db,
        leases: Arc<Leases>,
        worker: String,
        retries: Retries,
        metrics: Arc<WorkerMetrics>,
    ) -> Self {
        Self {
            db,
            leases,
            worker,
            retries,
            metrics,
            lifecycle: lifecycle.clone(),
            works: watch::Sender::new(true),
        }
    }

    /// Whether claims are answered, and when that changes.
    pub fn works(&self) -> watch::Receiver<bool> {
        self.works.subscribe()
    }

    /// Claims what a group of jobs points at. The jobs that are not for this worker are
    /// acknowledged: another was faster, the batch was paused or stopped, the address is blocked, or
    /// the delivery has ended. When Postgres does not answer until the worker stops, all jobs stay
    /// unacknowledged and go to another worker.
    pub async fn claim(&self, group: Vec<Work>) -> Vec<Held> {
        let jobs: Vec<Job> = group.iter().map(|work| work.job).collect();
        // One for as long as it takes: an answer may be lost whose claims are ours.
        let token = Uuid::new_v4();
        let Some((claims, asked_at)) = self.ask_until_answered(&jobs, token).await else {
            return Vec::new();
        };
        let lease = self.leases.hold(claims.len(), token, asked_at);
        let mut taken: HashMap<Uuid, Claim> = claims.into_iter().map(|claim| (claim.delivery, claim)).collect();
        let mut held = Vec::with_capacity(taken.len());
        for work in group {
            if let Some(claim) = taken.remove(&work.job.delivery) {
                held.push(Held {
                    claim,
                    lease: Arc::clone(&lease),
                    work,
                    _counted: self.metrics.hold_delivery(),
                });
            } else {
                debug!(delivery.id = %work.job.delivery, "Dropped a job that is not for this worker");
                work.acks.done(work.tag);
            }
        }
        held
    }

    /// A worker without Postgres takes nothing on: it would send what it cannot record.
    async fn ask_until_answered(&self, jobs: &[Job], token: Uuid) -> Option<(Vec<Claim>, Instant)> {
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
                    return Some((claims.taken, asked_at));
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

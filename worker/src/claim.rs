//! Claims deliveries before any work is done for them.
//!
//! The claim is committed before the relay is contacted, so every attempt is on record whatever happens
//! afterwards. Deliveries are claimed in groups, with one statement and one lease.

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

/// A claimed delivery with its job.
pub struct ClaimedDelivery {
    /// The claim.
    pub claim: Claim,
    /// The lease that the claim belongs to.
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
    postgres_available: watch::Sender<bool>,
}

impl Claims {
    /// Creates the claims of the worker with this name.
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
            postgres_available: watch::Sender::new(true),
        }
    }

    /// Whether Postgres answers claims, and notifications of changes.
    pub fn postgres_available(&self) -> watch::Receiver<bool> {
        self.postgres_available.subscribe()
    }

    /// Claims the deliveries that a group of jobs points at. Jobs that are not for this worker are
    /// acknowledged: another worker was faster, the batch was paused or stopped, the address is blocked, or
    /// the delivery has ended. If Postgres does not answer before the worker stops, no job is acknowledged,
    /// and all of them go to another worker.
    pub async fn claim(&self, group: Vec<Work>) -> Vec<ClaimedDelivery> {
        let jobs: Vec<Job> = group.iter().map(|work| work.job).collect();
        // The same token for every retry: Postgres may have committed a claim whose answer was lost.
        let token = Uuid::new_v4();
        let Some((claims, requested_at)) = self.claim_until_answered(&jobs, token).await else {
            return Vec::new();
        };
        let lease = self.leases.hold(claims.len(), token, requested_at);
        let mut taken: HashMap<Uuid, Claim> = claims.into_iter().map(|claim| (claim.delivery, claim)).collect();
        let mut held = Vec::with_capacity(taken.len());
        for work in group {
            if let Some(claim) = taken.remove(&work.job.delivery) {
                held.push(ClaimedDelivery {
                    claim,
                    lease: Arc::clone(&lease),
                    work,
                    _counted: self.metrics.hold_delivery(),
                });
            } else {
                debug!(delivery.id = %work.job.delivery, "Dropped a job whose delivery this worker cannot claim");
                work.acks.ack(work.tag);
            }
        }
        held
    }

    /// Retries until Postgres answers. A worker without Postgres claims nothing, because it could not record
    /// what it sends.
    async fn claim_until_answered(&self, jobs: &[Job], token: Uuid) -> Option<(Vec<Claim>, Instant)> {
        let claimant = Claimant {
            worker: &self.worker,
            token,
            lease: self.leases.lease(),
            invites_give_up_after: self.retries.invites_give_up_after,
            passwords_give_up_after: self.retries.passwords_give_up_after,
        };
        let mut delays = Delays::for_a_near_server();
        loop {
            let requested_at = Instant::now();
            let claimed = claim(&self.db, jobs, claimant).await;
            self.postgres_available
                .send_if_modified(|available| std::mem::replace(available, claimed.is_ok()) != claimed.is_ok());
            match claimed {
                Ok(claims) => {
                    self.metrics.count_claims(jobs.len(), &claims);
                    claims.suppressed.iter().for_each(outcome::log_suppressed);
                    return Some((claims.taken, requested_at));
                }
                Err(fault @ StoreError::Refused(_)) => {
                    error!(error = ?fault, count = jobs.len(), "Could not claim deliveries: Postgres refused the statement");
                }
                Err(fault) => warn!(error = ?fault, count = jobs.len(), "Could not claim deliveries; retrying"),
            }
            tokio::select! {
                () = tokio::time::sleep(delays.next_delay()) => {}
                () = self.lifecycle.stopping().cancelled() => return None,
            }
        }
    }
}

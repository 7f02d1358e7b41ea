//! Taking a delivery on, before anything is done for it.
//!
//! A claim says: this attempt is ours. It is committed before the relay is spoken to, together
//! with the attempt's record, so that whatever happens afterwards is known to have been tried.

use crate::group::Group;
use crate::leases::{Lease, Leases};
use crate::metrics::WorkerMetrics;
use shared::batch::Lane;
use shared::job::Job;
use shared::lifecycle::Lifecycle;
use shared::reconnect::Delays;
use shared::store::claims::{Claim, claim};
use shared::store::{Db, StoreError};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;
use tracing::{error, warn};
use uuid::Uuid;

/// A claim with its lease.
pub type Held = (Claim, Arc<Lease>);

/// Takes deliveries on, in groups.
pub struct Claims {
    group: Group<Job, Taking>,
}

/// How a claim went.
pub enum Taking {
    /// It is ours.
    Ours(Box<Held>),
    /// It is not for us, and the job can go: somebody was faster, its batch was paused or stopped,
    /// or it has ended.
    NotOurs,
    /// Postgres did not answer until the worker stopped. The job goes back.
    Unknown,
}

struct Claimer {
    db: Db,
    leases: Arc<Leases>,
    worker: String,
    metrics: Arc<WorkerMetrics>,
    lifecycle: Lifecycle,
}

impl Claims {
    /// Starts taking deliveries on for the worker of this name.
    pub fn start(
        lifecycle: &Lifecycle,
        db: Db,
        leases: Arc<Leases>,
        worker: String,
        metrics: Arc<WorkerMetrics>,
    ) -> Self {
        let claimer = Arc::new(Claimer {
            db,
            leases,
            worker,
            metrics,
            lifecycle: lifecycle.clone(),
        });
        let group = Group::start(lifecycle, move |jobs| {
            let claimer = Arc::clone(&claimer);
            async move { claimer.take(jobs).await }
        });
        Self { group }
    }

    /// Takes on what a job points at.
    pub async fn take(&self, job: Job, lane: Lane) -> Taking {
        self.group.ask(job, lane).await.unwrap_or(Taking::Unknown)
    }
}

impl Claimer {
    async fn take(&self, jobs: Vec<Job>) -> Vec<Taking> {
        let Some((mut taken, asked_at)) = self.ask_until_answered(&jobs).await else {
            return jobs.iter().map(|_| Taking::Unknown).collect();
        };
        jobs.iter()
            .map(|job| match taken.remove(&job.delivery) {
                Some((claim, token)) => {
                    let lease = self.leases.hold(claim.delivery, token, asked_at);
                    Taking::Ours(Box::new((claim, lease)))
                }
                None => Taking::NotOurs,
            })
            .collect()
    }

    /// A worker without Postgres takes nothing on: it would send what it cannot record.
    async fn ask_until_answered(&self, jobs: &[Job]) -> Option<(HashMap<Uuid, (Claim, Uuid)>, Instant)> {
        let mut delays = Delays::for_a_near_server();
        loop {
            let (token, asked_at) = (Uuid::new_v4(), Instant::now());
            match claim(&self.db, jobs, token, self.leases.lease(), &self.worker).await {
                Ok(claims) => {
                    self.metrics
                        .count_claims(jobs.len(), claims.taken.len(), claims.orphaned);
                    let taken = claims.taken.into_iter().map(|claim| (claim.delivery, (claim, token)));
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

//! Republishes jobs that the broker has dropped, or that an unreachable worker holds.
//!
//! RabbitMQ 4 drops a job after twenty deliveries, which happens when workers repeatedly die with the same
//! jobs, and so does RabbitMQ 3 with a matching policy. It notifies no process. An unreachable worker keeps
//! its jobs until RabbitMQ misses its heartbeats. But once a queue is empty, every job published before is
//! either at a worker or lost, and a worker claims or gives back its jobs within seconds.

use crate::fault::Fault;
use crate::metrics::DispatcherMetrics;
use crate::publisher::QUEUE_LEASE;
use shared::batch::Lane;
use shared::queue::{QueueDepth, QueueError, queue_of};
use shared::store::dispatcher_lease::DispatcherLease;
use shared::store::{Db, StoreResult, sweeps};
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tracing::warn;

/// How often to check.
const PACE: Duration = Duration::from_secs(2);

/// Time after which a job is lost if it is still unclaimed since its queue was empty. A worker gives back
/// jobs without room after two seconds, and jobs that it cannot process within five.
const LOST_AFTER: Duration = Duration::from_secs(8);

/// When a lane's queue was found empty.
#[derive(Clone, Copy)]
struct EmptyQueue {
    /// By the clock of Postgres, for comparison with rows.
    at: OffsetDateTime,
    seen: Instant,
}

/// Checks for lost jobs for as long as the lease lasts.
pub(super) struct LostJobs {
    pub(super) db: Db,
    pub(super) lease: DispatcherLease,
    pub(super) depth: QueueDepth,
    pub(super) metrics: Arc<DispatcherMetrics>,
}

impl LostJobs {
    /// Checks until dropped.
    ///
    /// # Errors
    ///
    /// The broker does not answer. The session is over.
    pub(super) async fn run(self) -> Result<(), QueueError> {
        let mut emptied: [Option<EmptyQueue>; 2] = [None; 2];
        let mut pace = interval(PACE);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            pace.tick().await;
            for (lane, emptied) in Lane::ALL.into_iter().zip(&mut emptied) {
                match self.check(lane, emptied).await {
                    Ok(()) => {}
                    // A lane whose queue has no leader must not end the other lane's session.
                    Err(Fault::Queue(fault @ QueueError::Unanswered { .. })) => {
                        warn!(error = %fault, "Could not look for lost jobs; retrying");
                    }
                    Err(Fault::Queue(fault)) => return Err(fault),
                    Err(Fault::Store(fault)) => {
                        warn!(error = %fault, cause = %fault.cause(), "Could not look for lost jobs; retrying");
                    }
                }
            }
        }
    }

    async fn check(&self, lane: Lane, emptied: &mut Option<EmptyQueue>) -> Result<(), Fault> {
        if let Some(before) = *emptied {
            if before.seen.elapsed() < LOST_AFTER {
                return Ok(());
            }
            *emptied = None;
            self.publish_again(lane, before.at).await?;
        }
        let Some(now) = sweeps::time_if_unclaimed(&self.db, lane).await? else {
            return Ok(());
        };
        if self.depth.of(lane).await? == 0 {
            *emptied = Some(EmptyQueue {
                at: now,
                seen: Instant::now(),
            });
        }
        Ok(())
    }

    async fn publish_again(&self, lane: Lane, published_before: OffsetDateTime) -> StoreResult<()> {
        let lost = sweeps::requeue_unclaimed(&self.db, self.lease, lane, published_before, QUEUE_LEASE).await?;
        if lost > 0 {
            self.metrics.sweeps.with_label_values(&["lost_in_queue"]).inc_by(lost);
            warn!(
                deliveries = lost,
                queue = queue_of(lane),
                "Jobs left their queue and no worker claimed them: workers died with them, or are cut off, or RabbitMQ \
                 dropped them after too many deliveries; publishing them again"
            );
        }
        Ok(())
    }
}

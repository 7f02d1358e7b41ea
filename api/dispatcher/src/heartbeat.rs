//! Reports to pages and probes that dispatching makes progress.
//!
//! There are two signals: a row that records completed rounds, and a heartbeat message that takes the same
//! path as the jobs and is recorded by the worker that receives it. Sending needs neither.

use crate::metrics::DispatcherMetrics;
use shared::batch::Lane;
use shared::metrics::set_heartbeat;
use shared::queue::{HEARTBEAT_INTERVAL, HeartbeatPublisher};
use shared::store::{Db, workers};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;
use tracing::warn;

/// How often completed rounds are recorded. Pages report them missing after
/// [`shared::store::stall::SILENCE`].
const RECORD_INTERVAL: Duration = Duration::from_secs(5);

/// Lanes that have completed a round since the last report.
#[derive(Default)]
pub(super) struct Rounds {
    interactive: AtomicBool,
    bulk: AtomicBool,
    both: Notify,
}

impl Rounds {
    /// Records that a lane completed a round without refusals by the broker.
    pub(super) fn completed(&self, lane: Lane) {
        let (own, other) = match lane {
            Lane::Interactive => (&self.interactive, &self.bulk),
            Lane::Bulk => (&self.bulk, &self.interactive),
        };
        let was_first = !own.swap(true, Ordering::AcqRel);
        if was_first && other.load(Ordering::Acquire) {
            self.both.notify_one();
        }
    }

    /// Resolves once both lanes have completed a round since it last resolved.
    async fn both_completed(&self) {
        self.both.notified().await;
        self.interactive.store(false, Ordering::Release);
        self.bulk.store(false, Ordering::Release);
    }
}

/// Sends both signals.
pub(super) struct Heartbeat {
    pub(super) db: Db,
    pub(super) publisher: HeartbeatPublisher,
    pub(super) rounds: Arc<Rounds>,
    pub(super) metrics: Arc<DispatcherMetrics>,
}

impl Heartbeat {
    /// Sends both signals until dropped.
    pub(super) async fn run(self) {
        let mut published_at: Option<Instant> = None;
        loop {
            self.rounds.both_completed().await;
            if let Err(fault) = workers::dispatched(&self.db).await {
                warn!(error = %fault, cause = %fault.cause(), "Could not record that the dispatcher is running");
            }
            if published_at.is_none_or(|at| at.elapsed() > HEARTBEAT_INTERVAL) {
                published_at = Some(Instant::now());
                self.publish();
            }
            tokio::time::sleep(RECORD_INTERVAL).await;
        }
    }

    /// Publishes a heartbeat in the background. A failure is logged and affects nothing else.
    fn publish(&self) {
        let (publisher, metrics) = (self.publisher.clone(), Arc::clone(&self.metrics));
        tokio::spawn(async move {
            match publisher.publish().await {
                Ok(()) => set_heartbeat(&metrics.heartbeats, "published"),
                Err(fault) => warn!(error = %fault, "A heartbeat was not confirmed"),
            }
        });
    }
}

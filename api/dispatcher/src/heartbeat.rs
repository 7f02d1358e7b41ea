//! Tells pages and probes that dispatching makes progress.
//!
//! Two signals: a row that says that rounds come to an end, and a message that goes the way of the
//! jobs and is recorded by whichever worker gets it. Neither is needed for sending.

use crate::metrics::DispatcherMetrics;
use shared::batch::Lane;
use shared::metrics::note_beat;
use shared::queue::{BEAT, Heart};
use shared::store::{Db, workers};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;
use tracing::warn;

/// How often to say that rounds come to an end. Pages miss it after
/// [`shared::store::stall::SILENCE`].
const SAY_EVERY: Duration = Duration::from_secs(5);

/// Which lanes have completed a round since that was last asked.
#[derive(Default)]
pub(super) struct Rounds {
    interactive: AtomicBool,
    bulk: AtomicBool,
    both: Notify,
}

impl Rounds {
    /// A lane has come to the end of a round, and the broker refused nothing.
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

    /// Resolves once both lanes have, since this last resolved.
    async fn both_completed(&self) {
        self.both.notified().await;
        self.interactive.store(false, Ordering::Release);
        self.bulk.store(false, Ordering::Release);
    }
}

/// Sends both signals.
pub(super) struct Heartbeat {
    pub(super) db: Db,
    pub(super) publisher: Heart,
    pub(super) rounds: Arc<Rounds>,
    pub(super) metrics: Arc<DispatcherMetrics>,
}

impl Heartbeat {
    /// Sends them until dropped.
    pub(super) async fn run(self) {
        let mut beat_at: Option<Instant> = None;
        loop {
            self.rounds.both_completed().await;
            if let Err(fault) = workers::dispatched(&self.db).await {
                warn!(error = %fault, cause = %fault.cause(), "Could not record that jobs are published");
            }
            if beat_at.is_none_or(|at| at.elapsed() > BEAT) {
                beat_at = Some(Instant::now());
                self.beat();
            }
            tokio::time::sleep(SAY_EVERY).await;
        }
    }

    /// Nothing waits for it: a message that stays away is logged, and harms nothing else.
    fn beat(&self) {
        let (publisher, metrics) = (self.publisher.clone(), Arc::clone(&self.metrics));
        tokio::spawn(async move {
            match publisher.beat().await {
                Ok(()) => note_beat(&metrics.beats, "published"),
                Err(fault) => warn!(error = %fault, "A heartbeat was not confirmed"),
            }
        });
    }
}

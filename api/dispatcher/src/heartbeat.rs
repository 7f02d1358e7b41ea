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
}

impl Rounds {
    /// A lane has come to the end of a round, and the broker refused nothing.
    pub(super) fn completed(&self, lane: Lane) {
        self.of(lane).store(true, Ordering::Relaxed);
    }

    const fn of(&self, lane: Lane) -> &AtomicBool {
        match lane {
            Lane::Interactive => &self.interactive,
            Lane::Bulk => &self.bulk,
        }
    }

    /// Whether both lanes have, since this was last true.
    fn take(&self) -> bool {
        let both = Lane::ALL.iter().all(|lane| self.of(*lane).load(Ordering::Relaxed));
        if both {
            for lane in Lane::ALL {
                self.of(lane).store(false, Ordering::Relaxed);
            }
        }
        both
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
        let (mut said_at, mut beat_at): (Option<Instant>, Option<Instant>) = (None, None);
        let mut pace = tokio::time::interval(Duration::from_millis(500));
        loop {
            pace.tick().await;
            let is_due = said_at.is_none_or(|at| at.elapsed() > SAY_EVERY);
            if !is_due || !self.rounds.take() {
                continue;
            }
            match workers::dispatched(&self.db).await {
                Ok(()) => said_at = Some(Instant::now()),
                Err(fault) => warn!(error = %fault, cause = %fault.cause(), "Could not record that jobs are published"),
            }
            if beat_at.is_none_or(|at| at.elapsed() > BEAT) {
                beat_at = Some(Instant::now());
                self.beat();
            }
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

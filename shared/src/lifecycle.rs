//! Shutdown in two stages.
//!
//! The first signal stops gracefully: no new work is accepted, running work is completed, and the rest is
//! given back. A second signal, or a deadline, ends the process at once. Tasks that must complete are
//! tracked.
//!
//! One deadline covers everything that a stop waits for, counted from the first signal. A supervisor that
//! waits longer than that before killing the process sees an orderly exit.

use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

/// Time allowed after the deadline of a stop, to send and record the last results.
pub const LAST_WORDS: Duration = Duration::from_secs(6);

/// Whether the process should continue, shared by all its tasks.
#[derive(Clone, Default)]
pub struct Lifecycle {
    stopping: CancellationToken,
    ending: CancellationToken,
    tracker: TaskTracker,
    stop_began: Arc<OnceLock<Instant>>,
}

impl Lifecycle {
    /// The lifecycle of a process that has started.
    pub fn new() -> Self {
        Self::default()
    }

    /// Cancelled when the process should accept no more work.
    pub fn stopping(&self) -> &CancellationToken {
        &self.stopping
    }

    /// Cancelled when the process should exit at once.
    pub fn ending(&self) -> &CancellationToken {
        &self.ending
    }

    /// Whether a stop has been requested.
    pub fn is_stopping(&self) -> bool {
        self.stopping.is_cancelled()
    }

    /// Waits for `time`, or until a stop is requested.
    pub async fn pause(&self, time: Duration) {
        tokio::select! {
            () = tokio::time::sleep(time) => {}
            () = self.stopping.cancelled() => {}
        }
    }

    /// Spawns a task that a graceful stop waits for.
    pub fn spawn<T, F>(&self, task: F) -> tokio::task::JoinHandle<T>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        self.tracker.spawn(task)
    }

    /// Maps SIGTERM and SIGINT to the two stages.
    ///
    /// # Errors
    ///
    /// The system does not allow listening to signals.
    pub fn listen_to_signals(&self) -> std::io::Result<()> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let this = self.clone();
        tokio::spawn(async move {
            let mut next = async || {
                tokio::select! {
                    _ = terminate.recv() => "SIGTERM",
                    _ = interrupt.recv() => "SIGINT",
                }
            };
            let name = next().await;
            info!("Stopping after {name}: completing work in progress; a second signal ends immediately");
            this.stop_deadline(Duration::ZERO);
            this.stopping.cancel();
            let name = next().await;
            warn!("Ending immediately after a second signal, {name}");
            this.ending.cancel();
        });
        Ok(())
    }

    /// The deadline of a stop that may take `grace`. The first call sets when the stop began.
    fn stop_deadline(&self, grace: Duration) -> Instant {
        *self.stop_began.get_or_init(Instant::now) + grace
    }

    /// Cancels [`ending`](Self::ending) if a stop takes longer than `grace`.
    pub fn limit_stop(&self, grace: Duration) {
        let this = self.clone();
        tokio::spawn(async move {
            this.stopping.cancelled().await;
            sleep_until(this.stop_deadline(grace)).await;
            this.ending.cancel();
        });
    }

    /// Waits for the tracked tasks, at most until `grace` has passed since the stop began, and returns
    /// whether all of them finished. Without an earlier signal, the stop begins now.
    pub async fn finished(&self, grace: Duration) -> bool {
        self.stopping.cancel();
        self.tracker.close();
        let finished = tokio::select! {
            () = self.tracker.wait() => true,
            () = self.ending.cancelled() => false,
            () = sleep_until(self.stop_deadline(grace)) => false,
        };
        self.ending.cancel();
        if !finished {
            warn!(unfinished = self.tracker.len(), "Stopped before all work was complete");
        }
        finished
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn everything_that_a_stop_waits_for_shares_one_deadline() {
        let lifecycle = Lifecycle::new();
        let grace = Duration::from_secs(30);
        lifecycle.limit_stop(grace);
        lifecycle.spawn(std::future::pending::<()>());
        let began = Instant::now();

        lifecycle.stopping().cancel();
        // The deadline passes while requests are unfinished.
        lifecycle.ending().cancelled().await;
        // Unfinished tasks get no further time.
        let finished = lifecycle.finished(grace).await;

        assert!(!finished);
        assert_eq!(began.elapsed(), grace);
    }

    #[tokio::test(start_paused = true)]
    async fn a_part_of_a_stop_that_begins_late_has_less_time() {
        let lifecycle = Lifecycle::new();
        let grace = Duration::from_secs(30);
        lifecycle.limit_stop(grace);
        lifecycle.spawn(std::future::pending::<()>());
        let began = Instant::now();

        lifecycle.stopping().cancel();
        tokio::time::sleep(Duration::from_secs(20)).await;
        lifecycle.finished(grace).await;

        assert_eq!(began.elapsed(), grace);
    }
}

//! Stopping in two steps.
//!
//! The first signal asks: take nothing on, finish what has begun, give the rest back. The second,
//! or a deadline, ends at once. Tasks that must finish are tracked, so that "finished" is known
//! and not guessed.

use std::future::Future;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

/// A process's wish to go on, shared by all its tasks.
#[derive(Clone, Default)]
pub struct Lifecycle {
    stopping: CancellationToken,
    ending: CancellationToken,
    tracker: TaskTracker,
}

impl Lifecycle {
    /// A process that has begun.
    pub fn new() -> Self {
        Self::default()
    }

    /// Cancelled when the process should take nothing more on.
    pub fn stopping(&self) -> &CancellationToken {
        &self.stopping
    }

    /// Cancelled when the process should leave at once.
    pub fn ending(&self) -> &CancellationToken {
        &self.ending
    }

    /// Whether the first signal came.
    pub fn is_stopping(&self) -> bool {
        self.stopping.is_cancelled()
    }

    /// Waits for so long, or until the first signal comes.
    pub async fn pause(&self, time: Duration) {
        tokio::select! {
            () = tokio::time::sleep(time) => {}
            () = self.stopping.cancelled() => {}
        }
    }

    /// Starts a task that an orderly stop waits for.
    pub fn spawn<T, F>(&self, task: F) -> tokio::task::JoinHandle<T>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        self.tracker.spawn(task)
    }

    /// Turns SIGTERM and SIGINT into the two steps.
    ///
    /// # Errors
    ///
    /// When the system lets us listen to no signals.
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
            info!("Stopping after {name}: finishing what has begun; a second signal ends at once");
            this.stopping.cancel();
            let name = next().await;
            warn!("Ending at once after a second signal, {name}");
            this.ending.cancel();
        });
        Ok(())
    }

    /// Waits for the tracked tasks, at most for `grace`, and tells whether all of them finished.
    pub async fn finished(&self, grace: Duration) -> bool {
        self.stopping.cancel();
        self.tracker.close();
        let finished = tokio::select! {
            () = self.tracker.wait() => true,
            () = self.ending.cancelled() => false,
            () = tokio::time::sleep(grace) => false,
        };
        self.ending.cancel();
        if !finished {
            warn!(
                unfinished = self.tracker.len(),
                "Stopped before everything was finished"
            );
        }
        finished
    }
}

//! Ctrl-C: once to shut down in order, twice to exit immediately.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::fault::{Fault, Result};

/// The exit code that a shell expects of an interrupted program: 128 and the signal's number.
pub(crate) const INTERRUPTED: u8 = 130;

/// Whether the demo has been asked to stop.
#[derive(Clone, Debug)]
pub(crate) struct Stop(CancellationToken);

impl Stop {
    /// Starts listening for Ctrl-C, SIGTERM and a closed terminal.
    pub(crate) fn listen() -> Result<Self> {
        let deaf = |fault| {
            Fault::new(
                format!("the system lets it listen for no signals ({fault})"),
                "try again on a machine with less load",
            )
        };
        let mut interrupt = signal(SignalKind::interrupt()).map_err(deaf)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(deaf)?;
        let mut hang_up = signal(SignalKind::hangup()).map_err(deaf)?;
        let token = CancellationToken::new();
        let asked = token.clone();
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                    _ = hang_up.recv() => {}
                }
                if asked.is_cancelled() {
                    // The supervisors of servers and programs notice that this process ends, and clean up.
                    std::process::exit(INTERRUPTED.into());
                }
                asked.cancel();
            }
        });
        Ok(Self(token))
    }

    /// Waits for a stop request.
    pub(crate) async fn asked(&self) {
        self.0.cancelled().await;
    }

    /// Runs some work unless a stop is requested before it is done.
    pub(crate) async fn or<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            () = self.asked() => Err(Fault::Stopped),
            done = work => done,
        }
    }
}

//! The SMTP dialogue of one connection: commands and replies, each step within its deadline.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Instant;

use lettre::transport::smtp::extension::ClientId;
use rustls::ClientConfig;
use tokio::time::timeout_at;

use super::metrics::SmtpMetrics;
use super::phase::Phase;
use super::relay::RelayUrl;
use super::reply::{Reply, ReplyError, ReplyResult};
use super::settings::Deadlines;
use super::stream::RelayStream;
use super::verdict::Answer;

/// What all connections of a mailer share.
#[derive(Debug)]
pub(super) struct Terms {
    pub(super) relay: RelayUrl,
    /// `None` if the URL does not request TLS.
    pub(super) tls: Option<Arc<ClientConfig>>,
    pub(super) hello: ClientId,
    pub(super) deadlines: Deadlines,
    pub(super) metrics: SmtpMetrics,
    /// Number of connections opened so far.
    pub(super) opened: AtomicU64,
}

/// Commands and replies, each step within its deadline.
pub(super) struct Dialogue {
    pub(super) stream: RelayStream,
    pub(super) terms: Arc<Terms>,
}

impl Dialogue {
    /// Sends one or more commands and reads the first reply.
    pub(super) async fn exchange(&mut self, phase: Phase, commands: &str, ends: Instant) -> ReplyResult {
        let started = Instant::now();
        let end = ends.min(started + self.terms.deadlines.of(phase));
        let stream = &mut self.stream;
        let exchange = async {
            let written = stream.write_command(commands.as_bytes()).await;
            match (stream.read_reply().await, written) {
                // A relay that closes the connection often sends the reason first.
                (Err(_), Err(fault)) => Err(ReplyError::Broken(fault.to_string())),
                (received, _) => received,
            }
        };
        let received = timeout_at(end.into(), exchange)
            .await
            .unwrap_or(Err(ReplyError::TimedOut));
        self.observe_reply(phase, started, &received);
        received
    }

    /// Reads one more reply to commands sent earlier.
    pub(super) async fn receive(&mut self, phase: Phase, ends: Instant) -> ReplyResult {
        let started = Instant::now();
        let end = ends.min(started + self.terms.deadlines.of(phase));
        let received = timeout_at(end.into(), self.stream.read_reply()).await;
        let received = received.unwrap_or(Err(ReplyError::TimedOut));
        self.observe_reply(phase, started, &received);
        received
    }

    pub(super) fn observe_reply(&self, phase: Phase, started: Instant, received: &ReplyResult) {
        self.terms.metrics.observe(phase, started.elapsed());
        self.terms.metrics.count_reply(received);
    }
}

/// Returns the reply if the command succeeded, and otherwise what the failure means.
pub(super) fn expect(phase: Phase, received: ReplyResult) -> Result<Reply, Answer> {
    match received {
        Ok(reply) if reply.is_completion() => Ok(reply),
        Ok(reply) => Err(Answer::from_reply(phase, &reply)),
        Err(lost) => Err(Answer::from_reply_error(phase, &lost)),
    }
}

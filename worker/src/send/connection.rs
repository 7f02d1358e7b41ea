//! One connection to the relay: opening it, and the SMTP dialogue.
//!
//! Each step has a deadline. A step that misses it, is cancelled or reads something unexpected marks the
//! connection as unclean. It is then closed, so a late reply is never taken for the next mail's.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use lettre::transport::smtp::extension::ClientId;
use rustls::ClientConfig;
use tokio::time::{timeout, timeout_at};

use super::auth;
use super::capabilities::Capabilities;
use super::connect::{connect, encrypt};
use super::metrics::SmtpMetrics;
use super::phase::Phase;
use super::relay::{RelayUrl, Security};
use super::reply::{Lost, Reply, ReplyResult};
use super::settings::Deadlines;
use super::stream::RelayStream;
use super::verdict::Answer;

/// Timeout for the reply to QUIT. Short, because the connection counts towards the limit until then.
const QUIT_TAKES: Duration = Duration::from_secs(2);

/// What all connections of a mailer share.
#[derive(Debug)]
pub(super) struct Terms {
    pub(super) relay: RelayUrl,
    /// `None` if the URL does not ask for TLS.
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

/// A connection that is greeted, encrypted as the URL requires, and authenticated.
pub(super) struct Connection {
    pub(super) dialogue: Dialogue,
    pub(super) capabilities: Capabilities,
    /// Set only by a complete and valid exchange. An interrupted one leaves it unset.
    pub(super) is_clean: bool,
    /// The relay still holds the envelope of a refused mail.
    pub(super) needs_reset: bool,
    /// Number of mails offered on it.
    pub(super) mails: u64,
    opened_at: Instant,
    /// Number of this connection, counted per mailer.
    number: u64,
}

impl Dialogue {
    /// Sends one or more commands and reads the first reply.
    pub(super) async fn ask(&mut self, phase: Phase, commands: &str, ends: Instant) -> ReplyResult {
        let started = Instant::now();
        let end = ends.min(started + self.terms.deadlines.of(phase));
        let stream = &mut self.stream;
        let exchange = async {
            let written = stream.write_command(commands.as_bytes()).await;
            match (stream.read_reply().await, written) {
                // A relay that closes the connection often sends the reason first.
                (Err(_), Err(fault)) => Err(Lost::Broken(fault.to_string())),
                (received, _) => received,
            }
        };
        let received = timeout_at(end.into(), exchange).await.unwrap_or(Err(Lost::TimedOut));
        self.note(phase, started, &received);
        received
    }

    /// Reads one more reply to commands sent earlier.
    pub(super) async fn receive(&mut self, phase: Phase, ends: Instant) -> ReplyResult {
        let started = Instant::now();
        let end = ends.min(started + self.terms.deadlines.of(phase));
        let received = timeout_at(end.into(), self.stream.read_reply()).await;
        let received = received.unwrap_or(Err(Lost::TimedOut));
        self.note(phase, started, &received);
        received
    }

    pub(super) fn note(&self, phase: Phase, started: Instant, received: &ReplyResult) {
        self.terms.metrics.took(phase, started.elapsed());
        self.terms.metrics.count_reply(received);
    }

    async fn send_ehlo(&mut self, ends: Instant) -> Result<Capabilities, Answer> {
        let hello = format!("EHLO {}\r\n", self.terms.hello);
        let reply = expect(Phase::Ehlo, self.ask(Phase::Ehlo, &hello, ends).await)?;
        Ok(Capabilities::from_ehlo(&reply))
    }
}

impl Connection {
    /// Opens a connection and prepares it for mails.
    ///
    /// # Errors
    ///
    /// The answer is always [`RelayTrouble`](super::Verdict::RelayTrouble): no mail was offered.
    pub(super) async fn open(terms: &Arc<Terms>) -> Result<Self, Answer> {
        let ends = Instant::now() + terms.deadlines.attempt;
        let opened = Self::open_by_steps(terms, ends).await;
        terms.metrics.connected(opened.as_ref().err().and_then(Answer::class));
        opened
    }

    async fn open_by_steps(terms: &Arc<Terms>, ends: Instant) -> Result<Self, Answer> {
        let mut dialogue = Dialogue {
            stream: connect(terms, ends).await?,
            terms: Arc::clone(terms),
        };
        expect(Phase::Greeting, dialogue.receive(Phase::Greeting, ends).await)?;
        let mut capabilities = dialogue.send_ehlo(ends).await?;
        if terms.relay.security() == Security::StartTls {
            dialogue = start_tls(dialogue, &capabilities, ends).await?;
            // Capabilities received before TLS must be discarded (RFC 3207, 4.2).
            capabilities = dialogue.send_ehlo(ends).await?;
        }
        if let Some(login) = terms.relay.login() {
            auth::log_in(&mut dialogue, login, capabilities.mechanism_for(login), ends).await?;
        }
        Ok(Self {
            dialogue,
            capabilities,
            is_clean: true,
            needs_reset: false,
            mails: 0,
            opened_at: Instant::now(),
            number: terms.opened.fetch_add(1, Ordering::Relaxed),
        })
    }

    /// Whether another mail may be sent on it.
    pub(super) fn is_usable(&mut self) -> bool {
        self.is_clean && self.dialogue.stream.is_quiet()
    }

    /// How much longer it may be used, given a maximum lifetime of `limit`.
    pub(super) fn time_left(&self, limit: Duration) -> Duration {
        lifetime(limit, self.number).saturating_sub(self.opened_at.elapsed())
    }

    /// Closes it as RFC 5321, 4.1.1.10 requires. It counts as open at the relay until this ends.
    pub(super) async fn quit(mut self) {
        if !self.is_clean {
            return;
        }
        let stream = &mut self.dialogue.stream;
        let goodbye = async {
            if stream.write_command(b"QUIT\r\n").await.is_ok() {
                let _ = stream.read_reply().await;
            }
        };
        let _ = timeout(QUIT_TAKES, goodbye).await;
    }
}

async fn start_tls(mut dialogue: Dialogue, capabilities: &Capabilities, ends: Instant) -> Result<Dialogue, Answer> {
    let phase = Phase::StartTls;
    if !capabilities.starttls {
        let text = "the relay does not offer STARTTLS, which SMTP_URL requires; no mail and no password was sent";
        return Err(Answer::from_lost(phase, &Lost::NotPrivate(text.to_owned())));
    }
    expect(phase, dialogue.ask(phase, "STARTTLS\r\n", ends).await)?;
    let Dialogue { stream, terms } = dialogue;
    let stream = encrypt(&terms, stream, phase, ends).await?;
    Ok(Dialogue { stream, terms })
}

/// Returns the reply if the command succeeded, and otherwise what the failure means.
pub(super) fn expect(phase: Phase, received: ReplyResult) -> Result<Reply, Answer> {
    match received {
        Ok(reply) if reply.is_completion() => Ok(reply),
        Ok(reply) => Err(Answer::from_reply(phase, &reply)),
        Err(lost) => Err(Answer::from_lost(phase, &lost)),
    }
}

/// Lifetime of the connection with this number: between two thirds of the limit and all of it, so that
/// connections opened together do not end together. Multiples of the golden ratio modulo one are evenly
/// spread for any count.
fn lifetime(limit: Duration, number: u64) -> Duration {
    let spread = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    let spread = f64::from(u32::try_from(spread).unwrap_or(u32::MAX)) / f64::from(u32::MAX);
    limit.mul_f64(1.0 - spread / 3.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_opened_together_do_not_end_together() {
        let limit = Duration::from_mins(5);
        for first in [0, 7, 1000] {
            let mut ends: Vec<_> = (first..first + 20).map(|number| lifetime(limit, number)).collect();
            ends.sort();
            assert!(ends[0] >= limit * 2 / 3 && ends[19] <= limit, "{ends:?}");
            let apart = |pair: &[Duration]| pair[1].saturating_sub(pair[0]);
            let closest = ends.windows(2).map(apart).min().unwrap();
            assert!(closest >= Duration::from_millis(1500), "{closest:?} in {ends:?}");
        }
    }
}

//! One connection to the relay, from opening it to QUIT.
//!
//! Each step has a deadline. A step that misses it, is cancelled or reads something unexpected marks the
//! connection as unclean. It is then closed, so a late reply is never taken for the next mail's.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::time::timeout;

use super::auth;
use super::capabilities::Capabilities;
use super::connect::{connect, encrypt};
use super::dialogue::{Dialogue, Terms, expect};
use super::phase::Phase;
use super::relay::Security;
use super::reply::ReplyError;
use super::verdict::Answer;

/// Timeout for the reply to QUIT. Short, because the connection counts towards the limit until then.
const QUIT_TIMEOUT: Duration = Duration::from_secs(2);

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
    pub(super) number: u64,
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
        let mut capabilities = send_ehlo(&mut dialogue, ends).await?;
        if terms.relay.security() == Security::StartTls {
            dialogue = start_tls(dialogue, &capabilities, ends).await?;
            // Capabilities received before TLS must be discarded (RFC 3207, 4.2).
            capabilities = send_ehlo(&mut dialogue, ends).await?;
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
        let _ = timeout(QUIT_TIMEOUT, goodbye).await;
    }
}

async fn send_ehlo(dialogue: &mut Dialogue, ends: Instant) -> Result<Capabilities, Answer> {
    let hello = format!("EHLO {}\r\n", dialogue.terms.hello);
    let reply = expect(Phase::Ehlo, dialogue.exchange(Phase::Ehlo, &hello, ends).await)?;
    Ok(Capabilities::from_ehlo(&reply))
}

async fn start_tls(mut dialogue: Dialogue, capabilities: &Capabilities, ends: Instant) -> Result<Dialogue, Answer> {
    let phase = Phase::StartTls;
    if !capabilities.starttls {
        let text = "the relay does not offer STARTTLS, which SMTP_URL requires; no mail and no password was sent";
        return Err(Answer::from_reply_error(
            phase,
            &ReplyError::NotPrivate(text.to_owned()),
        ));
    }
    expect(phase, dialogue.exchange(phase, "STARTTLS\r\n", ends).await)?;
    let Dialogue { stream, terms } = dialogue;
    let stream = encrypt(&terms, stream, phase, ends).await?;
    Ok(Dialogue { stream, terms })
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

//! How a reply is sent: at once and in order, or in one of the abnormal ways that clients must survive.

use std::borrow::Cow;
use std::io;
use std::time::Duration;

use super::ledger::Outcome;
use super::script::{Behaviour, HangUp, Step};
use super::session::{Flow, Session};

/// Length of an overlong line; clients must limit what they read.
const LONG_LINE: usize = 64 * 1024;

/// How one reply is sent.
pub(super) enum ReplyMode {
    /// These bytes, with the next write.
    Reply(Cow<'static, str>),
    /// The usual reply after this time.
    Slow(Duration),
    /// No reply; the connection stays open.
    Silence,
    /// A multi-line reply that never ends.
    Endless,
    /// One line of 64 KiB.
    LongLine,
    /// The usual reply, one byte a second.
    Trickle,
    /// No reply; the connection is closed.
    HangUp {
        /// Whether the mail was accepted nevertheless.
        kept: bool,
    },
}

impl ReplyMode {
    /// The mode that this behaviour implies at this step.
    pub(super) fn of(behaviour: &Behaviour, step: Step) -> Self {
        match behaviour {
            Behaviour::Answer { at, reply } if *at == step => Self::Reply(reply.clone()),
            Behaviour::Silence { at } if *at == step => Self::Silence,
            Behaviour::Endless { at } if *at == step => Self::Endless,
            Behaviour::LongLine { at } if *at == step => Self::LongLine,
            Behaviour::Trickle { at } if *at == step => Self::Trickle,
            Behaviour::Slow { at, wait } if *at == step => Self::Slow(*wait),
            Behaviour::SlowDot(wait) if step == Step::Dot => Self::Slow(*wait),
            Behaviour::HangUp(HangUp::BeforeData) if step == Step::Data => Self::HangUp { kept: false },
            Behaviour::HangUp(HangUp::AfterDotLost) if step == Step::Dot => Self::HangUp { kept: false },
            Behaviour::HangUp(HangUp::AfterDotKept) if step == Step::Dot => Self::HangUp { kept: true },
            _ => Self::Reply(Cow::Borrowed(usual(step))),
        }
    }

    /// Whether the client eventually gets a positive reply.
    pub(super) fn is_positive(&self) -> bool {
        match self {
            Self::Reply(reply) => reply.starts_with(['2', '3']),
            Self::Slow(_) | Self::LongLine | Self::Trickle => true,
            Self::Silence | Self::Endless | Self::HangUp { .. } => false,
        }
    }

    /// The reply as recorded in the ledger.
    pub(super) fn reply(&self, step: Step) -> Cow<'static, str> {
        match self {
            Self::Reply(reply) => match reply {
                Cow::Borrowed(reply) => Cow::Borrowed(reply.trim_end()),
                Cow::Owned(reply) => Cow::Owned(reply.trim_end().to_owned()),
            },
            Self::Slow(_) | Self::LongLine | Self::Trickle => Cow::Borrowed(usual(step)),
            Self::Silence | Self::Endless | Self::HangUp { .. } => Cow::Borrowed(""),
        }
    }
}

impl Session {
    /// Sends the reply in its mode. The outcome is recorded once it is sent or has failed.
    pub(super) async fn answer(&mut self, mode: ReplyMode, step: Step, outcome: Option<Outcome>) -> io::Result<Flow> {
        if let ReplyMode::Reply(reply) = mode {
            self.wire.output.extend_from_slice(reply.as_bytes());
            if !reply.ends_with('\n') {
                self.wire.output.extend_from_slice(b"\r\n");
            }
            self.untold.extend(outcome);
            return Ok(if reply.starts_with("421") {
                Flow::Close
            } else {
                Flow::Go
            });
        }
        // Earlier replies are already decided; only this mail's reply is in question.
        self.flush().await?;
        self.untold.extend(outcome);
        match mode {
            ReplyMode::HangUp { .. } | ReplyMode::Reply(_) => return Ok(Flow::Close),
            ReplyMode::Silence => {
                self.wire.wait_for_end().await;
                return Ok(Flow::Close);
            }
            ReplyMode::Endless => return self.talk_without_end(step).await,
            ReplyMode::Slow(wait) => {
                self.wait(wait).await?;
                self.send_line(usual(step));
            }
            ReplyMode::LongLine => {
                let (code, _) = usual(step).split_at(4);
                self.send_line(&format!("{code}{}", "x".repeat(LONG_LINE)));
            }
            ReplyMode::Trickle => {
                for byte in format!("{}\r\n", usual(step)).bytes() {
                    self.wait(Duration::from_secs(1)).await?;
                    self.wire.output.push(byte);
                    self.wire.flush().await?;
                }
                self.publish();
            }
        }
        Ok(Flow::Go)
    }

    async fn talk_without_end(&mut self, step: Step) -> io::Result<Flow> {
        let (code, _) = usual(step).split_at(3);
        let lines = format!("{code}-and another thing\r\n").repeat(100);
        loop {
            self.wire.output.extend_from_slice(lines.as_bytes());
            self.wire.flush().await?;
            // Slow enough to leave the processor to the system under test.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Waits this long; input that arrives meanwhile is buffered.
    ///
    /// # Errors
    ///
    /// When the client disconnects, so that the reply counts as not written.
    async fn wait(&mut self, wait: Duration) -> io::Result<()> {
        let end = tokio::time::sleep(wait);
        tokio::pin!(end);
        loop {
            tokio::select! {
                () = &mut end => return Ok(()),
                more = self.wire.fill() => if !more? {
                    return Err(io::ErrorKind::ConnectionAborted.into());
                },
            }
        }
    }
}

/// The reply of a healthy relay.
fn usual(step: Step) -> &'static str {
    match step {
        Step::Mail => "250 2.1.0 sender ok",
        Step::Rcpt => "250 2.1.5 recipient ok",
        Step::Data => "354 end with a dot",
        Step::Dot => "250 2.0.0 taken",
    }
}

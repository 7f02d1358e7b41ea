//! One mail transaction (RFC 5321, 3.3), pipelined if the relay allows it.
//!
//! With PIPELINING the envelope is sent in one write, and the body with its final dot in another one together
//! with the next mail's envelope (RFC 2920, 3.1): one round trip per mail. Each body still waits for the
//! replies to its own envelope, so a broken connection makes at most one mail unsure: the one whose dot has
//! no reply. The mail after it has not begun.
//!
//! A refusal does not cost the connection: the remaining replies are read, and the transaction is reset
//! together with the next envelope. The connection counts as clean only after a complete and valid exchange.
//! An unclean connection is closed.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use shared::failpoint::{self, Point, reach};
use tokio::time::{timeout, timeout_at};

use super::connection::Connection;
use super::phase::Phase;
use super::reply::{Reply, ReplyError, ReplyResult};
use super::shipment::{Queued, Shipment};
use super::trouble::TroubleClass;
use super::verdict::Answer;

/// The end of a body. The line ending before it has been written with the last line.
const FINAL_DOT: usize = ".\r\n".len();

/// How long to wait for the reason after the relay closed during the body.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How long an envelope that was sent ahead waits for the dot before it. Then its mail is sent on another
/// connection, so that one slow mail holds up no other.
const AHEAD_WAITS: Duration = Duration::from_secs(1);

/// A command of the envelope.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Command {
    Reset,
    Mail,
    Recipient,
    Data,
}

/// An envelope sent behind a body has nothing to reset.
const AHEAD: [Command; 3] = [Command::Mail, Command::Recipient, Command::Data];

const ENVELOPE: [Command; 4] = [Command::Reset, Command::Mail, Command::Recipient, Command::Data];

impl Command {
    const fn phase(self) -> Phase {
        match self {
            Self::Reset | Self::Mail => Phase::Mail,
            Self::Recipient => Phase::Rcpt,
            Self::Data => Phase::Data,
        }
    }

    /// Rejects replies that do not fit this command: from then on, replies may belong to other commands.
    fn check(self, received: ReplyResult) -> Result<Reply, ReplyError> {
        let reply = received?;
        let fits = match self {
            Self::Reset => reply.is_completion() || reply.code == 421,
            Self::Mail | Self::Recipient => reply.is_completion() || reply.is_refusal(),
            Self::Data => reply.is_go_ahead() || reply.is_refusal(),
        };
        if fits {
            return Ok(reply);
        }
        let text = format!(
            "the reply {} {} does not fit the command",
            reply.code,
            reply.on_one_line()
        );
        Err(ReplyError::Garbled(text))
    }

    fn reached(self) {
        match self {
            Self::Reset => {}
            Self::Mail => reach(Point::SenderNamed),
            Self::Recipient => reach(Point::RecipientNamed),
            Self::Data => reach(Point::BodyInvited),
        }
    }
}

impl Connection {
    /// Why this relay can never accept this mail, if that is so.
    pub(super) fn obstacle(&self, mail: &impl Shipment) -> Option<Answer> {
        let refuse = |class, words: String| Some(Answer::unsendable(class, words));
        if mail.envelope().has_control_characters() {
            let words = "the address has a control character";
            return refuse(TroubleClass::AddressUnsupported, words.to_owned());
        }
        if !mail.envelope().is_ascii() && !self.capabilities.any_script {
            let words = "the address is not ASCII and the relay does not offer SMTPUTF8";
            return refuse(TroubleClass::AddressUnsupported, words.to_owned());
        }
        if !mail.wire().is_ascii() && !self.capabilities.eight_bit {
            let words = "the mail is not ASCII and the relay does not offer 8BITMIME";
            return refuse(TroubleClass::Refused, words.to_owned());
        }
        let (size, largest) = (mail.size(), self.capabilities.largest?);
        if size > largest {
            let words = format!("the mail has {size} bytes and the relay accepts {largest}");
            return refuse(TroubleClass::ContentTooLarge, words);
        }
        None
    }

    /// Sends everything before the body. Returns `None` once the relay waits for the body.
    ///
    /// `is_written` means that the envelope was sent with the previous mail.
    pub(super) async fn offer(&mut self, mail: &impl Shipment, is_written: bool, ends: Instant) -> Option<Answer> {
        self.is_clean = false;
        self.mails += 1;
        reach(Point::RelayConnected);
        let first = usize::from(!std::mem::take(&mut self.needs_reset));
        let commands = ENVELOPE.get(first..).unwrap_or_default();
        let mut together = match (is_written, self.capabilities.pipelining) {
            (false, true) => Some(self.encode(commands, mail)),
            _ => None,
        };
        let mut refusal: Option<Answer> = None;
        let (mut has_recipient, mut is_open) = (false, false);
        for command in commands {
            let phase = command.phase();
            let to_write = match together.take() {
                Some(all) => Some(all),
                None if is_written || self.capabilities.pipelining => None,
                None if refusal.is_some() => break,
                None => Some(self.encode(&[*command], mail)),
            };
            let received = match to_write {
                Some(commands) => self.dialogue.exchange(phase, &commands, ends).await,
                None => self.dialogue.receive(phase, ends).await,
            };
            let reply = match command.check(received) {
                Ok(reply) => reply,
                // An earlier refusal counts, whatever happens to the connection afterwards.
                Err(lost) => return Some(refusal.unwrap_or_else(|| Answer::from_reply_error(phase, &lost))),
            };
            has_recipient |= *command == Command::Recipient && reply.is_completion();
            is_open = reply.is_go_ahead();
            if reply.is_refusal() && refusal.is_none() {
                let mut answer = Answer::from_reply_about(mail.envelope(), phase, &reply);
                if *command == Command::Recipient && self.is_login_unused() {
                    answer.suspect_login();
                }
                refusal = Some(answer);
            }
            if reply.code == 421 {
                return refusal;
            }
            command.reached();
        }
        if refusal.is_some() {
            // With an accepted recipient, the lone dot would send that recipient an empty mail.
            self.is_clean = !is_open || (!has_recipient && self.send_lone_dot(ends).await);
            self.needs_reset = true;
            return refusal;
        }
        self.check_silence()
    }

    /// Whether the relay offers a login and the URL has none. Submission services then refuse recipients.
    fn is_login_unused(&self) -> bool {
        let capabilities = &self.capabilities;
        let is_offered = capabilities.mechanism.is_some() || !capabilities.for_tokens.is_empty();
        is_offered && self.dialogue.terms.relay.login().is_none()
    }

    /// Fails if the relay has sent something before the body: it is not the answer to the body.
    fn check_silence(&mut self) -> Option<Answer> {
        if self.dialogue.stream.is_quiet() {
            return None;
        }
        let lost = if self.dialogue.stream.has_ended() {
            ReplyError::Broken("the relay closed the connection before the body".to_owned())
        } else {
            ReplyError::Garbled("the relay sent an unexpected reply before the body".to_owned())
        };
        Some(Answer::from_reply_error(Phase::Data, &lost))
    }

    fn encode(&self, commands: &[Command], mail: &impl Shipment) -> String {
        let mut text = String::with_capacity(192);
        for command in commands {
            match command {
                Command::Reset => text.push_str("RSET\r\n"),
                Command::Mail => self.write_mail(&mut text, mail),
                Command::Recipient => {
                    let recipient: &str = mail.envelope().recipient().as_ref();
                    let _ = write!(text, "RCPT TO:<{recipient}>\r\n");
                }
                Command::Data => text.push_str("DATA\r\n"),
            }
        }
        text
    }

    fn write_mail(&self, text: &mut String, mail: &impl Shipment) {
        let sender: &str = mail.envelope().sender().as_ref();
        // Writing to a string cannot fail.
        let _ = write!(text, "MAIL FROM:<{sender}>");
        if self.capabilities.largest.is_some() {
            let _ = write!(text, " SIZE={}", mail.size());
        }
        if !mail.wire().is_ascii() {
            text.push_str(" BODY=8BITMIME");
        }
        if !mail.envelope().is_ascii() {
            text.push_str(" SMTPUTF8");
        }
        text.push_str("\r\n");
    }

    /// Sends an empty body, as RFC 2920, 3.1 requires if the relay refused the recipient and still waits for
    /// one. There is no recipient, so nothing is sent, whatever the relay answers.
    async fn send_lone_dot(&mut self, ends: Instant) -> bool {
        let received = self.dialogue.exchange(Phase::Data, ".\r\n", ends).await;
        received.is_ok_and(|reply| reply.code != 421 && !reply.is_go_ahead())
    }

    /// Sends the body, followed by the envelope of `ahead`, and reads the final reply. If the reply takes
    /// long, `put_back` removes `ahead`.
    pub(super) async fn deliver<S: Shipment>(
        &mut self,
        mail: &S,
        ahead: &mut Option<Queued<S>>,
        put_back: impl FnOnce(Queued<S>),
        ends: Instant,
    ) -> Answer {
        let body = mail.wire();
        let envelope = ahead.as_ref().map(|next| self.encode(&AHEAD, &next.mail));
        let envelope = envelope.as_deref().unwrap_or_default().as_bytes();
        self.die_half_way(body).await;
        let (started, before) = (Instant::now(), self.dialogue.stream.written());
        let written = self.write_body([body, envelope], ends).await;
        let metrics = &self.dialogue.terms.metrics;
        metrics.observe(Phase::Body, started.elapsed());
        if let Err(lost) = written {
            // Encrypted, the mail takes more bytes than this and never fewer. So if the count does not reach
            // the dot, the dot has not left.
            let taken = self.dialogue.stream.written().saturating_sub(before);
            let has_dot_left = taken > (body.len() - FINAL_DOT.min(body.len())) as u64;
            let phase = if has_dot_left { Phase::Dot } else { Phase::Body };
            return self.read_closing_reply(phase, lost).await;
        }
        reach(Point::DotWritten);
        let written_at = Instant::now();
        let dot_ends = ends.min(written_at + self.dialogue.terms.deadlines.dot);
        let (received, was_slow) = self.read_dot_reply(ahead, put_back, dot_ends).await;
        reach(Point::ReplyRead);
        self.dialogue.observe_reply(Phase::Dot, written_at, &received);
        match received {
            Ok(reply) => {
                self.is_clean = (reply.is_completion() || reply.is_refusal()) && reply.code != 421 && !was_slow;
                Answer::from_reply(Phase::Dot, &reply)
            }
            Err(lost) => Answer::from_reply_error(Phase::Dot, &lost),
        }
    }

    /// Reads the reply to the dot, and returns whether an envelope sent ahead was abandoned meanwhile. Then
    /// the connection ends with the reply, because the relay waits for a body that will not come.
    async fn read_dot_reply<S>(
        &mut self,
        ahead: &mut Option<S>,
        put_back: impl FnOnce(S),
        ends: Instant,
    ) -> (ReplyResult, bool) {
        let stream = &mut self.dialogue.stream;
        if ahead.is_some()
            && let Ok(received) = timeout(AHEAD_WAITS, stream.read_reply()).await
        {
            return (received, false);
        }
        let next = ahead.take();
        let was_slow = next.is_some();
        next.map(put_back);
        let received = timeout_at(ends.into(), stream.read_reply()).await;
        (received.unwrap_or(Err(ReplyError::TimedOut)), was_slow)
    }

    /// Body and dot are one write, so tests need this to simulate a worker that dies between them.
    async fn die_half_way(&mut self, body: &[u8]) {
        if failpoint::is_next(Point::BodyHalfWritten) {
            let half = body.get(..body.len() / 2).unwrap_or_default();
            let _ = self.dialogue.stream.write_command(half).await;
        }
        reach(Point::BodyHalfWritten);
    }

    /// Writes both parts, in one system call if the socket accepts them. Each partial write starts the
    /// deadline of the body again.
    async fn write_body(&mut self, parts: [&[u8]; 2], ends: Instant) -> Result<(), ReplyError> {
        let Self { dialogue, .. } = self;
        let pause = dialogue.terms.deadlines.body;
        let stream = &mut dialogue.stream;
        let broken = |fault: std::io::Error| ReplyError::Broken(fault.to_string());
        let mut done = 0;
        while done < parts.iter().map(|part| part.len()).sum() {
            let end = ends.min(Instant::now() + pause);
            let writing = timeout_at(end.into(), stream.write_some(parts, done));
            done += writing.await.map_err(|_| ReplyError::TimedOut)?.map_err(broken)?;
        }
        loop {
            let (end, before) = (ends.min(Instant::now() + pause), stream.written());
            match timeout_at(end.into(), stream.flush()).await {
                Ok(flushed) => return flushed.map_err(broken),
                Err(_) if end < ends && stream.written() > before => {}
                Err(_) => return Err(ReplyError::TimedOut),
            }
        }
    }

    /// Waits for the reason why the relay closed during a body. It has often sent one.
    async fn read_closing_reply(&mut self, phase: Phase, lost: ReplyError) -> Answer {
        let mut received = Err(lost);
        if matches!(received, Err(ReplyError::Broken(_)))
            && let Ok(Ok(reply)) = timeout(LAST_WORDS, self.dialogue.stream.read_reply()).await
            && (reply.is_refusal() || phase == Phase::Dot)
        {
            received = Ok(reply);
        }
        self.dialogue.terms.metrics.count_reply(&received);
        match received {
            Ok(reply) => Answer::from_reply(phase, &reply),
            Err(lost) => Answer::from_reply_error(phase, &lost),
        }
    }
}

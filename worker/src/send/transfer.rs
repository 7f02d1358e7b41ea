//! One mail over an open connection.
//!
//! The commands before the body go out in one write where the relay allows it (RFC 2920), and the
//! body with its final dot in another: two waits for the relay instead of five. A refusal costs no
//! connection: the rest of the replies is read, the beginnings of the mail are reset together
//! with the next mail's commands, and the connection lives on. That matters on a list with five bad
//! addresses in a hundred, each of which would otherwise cost a handshake and a login.
//!
//! The connection counts as clean only after a complete and fitting exchange. Everything else
//! leaves it unclean and thereby closed: a passed deadline, a dropped future, a reply that does not
//! fit its question. lettre's own pool keeps such connections, and the late reply to one mail is
//! then taken for the next one's.

use std::pin::pin;
use std::time::{Duration, Instant};

use lettre::transport::smtp::Error as LettreError;
use lettre::transport::smtp::commands::{Data, Mail, Rcpt, Rset};
use lettre::transport::smtp::extension::{MailBodyParameter, MailParameter};
use lettre::transport::smtp::response::Response;
use shared::failpoint::{self, Point, reach};
use tokio::io::AsyncWriteExt as _;
use tokio::time::timeout_at;

use super::connection::Connection;
use super::envelope::Envelope;
use super::phase::Phase;
use super::reply::{Heard, Lost, Reply, heard};
use super::settings::Deadlines;
use super::trouble::TroubleClass;
use super::verdict::Answer;

/// Asked when nothing but the body is missing; `false` holds it back.
pub type MayStartBody<'a> = &'a (dyn Fn() -> bool + Sync);

/// One mail on its way out.
#[derive(Clone, Copy)]
pub(super) struct Outgoing<'a> {
    pub(super) envelope: &'a Envelope,
    /// The message with its final dot, as it is written.
    pub(super) wire: &'a [u8],
    pub(super) may_start_body: MayStartBody<'a>,
    /// When the attempt is over, whatever step it is at.
    pub(super) ends: Instant,
}

impl Outgoing<'_> {
    /// A mail must not leave when there is no time to hear what became of it: cutting the wait
    /// short after the dot is how people get a mail twice.
    pub(super) fn has_time_for_the_dot(&self, deadlines: &Deadlines) -> bool {
        Instant::now() + deadlines.dot <= self.ends
    }
}

/// What ends every message.
const FINAL_DOT: &str = ".\r\n";

/// How long a relay that closed on us in the middle of the body has to say why.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Octets of a message, which its final dot is no part of.
const fn length_before_dot(wire: &[u8]) -> usize {
    wire.len().saturating_sub(FINAL_DOT.len())
}

/// One command and the reply that lets the next one count.
struct Step {
    phase: Phase,
    is_reset: bool,
    /// `None` when it went out together with the step before.
    command: Option<String>,
}

impl Connection {
    /// Offers one mail and reports what became of it.
    ///
    /// Dropping the future ends the connection with it.
    pub(super) async fn transfer(&mut self, mail: Outgoing<'_>) -> Answer {
        let Outgoing { envelope, ends, .. } = mail;
        let wire_form = match self.sendable(&mail) {
            Ok(wire_form) => wire_form,
            Err(answer) => return answer,
        };
        self.is_clean = false;
        reach(Point::RelayConnected);
        if let Some(answer) = self.offer(envelope, wire_form, ends).await {
            return answer;
        }
        // A word of the relay that is here before the body is not its answer to the body.
        if !self.wire.is_quiet() {
            let lost = if self.wire.has_ended() {
                Lost::Broken("the relay closed the connection before the body".to_owned())
            } else {
                Lost::Garbled("the relay spoke out of turn before the body".to_owned())
            };
            return Answer::from_lost(Phase::Data, &lost);
        }
        // Asked as late as can be: what was true before the relay's answers may be so no more.
        if !mail.has_time_for_the_dot(&self.terms.deadlines) || !(mail.may_start_body)() {
            return Answer::not_begun(Phase::Data, "held back before the body");
        }
        self.deliver(wire_form, ends).await
    }

    /// The message as text, unless this relay cannot carry it.
    fn sendable<'a>(&self, mail: &Outgoing<'a>) -> Result<&'a str, Answer> {
        let Outgoing { envelope, wire, .. } = *mail;
        let size = length_before_dot(wire);
        let refuse = |class, words: &str| Err(Answer::unsendable(class, words.to_owned()));
        if envelope.breaks_out() {
            return refuse(TroubleClass::AddressUnsupported, "the address has a control character");
        }
        if !envelope.is_ascii() && !self.offers.any_script {
            let words = "the address is not ASCII and the relay does not offer SMTPUTF8";
            return refuse(TroubleClass::AddressUnsupported, words);
        }
        if !wire.is_ascii() && !self.offers.eight_bit {
            return refuse(
                TroubleClass::Refused,
                "the mail is not ASCII and the relay does not offer 8BITMIME",
            );
        }
        if let Some(largest) = self.offers.largest.filter(|largest| *largest < size) {
            let words = format!("the mail has {size} bytes and the relay takes {largest}");
            return Err(Answer::unsendable(TroubleClass::ContentTooLarge, words));
        }
        match std::str::from_utf8(wire) {
            Ok(wire_form) => Ok(wire_form),
            Err(_) => refuse(TroubleClass::Refused, "the mail is not text"),
        }
    }

    /// Everything before the body. `None` when the relay waits for it.
    async fn offer(&mut self, envelope: &Envelope, wire_form: &str, ends: Instant) -> Option<Answer> {
        let mut refusal: Option<Answer> = None;
        let (mut has_recipient, mut is_open) = (false, false);
        for step in self.steps(envelope, wire_form) {
            let heard = match step.command {
                Some(_) if refusal.is_some() => break,
                Some(commands) => self.ask(step.phase, &commands, ends).await,
                None => self.hear(step.phase, ends).await,
            };
            let reply = match check(&step_kind(step.phase, step.is_reset), heard) {
                Ok(reply) => reply,
                // An earlier refusal stands, whatever befalls the line afterwards.
                Err(lost) => return Some(refusal.unwrap_or_else(|| Answer::from_lost(step.phase, &lost))),
            };
            has_recipient |= step.phase == Phase::Rcpt && reply.is_completion();
            is_open = reply.is_go_ahead();
            if reply.is_refusal() && refusal.is_none() {
                refusal = Some(Answer::from_reply(step.phase, &reply));
            }
            if reply.code == 421 {
                return refusal;
            }
            if !step.is_reset {
                reach(point_after(step.phase));
            }
        }
        if refusal.is_some() {
            // With a recipient, the lone dot would be an empty mail to that person.
            self.is_clean = !is_open || (!has_recipient && self.send_lone_dot(ends).await);
            self.needs_reset = true;
        }
        refusal
    }

    fn steps(&mut self, envelope: &Envelope, wire_form: &str) -> Vec<Step> {
        let mail = Mail::new(Some(envelope.sender().clone()), self.parameters(envelope, wire_form));
        let mut commands = vec![
            (Phase::Mail, false, mail.to_string()),
            (
                Phase::Rcpt,
                false,
                Rcpt::new(envelope.recipient().clone(), Vec::new()).to_string(),
            ),
            (Phase::Data, false, Data.to_string()),
        ];
        if std::mem::take(&mut self.needs_reset) {
            commands.insert(0, (Phase::Mail, true, Rset.to_string()));
        }
        if !self.offers.pipelining {
            let single = |(phase, is_reset, command)| Step {
                phase,
                is_reset,
                command: Some(command),
            };
            return commands.into_iter().map(single).collect();
        }
        let mut together = Some(
            commands
                .iter()
                .map(|(_, _, command)| command.as_str())
                .collect::<String>(),
        );
        let mut shared = |(phase, is_reset, _)| Step {
            phase,
            is_reset,
            command: together.take(),
        };
        commands.into_iter().map(&mut shared).collect()
    }

    fn parameters(&self, envelope: &Envelope, wire_form: &str) -> Vec<MailParameter> {
        let mut parameters = Vec::new();
        if self.offers.largest.is_some() {
            parameters.push(MailParameter::Size(length_before_dot(wire_form.as_bytes())));
        }
        if !wire_form.is_ascii() {
            parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        if !envelope.is_ascii() {
            parameters.push(MailParameter::SmtpUtfEight);
        }
        parameters
    }

    /// The relay refused the recipient and waits for a body all the same: RFC 2920 3.1 asks for an
    /// empty one. Nobody is its recipient, so whatever the relay says to it, nothing was sent.
    async fn send_lone_dot(&mut self, ends: Instant) -> bool {
        let heard = self.ask(Phase::Data, FINAL_DOT, ends).await;
        heard.is_ok_and(|reply| reply.code != 421 && !reply.is_go_ahead())
    }

    /// The body and its final dot in one write, and the reply that decides.
    async fn deliver(&mut self, wire_form: &str, ends: Instant) -> Answer {
        self.die_half_way(wire_form).await;
        let started = Instant::now();
        let written_before = self.wire.written();
        self.wire.begin_write();
        self.wire.expect_reply();
        let result = self.write_and_wait(wire_form, written_before, ends).await;
        let heard = result.map_or(Err(Lost::TimedOut), |result| heard(result, self.wire.has_ended()));
        reach(Point::ReplyRead);
        let flushed_at = self.wire.flushed_at();
        self.terms
            .metrics
            .took(Phase::Body, flushed_at.unwrap_or_else(Instant::now) - started);
        match flushed_at {
            Some(flushed_at) => self.note(Phase::Dot, flushed_at, &heard),
            // There was no end of the body to measure from.
            None => self.terms.metrics.heard(&heard),
        }
        // Encrypted, the mail has more bytes than this, never fewer: so where the count falls short
        // of the dot, the dot has not left, and in doubt it has.
        let has_dot_left = flushed_at.is_some()
            || self.wire.written().saturating_sub(written_before) > length_before_dot(wire_form.as_bytes()) as u64;
        match heard {
            Ok(reply) => {
                self.is_clean = (reply.is_completion() || reply.is_refusal()) && reply.code != 421;
                Answer::from_reply(Phase::Dot, &reply)
            }
            Err(lost) if has_dot_left => Answer::from_lost(Phase::Dot, &lost),
            Err(lost) => self.listen_for_last_words(lost).await,
        }
    }

    /// Body and dot are one write, and a test wants to know of a worker that dies between them.
    async fn die_half_way(&self, wire_form: &str) {
        if failpoint::is_next(Point::BodyHalfWritten) {
            let half = wire_form.as_bytes().get(..wire_form.len() / 2).unwrap_or_default();
            let _ = self.wire.clone().write_all(half).await;
        }
        reach(Point::BodyHalfWritten);
    }

    async fn write_and_wait(
        &mut self,
        wire_form: &str,
        written_before: u64,
        ends: Instant,
    ) -> Option<Result<Response, LettreError>> {
        let (wire, deadlines) = (&self.wire, self.terms.deadlines);
        let mut exchange = pin!(self.smtp.command(wire_form));
        let mut written = written_before;
        let mut next = Instant::now() + deadlines.body;
        loop {
            let end = ends.min(next);
            if let Ok(result) = timeout_at(end.into(), &mut exchange).await {
                return Some(result);
            }
            if end == ends {
                return None;
            }
            next = match wire.flushed_at().map(|flushed_at| flushed_at + deadlines.dot) {
                Some(dot_ends) if dot_ends > end => dot_ends,
                None if wire.written() > written => end + deadlines.body,
                Some(_) | None => return None,
            };
            written = wire.written();
        }
    }

    /// A relay that closes in the middle of a body often said why before it did.
    async fn listen_for_last_words(&mut self, lost: Lost) -> Answer {
        if matches!(lost, Lost::Broken(_)) {
            self.wire.expect_reply();
            let listening = tokio::time::timeout(LAST_WORDS, self.smtp.read_response()).await;
            if let Ok(Ok(reply)) = listening.map(|result| heard(result, self.wire.has_ended()))
                && reply.is_refusal()
            {
                return Answer::from_reply(Phase::Body, &reply);
            }
        }
        Answer::from_lost(Phase::Body, &lost)
    }
}

/// The step that a reply of this phase ends.
const fn point_after(phase: Phase) -> Point {
    match phase {
        Phase::Mail => Point::SenderNamed,
        Phase::Rcpt => Point::RecipientNamed,
        _ => Point::BodyInvited,
    }
}

/// What a step's reply may be besides a refusal.
enum StepKind {
    Reset,
    Command,
    Data,
}

fn step_kind(phase: Phase, is_reset: bool) -> StepKind {
    match phase {
        _ if is_reset => StepKind::Reset,
        Phase::Data => StepKind::Data,
        _ => StepKind::Command,
    }
}

/// Sorts out replies that are no answer to their question: after one, question and answer may no
/// longer belong together.
fn check(kind: &StepKind, heard: Heard) -> Result<Reply, Lost> {
    let reply = heard?;
    let fits = match kind {
        StepKind::Reset => reply.is_completion() || reply.code == 421,
        StepKind::Command => reply.is_completion() || reply.is_refusal(),
        StepKind::Data => reply.is_go_ahead() || reply.is_refusal(),
    };
    if fits {
        Ok(reply)
    } else {
        Err(Lost::Garbled(format!(
            "the reply {} {} does not fit the command",
            reply.code,
            reply.lines.join(" ")
        )))
    }
}

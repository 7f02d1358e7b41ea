//! One connection, from the greeting to its end.
//!
//! Replies are buffered until the client has no more commands in flight and then sent in one write, so pipelined
//! commands cost one packet. The outcome of a mail is recorded only then, so the ledger knows whether the client could
//! have received it.

use std::borrow::Cow;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use tokio::net::TcpStream;

use super::Shared;
use super::command::Command;
use super::ledger::Outcome;
use super::reply_mode::ReplyMode;
use super::script::{Behaviour, HangUp, Keep, Mode, Offer, Step, Tls};
use super::wire::{Wire, without_doubled_dots};

const GREYLISTED: &str = "451 4.7.1 greylisted, try again later";

/// Whether the session continues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    Go,
    Close,
}

/// A connection and its current mail transaction.
pub(super) struct Session {
    pub(super) relay: Arc<Shared>,
    pub(super) number: usize,
    pub(super) wire: Wire,
    pub(super) is_logged_in: bool,
    /// Recipients refused on this connection.
    refusals: usize,
    sender: Option<String>,
    recipients: Vec<String>,
    /// The behaviour of the first recipient that is not plainly accepted.
    behaviour: Behaviour,
    /// Outcomes of mails whose reply is not yet written.
    pub(super) untold: Vec<Outcome>,
}

impl Session {
    pub(super) fn new(relay: Arc<Shared>, number: usize, stream: TcpStream) -> Self {
        Self {
            relay,
            number,
            wire: Wire::new(stream),
            is_logged_in: false,
            refusals: 0,
            sender: None,
            recipients: Vec::new(),
            behaviour: Behaviour::Accept,
            untold: Vec::new(),
        }
    }

    /// Runs the session until either side ends it.
    pub(super) async fn converse(&mut self) -> io::Result<()> {
        if let (Tls::Implicit, Some(certificate)) = (self.relay.script.tls, &self.relay.certificate) {
            self.wire.encrypt(&certificate.acceptor).await?;
        }
        if self.greet().await? == Flow::Close {
            return self.flush().await;
        }
        while let Some(line) = self.next_line().await? {
            let command = Command::read(self.wire.bytes(line));
            if self.obey(command).await? == Flow::Close {
                return self.flush().await;
            }
        }
        Ok(())
    }

    /// Records outcomes the client never receives. Call once, when the session is over.
    pub(super) fn end(&mut self) {
        if !self.recipients.is_empty() {
            let outcome = self.outcome(Step::Data, Cow::Borrowed(""), false);
            self.untold.push(outcome);
        }
        for outcome in self.untold.drain(..) {
            self.relay.ledger.record(outcome, false);
        }
    }

    async fn greet(&mut self) -> io::Result<Flow> {
        if self.relay.ledger.counts().open > self.relay.script.max_connections {
            self.relay.ledger.turned_away();
            self.send_line("421 4.7.0 too many connections from your address");
            return Ok(Flow::Close);
        }
        match self.relay.rules.mode() {
            Mode::NeverGreets => {
                self.wire.wait_for_end().await;
                Ok(Flow::Close)
            }
            Mode::Greets(line) => {
                self.send_line(&line);
                Ok(Flow::Close)
            }
            _ => {
                self.send_line("220 relay.test ESMTP");
                Ok(Flow::Go)
            }
        }
    }

    async fn obey(&mut self, command: Command) -> io::Result<Flow> {
        match command {
            Command::Mail { sender, size } => return self.mail(sender, size).await,
            Command::Rcpt { recipient } => return self.rcpt(recipient).await,
            Command::Data => return self.message().await,
            Command::StartTls => return self.start_tls().await,
            Command::AuthPlain(initial) => return self.auth_plain(initial).await,
            Command::AuthLogin(initial) => return self.auth_login(initial).await,
            Command::Quit => {
                self.send_line("221 2.0.0 bye");
                return Ok(Flow::Close);
            }
            Command::Ehlo => self.ehlo(),
            Command::Helo => self.send_line("250 relay.test"),
            Command::Rset => {
                self.forget();
                self.send_line("250 2.0.0 forgotten");
            }
            Command::Noop => self.send_line("250 2.0.0 ok"),
            Command::Vrfy => self.send_line("252 2.1.5 send and see"),
            Command::Unknown => self.send_line("500 5.5.2 not understood"),
        }
        Ok(Flow::Go)
    }

    async fn mail(&mut self, sender: String, size: Option<usize>) -> io::Result<Flow> {
        let script = &self.relay.script;
        let refusal = match self.relay.rules.mode() {
            Mode::RefusesSender => Some("550 5.7.1 sender not allowed here"),
            Mode::Busy => Some("451 4.3.2 busy, try again later"),
            _ if script.login.is_some() && !self.is_logged_in => Some("530 5.7.0 authentication required"),
            _ if self.sender.is_some() => Some("503 5.5.1 one sender at a time"),
            _ if size.is_some_and(|size| size > script.size) => Some("552 5.3.4 message too big"),
            _ => self.foreign(&sender),
        };
        if let Some(refusal) = refusal {
            let mut outcome = self.outcome(Step::Mail, Cow::Borrowed(refusal), false);
            outcome.sender = sender;
            self.send_line(refusal);
            self.untold.push(outcome);
            return Ok(Flow::Go);
        }
        let mode = ReplyMode::of(&self.relay.rules.default(), Step::Mail);
        if mode.is_positive() {
            self.sender = Some(sender);
            return self.answer(mode, Step::Mail, None).await;
        }
        let mut outcome = self.outcome(Step::Mail, mode.reply(Step::Mail), false);
        outcome.sender = sender;
        self.answer(mode, Step::Mail, Some(outcome)).await
    }

    async fn rcpt(&mut self, recipient: String) -> io::Result<Flow> {
        if self.sender.is_none() {
            self.send_line("503 5.5.1 who is it from?");
            return Ok(Flow::Go);
        }
        let behaviour = self.relay.rules.for_recipient(&recipient);
        let mode = match (&behaviour, self.foreign(&recipient)) {
            (_, Some(refusal)) => ReplyMode::Reply(Cow::Borrowed(refusal)),
            (Behaviour::AcceptAfter { refusals }, None) if self.relay.rules.puts_off(&recipient, *refusals) => {
                ReplyMode::Reply(Cow::Borrowed(GREYLISTED))
            }
            (Behaviour::Greylist(wait), None) if self.relay.rules.greylists(&recipient, *wait) => {
                ReplyMode::Reply(Cow::Borrowed(GREYLISTED))
            }
            _ => ReplyMode::of(&behaviour, Step::Rcpt),
        };
        let mode = self.limited(mode, Step::Rcpt);
        if mode.is_positive() {
            if self.behaviour == Behaviour::Accept {
                self.behaviour = behaviour;
            }
            self.recipients.push(recipient);
            return self.answer(mode, Step::Rcpt, None).await;
        }
        let mut outcome = self.outcome(Step::Rcpt, mode.reply(Step::Rcpt), false);
        outcome.recipients = vec![recipient];
        if self.punish().await? == Flow::Close {
            self.untold.push(outcome);
            return Ok(Flow::Close);
        }
        self.answer(mode, Step::Rcpt, Some(outcome)).await
    }

    async fn message(&mut self) -> io::Result<Flow> {
        if self.recipients.is_empty() {
            self.send_line("554 5.5.1 no valid recipients");
            return Ok(Flow::Go);
        }
        let mode = ReplyMode::of(&self.behaviour, Step::Data);
        if !mode.is_positive() {
            let outcome = self.outcome(Step::Data, mode.reply(Step::Data), false);
            self.forget();
            return self.answer(mode, Step::Data, Some(outcome)).await;
        }
        if self.answer(mode, Step::Data, None).await? == Flow::Close {
            return Ok(Flow::Close);
        }
        if self.behaviour == Behaviour::HangUp(HangUp::InData) {
            self.flush().await?;
            if self.wire.waiting() == 0 {
                self.wire.fill().await?;
            }
            return Ok(Flow::Close);
        }
        let mut searched = 0;
        let message = loop {
            if let Some(message) = self.wire.take_message(&mut searched) {
                break message;
            }
            self.flush().await?;
            if !self.wire.fill().await? {
                return Ok(Flow::Close);
            }
        };
        self.dot(message).await
    }

    async fn dot(&mut self, message: Range<usize>) -> io::Result<Flow> {
        self.relay.ledger.dot();
        let mode = if message.len() > self.relay.script.size {
            ReplyMode::Reply(Cow::Borrowed("552 5.3.4 message too big"))
        } else {
            let mode = ReplyMode::of(&self.behaviour, Step::Dot);
            self.limited(mode, Step::Dot)
        };
        let kept = matches!(mode, ReplyMode::HangUp { kept: true }) || mode.is_positive();
        if kept {
            self.refusals = 0;
        }
        let mut outcome = self.outcome(Step::Dot, mode.reply(Step::Dot), kept);
        if self.relay.script.keep != Keep::Counts {
            outcome.message = Some(without_doubled_dots(self.wire.bytes(message)).into());
        }
        self.forget();
        self.answer(mode, Step::Dot, Some(outcome)).await
    }

    /// The same mode, unless the relay's limit is reached.
    fn limited(&self, mode: ReplyMode, step: Step) -> ReplyMode {
        if !mode.is_positive() {
            return mode;
        }
        self.relay.rules.exceeds_limit(step).map_or(mode, ReplyMode::Reply)
    }

    /// Delays a client that hits many refusals.
    async fn punish(&mut self) -> io::Result<Flow> {
        self.refusals += 1;
        if !self.relay.script.punishes_errors || self.refusals <= 10 {
            return Ok(Flow::Go);
        }
        self.flush().await?;
        if self.refusals > 20 {
            self.send_line("421 4.7.0 too many errors");
            return Ok(Flow::Close);
        }
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        Ok(Flow::Go)
    }

    /// The client's next line; `None` when it has disconnected.
    pub(super) async fn next_line(&mut self) -> io::Result<Option<Range<usize>>> {
        loop {
            if let Some(line) = self.wire.take_line()? {
                return Ok(Some(line));
            }
            self.flush().await?;
            if !self.wire.fill().await? {
                return Ok(None);
            }
        }
    }

    pub(super) fn send_line(&mut self, line: &str) {
        self.wire.output.extend_from_slice(line.as_bytes());
        self.wire.output.extend_from_slice(b"\r\n");
    }

    pub(super) async fn flush(&mut self) -> io::Result<()> {
        self.wire.flush().await?;
        self.publish();
        Ok(())
    }

    /// Records the outcomes whose replies have been written.
    pub(super) fn publish(&mut self) {
        for outcome in self.untold.drain(..) {
            let is_heard = !outcome.reply.is_empty();
            self.relay.ledger.record(outcome, is_heard);
        }
    }

    /// The outcome of the current mail.
    fn outcome(&self, step: Step, reply: Cow<'static, str>, kept: bool) -> Outcome {
        Outcome {
            connection: self.number,
            sender: self.sender.clone().unwrap_or_default(),
            recipients: self.recipients.clone(),
            message: None,
            step,
            reply,
            kept,
        }
    }

    /// Resets the transaction after a mail, a RSET or a STARTTLS.
    pub(super) fn forget(&mut self) {
        self.sender = None;
        self.recipients.clear();
        self.behaviour = Behaviour::Accept;
    }

    fn foreign(&self, address: &str) -> Option<&'static str> {
        let is_understood = address.is_ascii() || self.relay.script.offers.contains(&Offer::Utf8Addresses);
        (!is_understood).then_some("553 5.6.7 address needs SMTPUTF8, which is not offered")
    }
}

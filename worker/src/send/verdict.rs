//! What an answer from the relay means for one mail. Pure: no clock, no socket.
//!
//! The code alone is not enough. A 550 to RCPT is about one address, to MAIL about all our mails; a 535 at
//! login must not turn ten thousand invitations into permanent failures; and silence means "not delivered"
//! until the final dot and "unknown" after it. So three things are considered together: the phase, the code,
//! and the enhanced code of RFC 3463 if the relay sends one.
//!
//! Three mistakes are possible, and the table avoids the worst. Recording a mail as sent that is not leaves a
//! user without it unnoticed: only a 2xx to the final dot counts. A permanent failure of a mail that would
//! have worked leaves a user out, visibly: trouble that is not about this mail ([`Verdict::RelayTrouble`])
//! spends no attempt. Sending again what has arrived is a nuisance: silence after the dot is
//! [`Verdict::Unsure`] and recorded as such.
//!
//! The table in [`super::reply_table`] defines what each refusal is about and what it means.

use std::time::Duration;

use super::envelope::Envelope;
use super::phase::Phase;
use super::reply::{Reply, ReplyError};
use super::reply_table::{self, Consequence, Scope};
use super::trouble::TroubleClass;

/// What an answer means for the mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The relay answered 2xx to the final dot and is now responsible.
    Accepted,
    /// Not delivered; the same mail may succeed later. Spends an attempt.
    TryLater {
        /// The cause.
        class: TroubleClass,
    },
    /// Not delivered, and a retry would be refused again.
    Refused {
        /// The cause.
        class: TroubleClass,
    },
    /// Not delivered, because the relay's rate is exceeded. Spends no attempt; the same mail succeeds seconds
    /// later.
    SlowDown {
        /// The cause.
        class: TroubleClass,
    },
    /// The final dot may have reached the relay, and no readable reply arrived.
    Unsure,
    /// Not delivered, and not because of this mail. Spends no attempt.
    RelayTrouble {
        /// The cause.
        class: TroubleClass,
    },
    /// Not delivered: the caller withdrew, or the attempt's time was over, before the body.
    NotBegun,
}

/// A verdict and what led to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// What the answer means.
    pub verdict: Verdict,
    /// The phase of the conversation that was reached.
    pub phase: Phase,
    /// The reply code, if the relay replied.
    pub code: Option<u16>,
    /// The enhanced code, such as `5.1.1`, if the relay sent one that agrees with the code.
    pub enhanced_code: Option<String>,
    /// The relay's words, or ours if it did not reply: no control characters, at most 500 characters.
    /// Untrusted, so it must be escaped before display.
    pub reply: String,
    /// What it is about.
    pub scope: Scope,
    /// How long a mail that spends no attempt waits, if known.
    pub retry_after: Option<Duration>,
    /// Whether a missing login may be the reason.
    lacks_login: bool,
}

impl Answer {
    /// Interprets a reply that decides about a mail.
    pub fn from_reply(phase: Phase, reply: &Reply) -> Self {
        Self::classified(phase, reply, false)
    }

    /// Interprets a reply about a mail with this envelope.
    pub fn from_reply_about(envelope: &Envelope, phase: Phase, reply: &Reply) -> Self {
        Self::classified(phase, reply, envelope.is_only_sender_in(&reply.text))
    }

    fn classified(phase: Phase, reply: &Reply, names_sender: bool) -> Self {
        let (scope, verdict) = classify(phase, reply, names_sender);
        Self {
            verdict,
            phase,
            code: Some(reply.code),
            enhanced_code: reply.enhanced().map(str::to_owned),
            reply: presentable(&reply.on_one_line()),
            scope,
            retry_after: None,
            lacks_login: false,
        }
    }

    /// Records that the relay offers a login that was not used. A refusal of all recipients is then taken for
    /// a demand for it.
    pub(super) fn suspect_login(&mut self) {
        self.lacks_login = true;
        let denied = Verdict::RelayTrouble {
            class: TroubleClass::RelayingDenied,
        };
        if self.verdict == denied {
            self.widen_to_account();
        }
    }

    /// Removes words that repeat a password. The verdict is unchanged.
    pub fn redact_words(&mut self) {
        "(the relay's words repeat the password and are left out)".clone_into(&mut self.reply);
    }

    /// Makes a refusal account-wide, which spends no attempt.
    pub(super) fn widen_to_account(&mut self) {
        if let Some(class) = self.class() {
            let class = if self.lacks_login { TroubleClass::Auth } else { class };
            (self.verdict, self.scope) = (Verdict::RelayTrouble { class }, Scope::Account);
        }
    }

    /// Lets a throttled mail wait for this time. A deferral becomes a rate limit.
    pub(super) fn slow_down(&mut self, retry_after: Duration) {
        if let Verdict::TryLater { class } = self.verdict {
            (self.verdict, self.scope) = (Verdict::SlowDown { class }, Scope::Account);
        }
        self.retry_after = Some(retry_after);
    }

    /// Retries a refusal of undecided scope, because the worker stops.
    pub(super) fn become_open(&mut self) {
        if let Verdict::Refused { class } = self.verdict {
            self.verdict = Verdict::RelayTrouble { class };
            self.retry_after = Some(Duration::from_secs(1));
        }
    }

    /// Interprets a missing reply.
    pub fn from_reply_error(phase: Phase, lost: &ReplyError) -> Self {
        let words = match lost {
            ReplyError::TimedOut => format!("no answer in time at {phase}"),
            ReplyError::Broken(text)
            | ReplyError::Garbled(text)
            | ReplyError::NotPrivate(text)
            | ReplyError::NoLogin(text) => presentable(text),
        };
        Self::unanswered(classify_silence(phase, lost), phase, words)
    }

    /// A refusal of a mail that this relay declares it cannot carry, without offering it.
    pub fn unsendable(class: TroubleClass, words: String) -> Self {
        Self::unanswered(Verdict::Refused { class }, Phase::Mail, words)
    }

    /// The answer when no mail was offered or its body was held back.
    pub fn not_begun(phase: Phase, words: &str) -> Self {
        Self::unanswered(Verdict::NotBegun, phase, words.to_owned())
    }

    /// The answer when the relay is known to be in trouble and was not contacted.
    pub fn relay_unavailable(class: TroubleClass, words: String) -> Self {
        Self::unanswered(Verdict::RelayTrouble { class }, Phase::Connect, words)
    }

    fn unanswered(verdict: Verdict, phase: Phase, reply: String) -> Self {
        Self {
            verdict,
            phase,
            code: None,
            enhanced_code: None,
            reply,
            scope: Scope::Relay,
            retry_after: None,
            lacks_login: false,
        }
    }

    /// The kind of trouble; `None` for accepted, unsure and not begun.
    pub fn class(&self) -> Option<TroubleClass> {
        match self.verdict {
            Verdict::TryLater { class }
            | Verdict::Refused { class }
            | Verdict::SlowDown { class }
            | Verdict::RelayTrouble { class } => Some(class),
            Verdict::Accepted | Verdict::Unsure | Verdict::NotBegun => None,
        }
    }
}

/// What a reply means. Replies that fit no step count as silence: [`classify_silence`].
fn classify(phase: Phase, reply: &Reply, names_sender: bool) -> (Scope, Verdict) {
    if phase == Phase::Dot && reply.is_completion() {
        return (Scope::Recipient, Verdict::Accepted);
    }
    let Some((scope, class, consequence)) = reply_table::classify(phase, reply, names_sender) else {
        return (
            Scope::Relay,
            classify_silence(phase, &ReplyError::Garbled(String::new())),
        );
    };
    let verdict = match consequence {
        Consequence::Fail => Verdict::Refused { class },
        Consequence::Retry => Verdict::TryLater { class },
        Consequence::SlowDown => Verdict::SlowDown { class },
        Consequence::HoldBack => Verdict::RelayTrouble { class },
    };
    (scope, verdict)
}

/// The decision table for silence and for words that are not a reply.
fn classify_silence(phase: Phase, lost: &ReplyError) -> Verdict {
    let class = match lost {
        ReplyError::TimedOut => TroubleClass::Timeout,
        ReplyError::Broken(_) if phase == Phase::Connect => TroubleClass::Connect,
        ReplyError::Broken(_) => TroubleClass::ConnectionLost,
        ReplyError::Garbled(_) => TroubleClass::Protocol,
        ReplyError::NotPrivate(_) => TroubleClass::Tls,
        ReplyError::NoLogin(_) => TroubleClass::Auth,
    };
    match phase {
        Phase::Dot => Verdict::Unsure,
        _ if phase.is_before_mail() => Verdict::RelayTrouble { class },
        // RFC 5321 3.8: a connection lost before the dot counts as a 451.
        _ => Verdict::TryLater { class },
    }
}

/// The relay's words without control characters and bidirectional marks, cut to 500 characters.
fn presentable(text: &str) -> String {
    let is_directional =
        |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.trim()
        .chars()
        .filter(|c| !c.is_control() && !is_directional(*c))
        .take(500)
        .collect()
}

//! What an answer of the relay means for one mail. Pure: no clock, no socket.
//!
//! The code alone does not say. A 550 to RCPT speaks of one address, to MAIL of all our mails; a
//! 535 at sign-in must not turn ten thousand invitations into permanent failures; and silence means
//! "not delivered" until the final dot and "nobody knows" after it. So three things are read
//! together: the phase, the code, and the enhanced code of RFC 3463 where the relay sends one.
//!
//! Three mistakes are possible, and the table leans away from the worst. Calling a mail sent that
//! is not leaves a person without it and nobody the wiser: only a 2xx to the final dot counts.
//! Refusing for good what would have worked leaves a person out, visibly: trouble that is not
//! about this mail ([`Verdict::RelayTrouble`]) spends nobody's attempt. Sending again what has
//! arrived is a nuisance: so silence after the dot is [`Verdict::Unsure`] and is recorded as that.
//!
//! A 421 ends the connection, whatever it answers, and speaks of the relay. The one to the final
//! dot spends an attempt all the same, because a relay that fails at one particular mail would
//! otherwise be offered that mail for ever.

use super::phase::Phase;
use super::reply::{Lost, Reply};
use super::trouble::TroubleClass;

/// What it means for the mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The relay answered 2xx to the final dot and is responsible now.
    Accepted,
    /// Not delivered; the same mail may well pass later. Spends an attempt.
    TryLater {
        /// Why.
        class: TroubleClass,
    },
    /// Not delivered, and asking again would be refused again.
    Refused {
        /// Why.
        class: TroubleClass,
    },
    /// The final dot may have reached the relay and no readable reply came back.
    Unsure,
    /// Not delivered, and not because of this mail. Spends nobody's attempt.
    RelayTrouble {
        /// Why.
        class: TroubleClass,
    },
    /// Not delivered: the caller withdrew, or the attempt's time was over, before the body.
    NotBegun,
}

/// A verdict with what led to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// What it means.
    pub verdict: Verdict,
    /// How far the conversation came.
    pub phase: Phase,
    /// The three digits, if the relay replied.
    pub code: Option<u16>,
    /// Such as `5.1.1`, if the relay sent one that agrees with the code.
    pub enhanced_code: Option<String>,
    /// The relay's own words, or ours where it said none: no controls, at most 500 characters.
    /// Untrusted, so whoever shows them escapes them.
    pub reply: String,
}

impl Answer {
    /// Reads a reply that decides about a mail.
    pub fn from_reply(phase: Phase, reply: &Reply) -> Self {
        Self {
            verdict: judge(phase, reply),
            phase,
            code: Some(reply.code),
            enhanced_code: reply.enhanced().map(str::to_owned),
            reply: presentable(&reply.on_one_line()),
        }
    }

    /// Leaves out words that repeat a password; its verdict stands.
    pub fn withhold_words(&mut self) {
        "(the relay's words repeat the password and are left out)".clone_into(&mut self.reply);
    }

    /// Reads a reply that never came.
    pub fn from_lost(phase: Phase, lost: &Lost) -> Self {
        let words = match lost {
            Lost::TimedOut => format!("no answer in time at {phase}"),
            Lost::Broken(text) | Lost::Garbled(text) | Lost::NotPrivate(text) | Lost::NoLogin(text) => {
                presentable(text)
            }
        };
        Self::unanswered(judge_silence(phase, lost), phase, words)
    }

    /// A mail this relay says it cannot carry, known before it was offered.
    pub fn unsendable(class: TroubleClass, words: String) -> Self {
        Self::unanswered(Verdict::Refused { class }, Phase::Mail, words)
    }

    /// No mail was offered, or its body was held back.
    pub fn not_begun(phase: Phase, words: &str) -> Self {
        Self::unanswered(Verdict::NotBegun, phase, words.to_owned())
    }

    /// The relay is known to be in trouble and was not asked.
    pub fn relay_is_down(class: TroubleClass, words: String) -> Self {
        Self::unanswered(Verdict::RelayTrouble { class }, Phase::Connect, words)
    }

    fn unanswered(verdict: Verdict, phase: Phase, reply: String) -> Self {
        Self {
            verdict,
            phase,
            code: None,
            enhanced_code: None,
            reply,
        }
    }

    /// The kind of trouble; `None` for accepted, unsure and not begun.
    pub fn class(&self) -> Option<TroubleClass> {
        match self.verdict {
            Verdict::TryLater { class } | Verdict::Refused { class } | Verdict::RelayTrouble { class } => Some(class),
            Verdict::Accepted | Verdict::Unsure | Verdict::NotBegun => None,
        }
    }
}

/// The decision table for replies. Replies that fit no step are silence: [`judge_silence`].
fn judge(phase: Phase, reply: &Reply) -> Verdict {
    use TroubleClass::{Auth, Policy, Protocol, Throttled, Tls};
    if phase == Phase::Dot && reply.is_completion() {
        return Verdict::Accepted;
    }
    if !reply.is_refusal() {
        return judge_silence(phase, &Lost::Garbled(String::new()));
    }
    let is_passing = reply.code < 500;
    match phase {
        Phase::Connect | Phase::Greeting | Phase::Ehlo if is_passing => Verdict::RelayTrouble { class: Throttled },
        Phase::Connect | Phase::Greeting | Phase::Ehlo => Verdict::RelayTrouble { class: Policy },
        Phase::StartTls => Verdict::RelayTrouble { class: Tls },
        Phase::Auth => Verdict::RelayTrouble { class: Auth },
        Phase::Mail | Phase::Rcpt | Phase::Data if reply.code == 421 => Verdict::RelayTrouble { class: Throttled },
        // The relay wants a login or TLS that we did not offer: our settings, not this mail.
        Phase::Mail | Phase::Rcpt | Phase::Data if matches!(reply.code, 530 | 534 | 535 | 538) => {
            Verdict::RelayTrouble { class: Auth }
        }
        // "Bad sequence" and its kin are about the conversation, not about this address.
        Phase::Rcpt | Phase::Data if matches!(reply.code, 500 | 502 | 503) => Verdict::TryLater { class: Protocol },
        Phase::Mail => judge_mail(reply, is_passing),
        Phase::Rcpt | Phase::Data | Phase::Body | Phase::Dot if is_passing => {
            Verdict::TryLater { class: passing(reply) }
        }
        Phase::Rcpt | Phase::Data | Phase::Body | Phase::Dot => judge_refusal(phase, reply),
    }
}

fn judge_mail(reply: &Reply, is_passing: bool) -> Verdict {
    use TroubleClass::{AddressUnsupported, ContentTooLarge, Protocol, SenderRefused, Throttled};
    match (reply.code, reply.enhanced()) {
        (552, _) | (_, Some("5.3.4")) => Verdict::Refused { class: ContentTooLarge },
        (_, Some("5.6.7")) => Verdict::Refused {
            class: AddressUnsupported,
        },
        (_, Some("4.1.7" | "4.1.8")) => Verdict::RelayTrouble { class: SenderRefused },
        (500..=504 | 555, _) => Verdict::RelayTrouble { class: Protocol },
        _ if is_passing => Verdict::RelayTrouble { class: Throttled },
        _ => Verdict::RelayTrouble { class: SenderRefused },
    }
}

fn passing(reply: &Reply) -> TroubleClass {
    match reply.enhanced() {
        Some("4.2.2") => TroubleClass::MailboxFull,
        _ => TroubleClass::Throttled,
    }
}

/// A 5xx that is about this mail, from RCPT on.
fn judge_refusal(phase: Phase, reply: &Reply) -> Verdict {
    use TroubleClass::{
        AddressUnknown, AddressUnsupported, ContentTooLarge, MailboxFull, Policy, Refused, SenderRefused,
    };
    let class = match (reply.code, reply.enhanced()) {
        // Postfix checks the sender only when it hears RCPT.
        (_, Some("5.1.7" | "5.1.8")) => return Verdict::RelayTrouble { class: SenderRefused },
        (_, Some("5.1.1" | "5.1.2" | "5.1.3" | "5.1.6" | "5.1.10" | "5.2.1")) => AddressUnknown,
        (_, Some("5.2.2")) => MailboxFull,
        (_, Some("5.3.4" | "5.2.3")) => ContentTooLarge,
        (_, Some("5.6.7")) => AddressUnsupported,
        (_, Some(code)) if code.starts_with("5.7.") => Policy,
        (552, _) if phase == Phase::Rcpt => MailboxFull,
        (552, _) => ContentTooLarge,
        // A bare 550 is said of unknown addresses and of unwanted senders alike, and an address
        // called unknown is one to take off a list: so it is not called that.
        _ => Refused,
    };
    Verdict::Refused { class }
}

/// The decision table for silence and for words that are no answer.
fn judge_silence(phase: Phase, lost: &Lost) -> Verdict {
    let class = match lost {
        Lost::TimedOut => TroubleClass::Timeout,
        Lost::Broken(_) if phase == Phase::Connect => TroubleClass::Connect,
        Lost::Broken(_) => TroubleClass::LineBroken,
        Lost::Garbled(_) => TroubleClass::Protocol,
        Lost::NotPrivate(_) => TroubleClass::Tls,
        Lost::NoLogin(_) => TroubleClass::Auth,
    };
    match phase {
        Phase::Dot => Verdict::Unsure,
        _ if phase.is_before_mail() => Verdict::RelayTrouble { class },
        // RFC 5321 3.8: a connection lost before the dot counts as a 451.
        _ => Verdict::TryLater { class },
    }
}

/// The relay's words without controls and without marks that turn the direction of a line
/// around, cut to 500 characters.
fn presentable(text: &str) -> String {
    let turns = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.trim()
        .chars()
        .filter(|c| !c.is_control() && !turns(*c))
        .take(500)
        .collect()
}

//! The table of replies: whom a reply is about, and what follows.
//!
//! The first line that fits decides. `x` in a code stands for any digit (RFC 5321, 4.2.1: a client acts
//! on the first digit where it does not know the others); in an enhanced code (RFC 3463) it stands for
//! the class, which always agrees with the reply's first digit. `*` fits any enhanced code and none,
//! `none` only a reply without one.
//!
//! | Scope | The reply is about | What follows |
//! |---|---|---|
//! | recipient | this address or mailbox | the delivery fails, or is retried after minutes |
//! | content | this message | the same, unless most recipients get the same words |
//! | account | our sender address, login or allowance | no attempt is spent; mail is held back, batches pause |
//! | relay | the server itself | no attempt is spent; mail slows down or is held back |
//! | unclear | one of the above | the recipient's, unless most recipients get the same words |

use super::phase::Phase;
use super::reply::Reply;
use super::trouble::TroubleClass as Class;
use super::verdict::Verdict;

/// Whom a reply is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// This address or mailbox.
    Recipient,
    /// This message.
    Content,
    /// Our sender address, our login, or what the relay allows our account.
    Account,
    /// The server itself, whoever sends and whatever to.
    Relay,
    /// The reply does not tell; the answers to others do (`refusals.rs`).
    Unclear,
}

/// What follows for the mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    /// The delivery has failed.
    Fail,
    /// Tried again after minutes; the attempt is spent.
    Retry,
    /// Tried again after seconds; no attempt is spent, and fewer mails are sent in a second.
    SlowDown,
    /// Held back with everybody's mail until the relay takes mail again; no attempt is spent.
    HoldBack,
}

/// One line of the table.
struct Line {
    at: &'static [Phase],
    /// Codes, separated by spaces.
    codes: &'static str,
    /// Enhanced codes, separated by spaces.
    enhanced: &'static str,
    scope: Scope,
    class: Class,
    then: Then,
}

const fn line(
    at: &'static [Phase],
    codes: &'static str,
    enhanced: &'static str,
    scope: Scope,
    class: Class,
    then: Then,
) -> Line {
    Line {
        at,
        codes,
        enhanced,
        scope,
        class,
        then,
    }
}

use Class::{
    AddressUnknown, AddressUnsupported, Auth, ContentTooLarge, MailboxFull, Policy, Protocol, Quota, Refused,
    RelayingDenied, SenderRefused, Throttled, Tls,
};
use Scope::{Account, Content, Recipient, Relay, Unclear};
use Then::{Fail, HoldBack, Retry, SlowDown};

/// Before any mail.
const OPENING: &[Phase] = &[Phase::Connect, Phase::Greeting, Phase::Ehlo];
const STARTTLS: &[Phase] = &[Phase::StartTls];
const AUTH: &[Phase] = &[Phase::Auth];
const MAIL: &[Phase] = &[Phase::Mail];
const RCPT: &[Phase] = &[Phase::Rcpt];
/// DATA, and the message with its final dot.
const MESSAGE: &[Phase] = &[Phase::Data, Phase::Body, Phase::Dot];
const DOT: &[Phase] = &[Phase::Body, Phase::Dot];
/// Until the message is sent.
const ENVELOPE: &[Phase] = &[Phase::Mail, Phase::Rcpt, Phase::Data];
/// Once the recipient is known.
const FROM_RCPT: &[Phase] = &[Phase::Rcpt, Phase::Data, Phase::Body, Phase::Dot];
const ANY_MAIL: &[Phase] = &[Phase::Mail, Phase::Rcpt, Phase::Data, Phase::Body, Phase::Dot];

/// A reply that names our sender address and not the recipient. Postfix checks the sender only when it
/// has the recipient (`smtpd_delay_reject`), so the phase does not tell.
#[rustfmt::skip]
const NAMES_THE_SENDER: &[Line] = &[
    line(RCPT,      "421",             "*",                         Relay,     Throttled,      HoldBack),
    line(RCPT,      "4xx 5xx",         "*",                         Account,   SenderRefused,  HoldBack),
];

#[rustfmt::skip]
const TABLE: &[Line] = &[
    // Before any mail it is never about one.
    line(OPENING,   "4xx",             "*",                         Relay,     Throttled,      HoldBack),
    line(OPENING,   "5xx",             "*",                         Relay,     Policy,         HoldBack),
    line(STARTTLS,  "4xx 5xx",         "*",                         Relay,     Tls,            HoldBack),
    line(AUTH,      "4xx 5xx",         "*",                         Account,   Auth,           HoldBack),

    // 421 ends the connection, whatever it answers (RFC 5321, 3.8). At the dot it spends the attempt, for
    // a relay that fails at one particular message would be offered that message for ever.
    line(ENVELOPE,  "421",             "*",                         Relay,     Throttled,      HoldBack),
    line(DOT,       "421",             "*",                         Relay,     Throttled,      Retry),

    // A login or TLS that we did not offer (RFC 4954, 6; RFC 3207, 4).
    line(ANY_MAIL,  "530 534 535 538", "*",                         Account,   Auth,           HoldBack),
    line(ENVELOPE,  "5xx",             "x.7.8 x.7.9 x.7.11",        Account,   Auth,           HoldBack),
    // 454 is a failed login (RFC 4954, 6) until the recipient is named; Postfix defers relaying with it.
    // At the dot it is how Amazon and others say that their rate is exceeded.
    line(MAIL,      "454",             "*",                         Account,   Auth,           HoldBack),
    line(RCPT,      "454",             "*",                         Account,   RelayingDenied, HoldBack),
    line(MESSAGE,   "454",             "*",                         Account,   Throttled,      SlowDown),

    // The size of the message and the form of an address are about this mail, also at MAIL.
    line(MAIL,      "552",             "x.3.4 x.2.3 x.0.0 none",    Content,   ContentTooLarge, Fail),
    line(ANY_MAIL,  "5xx",             "x.3.4 x.2.3",               Content,   ContentTooLarge, Fail),
    line(ANY_MAIL,  "5xx",             "x.6.7",                     Recipient, AddressUnsupported, Fail),

    // The sender: its form, its domain, whether it is ours. x.7.57 to x.7.7?? are Exchange's.
    line(ANY_MAIL,  "4xx 5xx",         "x.1.7 x.1.8 x.7.27",        Account,   SenderRefused,  HoldBack),
    line(ANY_MAIL,  "5xx",             "x.7.57",                    Account,   Auth,           HoldBack),
    line(ANY_MAIL,  "5xx",             "x.7.60 x.7.61",             Account,   SenderRefused,  HoldBack),
    // The account or our address on the network is blocked.
    line(ANY_MAIL,  "5xx",             "x.7.501 x.7.502 x.7.503 x.7.508 x.7.511 x.7.6?? x.7.7??", Account, Policy, HoldBack),
    // What the account may send in a day: x.4.5 is congestion of the system and never of an address,
    // x.1.90 is Exchange's.
    line(ANY_MAIL,  "5xx",             "x.4.5 x.1.90",              Account,   Quota,          HoldBack),
    line(FROM_RCPT, "4xx",             "x.4.5 x.1.90",              Account,   Throttled,      SlowDown),
    // Limits in a time: connections, messages, recipients (x.7.28 is Google's, x.7.5?? and x.7.6?? are
    // Microsoft's, 432 is Exchange's).
    line(FROM_RCPT, "4xx",             "x.7.28 x.7.5?? x.7.6??",    Account,   Throttled,      SlowDown),
    line(FROM_RCPT, "432",             "*",                         Relay,     Throttled,      SlowDown),
    line(FROM_RCPT, "4xx",             "x.5.3",                     Account,   Throttled,      SlowDown),
    // The server is full, stops, or takes nothing at the moment.
    line(FROM_RCPT, "4xx",             "x.3.1 x.3.2",               Relay,     Throttled,      SlowDown),
    line(ANY_MAIL,  "5xx",             "x.3.2 x.3.5",               Relay,     Policy,         HoldBack),

    // At MAIL the relay knows nothing but the sender.
    line(MAIL,      "500 501 502 503 504 555", "*",                 Relay,     Protocol,       HoldBack),
    line(MAIL,      "4xx",             "*",                         Relay,     Throttled,      HoldBack),
    line(MAIL,      "5xx",             "*",                         Account,   SenderRefused,  HoldBack),

    // The conversation went wrong: not the address, and perhaps not the next time.
    line(&[Phase::Rcpt, Phase::Data], "500 502 503", "*",           Relay,     Protocol,       Retry),

    // The mailbox. Only these say that there is none; x.2.1 says that it exists and takes nothing now.
    // x.1.2 says that there is no such system, and some servers say it of all they do not relay to.
    line(FROM_RCPT, "5xx",             "x.1.1 x.1.3 x.1.6 x.1.10",  Recipient, AddressUnknown, Fail),
    line(FROM_RCPT, "5xx",             "x.1.2",                     Unclear,   AddressUnknown, Fail),
    line(FROM_RCPT, "5xx",             "x.2.2",                     Recipient, MailboxFull,    Fail),
    line(FROM_RCPT, "4xx",             "x.2.2",                     Recipient, MailboxFull,    Retry),
    line(FROM_RCPT, "5xx",             "x.1.4 x.1.5 x.2.1 x.2.4",   Recipient, Refused,        Fail),
    line(FROM_RCPT, "4xx",             "x.1.* x.2.1 x.2.4 x.4.*",   Recipient, Throttled,      Retry),

    line(RCPT,      "552",             "*",                         Recipient, MailboxFull,    Fail),

    // The message.
    line(DOT,       "5xx",             "x.6.*",                     Content,   Refused,        Fail),
    line(MESSAGE,   "552",             "*",                         Unclear,   ContentTooLarge, Fail),

    // What is left may be about anybody.
    line(FROM_RCPT, "5xx",             "x.7.*",                     Unclear,   Policy,         Fail),
    line(FROM_RCPT, "5xx",             "*",                         Unclear,   Refused,        Fail),
    line(FROM_RCPT, "4xx",             "*",                         Unclear,   Throttled,      Retry),
];

/// Reads the table. `names_sender` says that the reply names our sender address and not the recipient.
///
/// `None` for what is no refusal.
pub(super) fn judge(phase: Phase, reply: &Reply, names_sender: bool) -> Option<(Scope, Verdict)> {
    let fits = |line: &&Line| line.fits(phase, reply);
    let named = NAMES_THE_SENDER.iter().filter(|_| names_sender).find(fits);
    let line = named.or_else(|| TABLE.iter().find(fits))?;
    Some((line.scope, line.verdict()))
}

impl Line {
    fn fits(&self, phase: Phase, reply: &Reply) -> bool {
        self.at.contains(&phase)
            && self.codes.split(' ').any(|pattern| fits_code(pattern, reply.code))
            && (self.enhanced == "*"
                || self
                    .enhanced
                    .split(' ')
                    .any(|pattern| fits_enhanced(pattern, reply.enhanced())))
    }

    const fn verdict(&self) -> Verdict {
        let class = self.class;
        match self.then {
            Then::Fail => Verdict::Refused { class },
            Then::Retry => Verdict::TryLater { class },
            Then::SlowDown => Verdict::SlowDown { class },
            Then::HoldBack => Verdict::RelayTrouble { class },
        }
    }
}

fn fits_code(pattern: &str, code: u16) -> bool {
    let digits = code.to_string();
    pattern.len() == digits.len()
        && pattern
            .bytes()
            .zip(digits.bytes())
            .all(|(pattern, digit)| pattern == b'x' || pattern == digit)
}

/// `?` stands for one digit, `*` for a whole number.
fn fits_enhanced(pattern: &str, enhanced: Option<&str>) -> bool {
    let Some(enhanced) = enhanced else {
        return pattern == "none";
    };
    let mut numbers = enhanced.split('.');
    pattern.split('.').enumerate().all(|(place, pattern)| {
        numbers.next().is_some_and(|number| {
            place == 0
                || pattern == "*"
                || (pattern.len() == number.len()
                    && pattern
                        .bytes()
                        .zip(number.bytes())
                        .all(|(pattern, digit)| pattern == b'?' || pattern == digit))
        })
    })
}

//! The table of replies: what a reply is about, and what follows.
//!
//! The first matching rule decides. `x` in a code matches any digit (RFC 5321, 4.2.1: a client acts on the
//! first digit if it does not know the others); in an enhanced code (RFC 3463) it is the class, which always
//! agrees with the reply's first digit. `*` matches any enhanced code or none, `none` only a reply without one.
//! | Scope | The reply is about | What follows |
//! |---|---|---|
//! | recipient | this address or mailbox | the delivery fails, or is retried after minutes |
//! | content | this message | the same, unless most recipients get the same words |
//! | account | our sender address, login or quota | no attempt is spent; mail is held back, batches pause |
//! | relay | the server itself | no attempt is spent; mail slows down or is held back |
//! | unclear | one of the above | the recipient's, unless most recipients get the same words |

use super::phase::Phase;
use super::reply::Reply;
use super::trouble::TroubleClass as Class;

/// What a reply is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// This address or mailbox.
    Recipient,
    /// This message.
    Content,
    /// Our sender address, our login, or the quota of our account.
    Account,
    /// The server itself, regardless of sender and recipient.
    Relay,
    /// Not clear from the reply. The answers to other mails decide (`refusals.rs`).
    Unclear,
}

/// What follows for the mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Consequence {
    /// The delivery fails.
    Fail,
    /// Retried after minutes. The attempt is spent.
    Retry,
    /// Retried after seconds at a lower rate. No attempt is spent.
    SlowDown,
    /// Held back with all mail until the relay accepts mail again. No attempt is spent.
    HoldBack,
}

/// One rule of the table.
struct Rule {
    at: &'static [Phase],
    /// Codes, separated by spaces.
    codes: &'static str,
    /// Enhanced codes, separated by spaces.
    enhanced: &'static str,
    scope: Scope,
    class: Class,
    consequence: Consequence,
}

const fn rule(
    at: &'static [Phase],
    codes: &'static str,
    enhanced: &'static str,
    scope: Scope,
    class: Class,
    consequence: Consequence,
) -> Rule {
    Rule {
        at,
        codes,
        enhanced,
        scope,
        class,
        consequence,
    }
}

use Class::{
    AddressUnknown, AddressUnsupported, Auth, ContentTooLarge, MailboxFull, Policy, Protocol, Quota, Refused,
    RelayingDenied, SenderRefused, Throttled, Tls,
};
use Consequence::{Fail, HoldBack, Retry, SlowDown};
use Scope::{Account, Content, Recipient, Relay, Unclear};

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
/// Once the recipient is named.
const FROM_RCPT: &[Phase] = &[Phase::Rcpt, Phase::Data, Phase::Body, Phase::Dot];
const ANY_MAIL: &[Phase] = &[Phase::Mail, Phase::Rcpt, Phase::Data, Phase::Body, Phase::Dot];

/// A reply that names our sender address and not the recipient. Postfix checks the sender only once it has the
/// recipient (`smtpd_delay_reject`), so the phase does not show what it is about.
#[rustfmt::skip]
const NAMES_THE_SENDER: &[Rule] = &[
    rule(RCPT,      "421",             "*",                         Relay,     Throttled,      HoldBack),
    rule(RCPT,      "4xx 5xx",         "*",                         Account,   SenderRefused,  HoldBack),
];

#[rustfmt::skip]
const TABLE: &[Rule] = &[
    // Before any mail it is never about one.
    rule(OPENING,   "4xx",             "*",                         Relay,     Throttled,      HoldBack),
    rule(OPENING,   "5xx",             "*",                         Relay,     Policy,         HoldBack),
    rule(STARTTLS,  "4xx 5xx",         "*",                         Relay,     Tls,            HoldBack),
    rule(AUTH,      "4xx 5xx",         "*",                         Account,   Auth,           HoldBack),

    // 421 closes the connection, whatever command it answers (RFC 5321, 3.8). At the dot it spends the attempt:
    // a relay that fails on one particular message would otherwise be offered it forever.
    rule(ENVELOPE,  "421",             "*",                         Relay,     Throttled,      HoldBack),
    rule(DOT,       "421",             "*",                         Relay,     Throttled,      Retry),

    // A login or TLS that was not offered (RFC 4954, 6; RFC 3207, 4).
    rule(ANY_MAIL,  "530 534 535 538", "*",                         Account,   Auth,           HoldBack),
    rule(ENVELOPE,  "5xx",             "x.7.8 x.7.9 x.7.11",        Account,   Auth,           HoldBack),
    // 454 is a failed login (RFC 4954, 6) until the recipient is named; Postfix defers relaying with it. At the
    // dot, Amazon and others use it for an exceeded rate.
    rule(MAIL,      "454",             "*",                         Account,   Auth,           HoldBack),
    rule(RCPT,      "454",             "*",                         Account,   RelayingDenied, HoldBack),
    rule(MESSAGE,   "454",             "*",                         Account,   Throttled,      SlowDown),

    // The size of the message and the syntax of an address are about this mail, even at MAIL.
    rule(MAIL,      "552",             "x.3.4 x.2.3 x.0.0 none",    Content,   ContentTooLarge, Fail),
    rule(ANY_MAIL,  "5xx",             "x.3.4 x.2.3",               Content,   ContentTooLarge, Fail),
    rule(ANY_MAIL,  "5xx",             "x.6.7",                     Recipient, AddressUnsupported, Fail),

    // The sender: its syntax, its domain, whether it is ours. x.7.57 to x.7.7?? are Exchange's.
    rule(ANY_MAIL,  "4xx 5xx",         "x.1.7 x.1.8 x.7.27",        Account,   SenderRefused,  HoldBack),
    rule(ANY_MAIL,  "5xx",             "x.7.57",                    Account,   Auth,           HoldBack),
    rule(ANY_MAIL,  "5xx",             "x.7.60 x.7.61",             Account,   SenderRefused,  HoldBack),
    // The account or our IP address is blocked.
    rule(ANY_MAIL,  "5xx",             "x.7.501 x.7.502 x.7.503 x.7.508 x.7.511 x.7.6?? x.7.7??", Account, Policy, HoldBack),
    // The account's daily quota: x.4.5 is congestion of the system and never about an address, x.1.90 is
    // Exchange's.
    rule(ANY_MAIL,  "5xx",             "x.4.5 x.1.90",              Account,   Quota,          HoldBack),
    rule(FROM_RCPT, "4xx",             "x.4.5 x.1.90",              Account,   Throttled,      SlowDown),
    // Rate limits: connections, messages, recipients (x.7.28 is Google's, x.7.5?? and x.7.6?? are Microsoft's,
    // 432 is Exchange's).
    rule(FROM_RCPT, "4xx",             "x.7.28 x.7.5?? x.7.6??",    Account,   Throttled,      SlowDown),
    rule(FROM_RCPT, "432",             "*",                         Relay,     Throttled,      SlowDown),
    rule(FROM_RCPT, "4xx",             "x.5.3",                     Account,   Throttled,      SlowDown),
    // The server is full, is shutting down, or accepts nothing at the moment.
    rule(FROM_RCPT, "4xx",             "x.3.1 x.3.2",               Relay,     Throttled,      SlowDown),
    rule(ANY_MAIL,  "5xx",             "x.3.2 x.3.5",               Relay,     Policy,         HoldBack),

    // At MAIL the relay knows only the sender.
    rule(MAIL,      "500 501 502 503 504 555", "*",                 Relay,     Protocol,       HoldBack),
    rule(MAIL,      "4xx",             "*",                         Relay,     Throttled,      HoldBack),
    rule(MAIL,      "5xx",             "*",                         Account,   SenderRefused,  HoldBack),

    // A protocol error: not about the address, and perhaps not permanent.
    rule(&[Phase::Rcpt, Phase::Data], "500 502 503", "*",           Relay,     Protocol,       Retry),

    // The mailbox. Only these mean that it does not exist; x.2.1 means that it exists and accepts nothing now.
    // x.1.2 means that the system does not exist, but some servers use it for every domain that they do not
    // relay to.
    rule(FROM_RCPT, "5xx",             "x.1.1 x.1.3 x.1.6 x.1.10",  Recipient, AddressUnknown, Fail),
    rule(FROM_RCPT, "5xx",             "x.1.2",                     Unclear,   AddressUnknown, Fail),
    rule(FROM_RCPT, "5xx",             "x.2.2",                     Recipient, MailboxFull,    Fail),
    rule(FROM_RCPT, "4xx",             "x.2.2",                     Recipient, MailboxFull,    Retry),
    rule(FROM_RCPT, "5xx",             "x.1.4 x.1.5 x.2.1 x.2.4",   Recipient, Refused,        Fail),
    rule(FROM_RCPT, "4xx",             "x.1.* x.2.1 x.2.4 x.4.*",   Recipient, Throttled,      Retry),

    rule(RCPT,      "552",             "*",                         Recipient, MailboxFull,    Fail),

    // The message.
    rule(DOT,       "5xx",             "x.6.*",                     Content,   Refused,        Fail),
    rule(MESSAGE,   "552",             "*",                         Unclear,   ContentTooLarge, Fail),

    // The rest may be about anything.
    rule(FROM_RCPT, "5xx",             "x.7.*",                     Unclear,   Policy,         Fail),
    rule(FROM_RCPT, "5xx",             "*",                         Unclear,   Refused,        Fail),
    rule(FROM_RCPT, "4xx",             "*",                         Unclear,   Throttled,      Retry),
];

/// Looks up a reply in the table. `names_sender` means that it names our sender address and not the recipient.
///
/// Returns `None` if the reply is not a refusal.
pub(super) fn classify(phase: Phase, reply: &Reply, names_sender: bool) -> Option<(Scope, Class, Consequence)> {
    let fits = |rule: &&Rule| rule.fits(phase, reply);
    let named = NAMES_THE_SENDER.iter().filter(|_| names_sender).find(fits);
    let rule = named.or_else(|| TABLE.iter().find(fits))?;
    Some((rule.scope, rule.class, rule.consequence))
}

impl Rule {
    fn fits(&self, phase: Phase, reply: &Reply) -> bool {
        self.at.contains(&phase)
            && self.codes.split(' ').any(|pattern| fits_code(pattern, reply.code))
            && (self.enhanced == "*"
                || self
                    .enhanced
                    .split(' ')
                    .any(|pattern| fits_enhanced(pattern, reply.enhanced())))
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

/// `?` matches one digit, `*` a whole number.
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

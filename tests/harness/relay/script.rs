//! The relay's instructions.

use std::borrow::Cow;
use std::time::Duration;

/// Steps of an SMTP session at which the relay can misbehave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// The reply to `MAIL FROM`. The recipient is not known yet, so only the default behaviour applies.
    Mail,
    /// The reply to `RCPT TO`.
    Rcpt,
    /// The reply to `DATA`.
    Data,
    /// The reply to the final dot.
    Dot,
}

/// Points at which the relay can close the connection without a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HangUp {
    /// On `DATA`, before replying to it.
    BeforeData,
    /// At the first bytes of the message; the mail is lost.
    InData,
    /// On the final dot; the mail is lost.
    AfterDotLost,
    /// On the final dot; the mail is accepted, but the client gets no reply.
    AfterDotKept,
}

/// How the relay treats one recipient.
///
/// The recipient's address can choose it: the local part `550`, or `550+ada` to use it several times, is parsed by
/// [`Behaviour::from_local_part`] unless a rule overrides it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Behaviour {
    /// Accepts the mail.
    Accept,
    /// Replies `451 4.7.1` to the first `RCPT`s for a recipient, then accepts the mail.
    AcceptAfter {
        /// How many attempts are deferred.
        refusals: u32,
    },
    /// Replies `451 4.7.1` to the `RCPT`s for a recipient until this time has passed since the first one, as greylisting
    /// does.
    Greylist(Duration),
    /// Sends exactly this reply at this step, line ends included; a reply that begins with `421` also closes the
    /// connection. The mail counts as kept only when the reply to the dot begins with `2`.
    Answer {
        /// The step.
        at: Step,
        /// The bytes of the reply.
        reply: Cow<'static, str>,
    },
    /// Closes the connection without a reply.
    HangUp(HangUp),
    /// Accepts the mail and replies only after this time.
    SlowDot(Duration),
    /// Sends the usual reply at this step after this time.
    Slow {
        /// The step.
        at: Step,
        /// How long the reply takes.
        wait: Duration,
    },
    /// Never replies at this step and keeps the connection open.
    Silence {
        /// The step.
        at: Step,
    },
    /// Sends a multi-line reply that never ends.
    Endless {
        /// The step.
        at: Step,
    },
    /// Sends a positive reply in one line of 64 KiB.
    LongLine {
        /// The step.
        at: Step,
    },
    /// Sends the usual reply, one byte a second.
    Trickle {
        /// The step.
        at: Step,
    },
}

impl Behaviour {
    /// Sends this line at this step.
    pub fn answer(at: Step, line: &str) -> Self {
        Self::Answer {
            at,
            reply: Cow::Owned(format!("{line}\r\n")),
        }
    }

    /// Refuses an unknown user: `550 5.1.1` at `RCPT`.
    pub fn no_such_user() -> Self {
        Self::answer(Step::Rcpt, "550 5.1.1 no such user")
    }

    /// Defers the mail: `451 4.7.1` at every `RCPT`.
    pub fn try_later() -> Self {
        Self::answer(Step::Rcpt, "451 4.7.1 greylisted, try again later")
    }

    /// Reports a full mailbox after the dot.
    pub fn mailbox_full_after_dot() -> Self {
        Self::answer(Step::Dot, "552 5.2.2 mailbox full")
    }

    /// Refuses the content after the dot.
    pub fn refused_after_dot() -> Self {
        Self::answer(Step::Dot, "554 5.7.1 message refused as spam")
    }

    /// Closes the session with a 421 at this step.
    pub fn closing(at: Step) -> Self {
        Self::answer(at, "421 4.3.2 service not available, closing channel")
    }

    /// Sends a line that is not SMTP.
    pub fn garbage(at: Step) -> Self {
        Self::answer(at, "\u{7}ok then?!")
    }

    /// Accepts the mail with a reply code and no text.
    pub fn bare_250() -> Self {
        Self::answer(Step::Dot, "250")
    }

    /// Parses the behaviour named by a recipient's local part, up to a `+`.
    ///
    /// `accept`, `451-then-ok` (once) or `451-then-ok-3`, `451`, `550`, `552-after-dot`, `554-after-dot`,
    /// `drop-before-data`, `drop-in-data`, `drop-before-dot` (the same), `drop-after-dot` (kept),
    /// `drop-after-dot-lost`, `slow-dot-30s`, `slow-dot-200ms`, `421`, `421-at-dot`, `354-never`, `garbage`, `bare250`,
    /// `multiline`, `huge-reply`, `trickle`.
    pub fn from_local_part(local_part: &str) -> Option<Self> {
        let name = local_part.split('+').next().unwrap_or(local_part);
        Some(match name {
            "accept" => Self::Accept,
            "451" => Self::try_later(),
            "451-then-ok" => Self::AcceptAfter { refusals: 1 },
            "550" => Self::no_such_user(),
            "552-after-dot" => Self::mailbox_full_after_dot(),
            "554-after-dot" => Self::refused_after_dot(),
            "drop-before-data" => Self::HangUp(HangUp::BeforeData),
            "drop-in-data" | "drop-before-dot" => Self::HangUp(HangUp::InData),
            "drop-after-dot" => Self::HangUp(HangUp::AfterDotKept),
            "drop-after-dot-lost" => Self::HangUp(HangUp::AfterDotLost),
            "421" => Self::closing(Step::Rcpt),
            "421-at-dot" => Self::closing(Step::Dot),
            "354-never" => Self::Silence { at: Step::Data },
            "garbage" => Self::garbage(Step::Dot),
            "bare250" => Self::bare_250(),
            "multiline" => Self::Endless { at: Step::Dot },
            "huge-reply" => Self::LongLine { at: Step::Dot },
            "trickle" => Self::Trickle { at: Step::Dot },
            other => return Self::with_number(other),
        })
    }

    fn with_number(name: &str) -> Option<Self> {
        if let Some(refusals) = name.strip_prefix("451-then-ok-") {
            return Some(Self::AcceptAfter {
                refusals: refusals.parse().ok()?,
            });
        }
        let wait = name.strip_prefix("slow-dot-")?;
        let wait = match wait.strip_suffix("ms") {
            Some(milliseconds) => Duration::from_millis(milliseconds.parse().ok()?),
            None => Duration::from_secs(wait.strip_suffix('s')?.parse().ok()?),
        };
        Some(Self::SlowDot(wait))
    }
}

/// How the relay behaves towards all recipients.
///
/// To refuse connections, close its port: `Relay::pause_listening`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    /// Works normally.
    Normal,
    /// Accepts connections and never sends a greeting.
    NeverGreets,
    /// Greets with this line instead of a 220 and closes.
    Greets(Cow<'static, str>),
    /// Replies `535 5.7.8` to every password.
    RefusesLogin,
    /// Replies `550 5.7.1` to every sender.
    RefusesSender,
    /// Replies `451 4.3.2` to every sender.
    Busy,
    /// Neither offers nor knows STARTTLS, as if it had been stripped in transit.
    StripsStartTls,
    /// Accepts STARTTLS and then does not speak TLS.
    BreaksTls,
}

/// How many mails the relay takes in a time window, and its reply to the rest. Several limits may apply at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// Where it counts and refuses: [`Step::Rcpt`] or [`Step::Dot`].
    pub at: Step,
    /// The most mails it takes in one window.
    pub most: usize,
    /// Length of the sliding window.
    pub window: Duration,
    /// The reply once the limit is reached.
    pub reply: Cow<'static, str>,
}

impl Limit {
    /// Takes `most` mails per second and replies 454 to the dot of the others.
    pub fn per_second(most: usize) -> Self {
        Self {
            at: Step::Dot,
            most,
            window: Duration::from_secs(1),
            reply: Cow::Borrowed("454 throttled: sending rate of this account exceeded"),
        }
    }

    /// Takes `most` mails per day and refuses the others at the dot.
    pub fn per_day(most: usize, reply: &'static str) -> Self {
        Self {
            at: Step::Dot,
            most,
            window: Duration::from_hours(24),
            reply: Cow::Borrowed(reply),
        }
    }
}

/// How connections are protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tls {
    /// No TLS.
    None,
    /// STARTTLS, offered but not required.
    StartTls,
    /// TLS from the first byte.
    Implicit,
}

/// An SMTP extension that a relay may offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offer {
    /// PIPELINING: commands may be sent before earlier replies arrive.
    Pipelining,
    /// 8BITMIME: bodies may contain bytes beyond ASCII.
    EightBit,
    /// SMTPUTF8: addresses may contain characters beyond ASCII.
    Utf8Addresses,
}

/// What the relay keeps of each mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// The whole mail.
    Mails,
    /// The recipient and the ids, without content.
    Ids,
    /// Only counts, which is all the bench needs from its sink.
    Counts,
}

/// The user name and password the relay requires.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// The user name.
    pub user: String,
    /// The password.
    pub password: String,
}

/// The relay's initial behaviour; some of it can be changed while it runs.
///
/// ```ignore
/// Relay::start(Script { default: Behaviour::no_such_user(), ..Script::default() }).await?
/// ```
#[derive(Debug, Clone)]
pub struct Script {
    /// For recipients without a rule and without a behaviour in their local part.
    pub default: Behaviour,
    /// For these recipients (whole addresses).
    pub recipients: Vec<(String, Behaviour)>,
    /// Whether local parts such as `550` name a behaviour.
    pub local_parts_speak: bool,
    /// The mode of the relay as a whole.
    pub mode: Mode,
    /// How connections are protected.
    pub tls: Tls,
    /// The host names in its certificate.
    pub certificate_names: Vec<String>,
    /// Credentials required to send; none when absent.
    pub login: Option<Login>,
    /// Extensions beyond SIZE and ENHANCEDSTATUSCODES.
    pub offers: Vec<Offer>,
    /// The largest message it accepts, announced by SIZE.
    pub size: usize,
    /// What it keeps of each mail.
    pub keep: Keep,
    /// The most connections that may be open. Further ones are greeted with a `421`.
    pub max_connections: usize,
    /// Whether it slows down clients that hit many refused recipients: after ten refusals on a connection without an
    /// accepted mail, each reply takes a second; after twenty it closes the connection. These are Postfix's defaults
    /// (`smtpd_soft_error_limit` and `smtpd_hard_error_limit`, postconf(5)).
    pub punishes_errors: bool,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            default: Behaviour::Accept,
            recipients: Vec::new(),
            local_parts_speak: true,
            mode: Mode::Normal,
            tls: Tls::None,
            certificate_names: vec!["localhost".to_owned(), "127.0.0.1".to_owned()],
            login: None,
            offers: vec![Offer::Pipelining, Offer::EightBit],
            size: 25 * 1024 * 1024,
            keep: Keep::Mails,
            max_connections: usize::MAX,
            punishes_errors: false,
        }
    }
}

//! What the relay is told to do.

use std::borrow::Cow;
use std::time::Duration;

/// Moments of an SMTP conversation at which the relay can misbehave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// Answering `MAIL FROM`. The recipient is not known yet: only the default behaviour counts.
    Mail,
    /// Answering `RCPT TO`.
    Rcpt,
    /// Answering `DATA`.
    Data,
    /// Answering the dot that ends the message.
    Dot,
}

/// Moments at which the relay can hang up without a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HangUp {
    /// On `DATA`, before answering it.
    BeforeData,
    /// With the first bytes of the message, which is lost.
    InData,
    /// On the final dot; the mail is lost.
    AfterDotLost,
    /// On the final dot; the mail was taken, but nobody is told.
    AfterDotKept,
}

/// How the relay treats one recipient.
///
/// A recipient can name it: the local part `550`, or `550+ada` where many are needed, follows
/// [`Behaviour::from_local_part`] unless a rule says otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Behaviour {
    /// Takes the mail.
    Accept,
    /// Says `451 4.7.1` to the first `RCPT`s for a recipient, then takes the mail.
    AcceptAfter {
        /// How many tries are put off.
        refusals: u32,
    },
    /// Answers at this step with exactly this, line ends included; one that begins with `421`
    /// also closes. The mail counts as kept only when the answer to the dot begins with `2`.
    Answer {
        /// When.
        at: Step,
        /// What is written, byte by byte.
        reply: Cow<'static, str>,
    },
    /// Closes the connection without an answer.
    HangUp(HangUp),
    /// Takes the mail, and says so only after this time.
    SlowDot(Duration),
    /// Answers as usual at this step, after this time.
    Slow {
        /// When.
        at: Step,
        /// How long it takes.
        wait: Duration,
    },
    /// Never answers at this step, and keeps the connection.
    Silence {
        /// When.
        at: Step,
    },
    /// Answers with a reply of several lines that never ends.
    Endless {
        /// When.
        at: Step,
    },
    /// Answers kindly, in one line of 64 KiB.
    LongLine {
        /// When.
        at: Step,
    },
    /// Answers as usual, one byte a second.
    Trickle {
        /// When.
        at: Step,
    },
}

impl Behaviour {
    /// Answers at this step with one line.
    pub fn answer(at: Step, line: &str) -> Self {
        Self::Answer {
            at,
            reply: Cow::Owned(format!("{line}\r\n")),
        }
    }

    /// Knows no such user: `550 5.1.1` at `RCPT`.
    pub fn no_such_user() -> Self {
        Self::answer(Step::Rcpt, "550 5.1.1 no such user")
    }

    /// Asks to come back later: `451 4.7.1` at every `RCPT`.
    pub fn try_later() -> Self {
        Self::answer(Step::Rcpt, "451 4.7.1 greylisted, try again later")
    }

    /// Finds the mailbox full once it has seen the message.
    pub fn mailbox_full_after_dot() -> Self {
        Self::answer(Step::Dot, "552 5.2.2 mailbox full")
    }

    /// Dislikes the message once it has seen it.
    pub fn refused_after_dot() -> Self {
        Self::answer(Step::Dot, "554 5.7.1 message refused as spam")
    }

    /// Ends the session with a 421 at this step.
    pub fn closing(at: Step) -> Self {
        Self::answer(at, "421 4.3.2 service not available, closing channel")
    }

    /// Says something that is no SMTP.
    pub fn garbage(at: Step) -> Self {
        Self::answer(at, "\u{7}ok then?!")
    }

    /// Accepts the mail with a code and no text at all.
    pub fn bare_250() -> Self {
        Self::answer(Step::Dot, "250")
    }

    /// The behaviour that a recipient's local part names, up to a `+`.
    ///
    /// `accept`, `451-then-ok` (once) or `451-then-ok-3`, `451`, `550`, `552-after-dot`,
    /// `554-after-dot`, `drop-before-data`, `drop-in-data`, `drop-before-dot` (the same),
    /// `drop-after-dot` (kept), `drop-after-dot-lost`, `slow-dot-30s`, `slow-dot-200ms`, `421`,
    /// `421-at-dot`, `354-never`, `garbage`, `bare250`, `multiline`, `huge-reply`, `trickle`.
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

/// How the relay as a whole is, whoever the mail is for.
///
/// A relay that refuses connections is a matter of its port: `Relay::pause_listening`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    /// Works.
    Normal,
    /// Takes connections and never says a word.
    NeverGreets,
    /// Greets with this line instead of a 220, and closes.
    Greets(Cow<'static, str>),
    /// Says `535 5.7.8` to every password.
    RefusesLogin,
    /// Says `550 5.7.1` to every sender.
    RefusesSender,
    /// Says `451 4.3.2` to every sender.
    Busy,
    /// Offers and knows no STARTTLS, as when somebody on the way removes it.
    StripsStartTls,
    /// Agrees to STARTTLS and then speaks no TLS.
    BreaksTls,
}

/// How many mails the relay takes in a time, and what it says to the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// When it counts and refuses: [`Step::Rcpt`] or [`Step::Dot`].
    pub at: Step,
    /// So many
    pub most: usize,
    /// in any time as long as this.
    pub window: Duration,
    /// What is said beyond it.
    pub reply: Cow<'static, str>,
}

impl Limit {
    /// Takes `most` mails in a second, and answers 454 to the dot of the others.
    pub fn per_second(most: usize) -> Self {
        Self {
            at: Step::Dot,
            most,
            window: Duration::from_secs(1),
            reply: Cow::Borrowed("454 throttled: sending rate of this account exceeded"),
        }
    }

    /// Takes `most` mails in a day, and refuses the others at the dot.
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
    /// Not at all.
    None,
    /// By STARTTLS, which is offered and not demanded.
    StartTls,
    /// From the first byte.
    Implicit,
}

/// An extension of SMTP that a relay may or may not offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offer {
    /// PIPELINING: commands may be sent ahead of the replies.
    Pipelining,
    /// 8BITMIME: bodies may hold bytes beyond ASCII.
    EightBit,
    /// SMTPUTF8: addresses may hold letters beyond ASCII.
    Utf8Addresses,
}

/// What the relay remembers of each mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// All of it.
    Mails,
    /// Who, and by which ids; no content.
    Ids,
    /// Only how many, which is what a bench wants of its sink.
    Counts,
}

/// Name and password the relay asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// Its name.
    pub user: String,
    /// Its password.
    pub password: String,
}

/// What a relay is and does from its start; the rest can be changed while it runs.
///
/// ```ignore
/// Relay::start(Script { default: Behaviour::no_such_user(), ..Script::default() }).await?
/// ```
#[derive(Debug, Clone)]
pub struct Script {
    /// For recipients that neither a rule nor their own local part speaks for.
    pub default: Behaviour,
    /// For these recipients (whole addresses).
    pub recipients: Vec<(String, Behaviour)>,
    /// Whether local parts such as `550` name a behaviour.
    pub local_parts_speak: bool,
    /// How the relay as a whole is.
    pub mode: Mode,
    /// How connections are protected.
    pub tls: Tls,
    /// The host names in its certificate.
    pub certificate_names: Vec<String>,
    /// Who may send; everybody when absent.
    pub login: Option<Login>,
    /// What it offers beyond plain SMTP, besides SIZE and ENHANCEDSTATUSCODES.
    pub offers: Vec<Offer>,
    /// The largest message it takes, and offers by SIZE.
    pub size: usize,
    /// What it remembers of each mail.
    pub keep: Keep,
    /// Whether it answers slowly to clients whose recipients it refuses: after ten refusals on a connection without
    /// a mail that it took each takes a second, after twenty it hangs up. Postfix's defaults
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
            punishes_errors: false,
        }
    }
}

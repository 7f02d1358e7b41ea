//! Where logs go and in what form.
//!
//! Logs are written to standard error: standard output belongs to commands whose answer is read
//! by a script (`create-key` prints the key there, alone).
//!
//! A line has ids, counts, codes and words of ours, and never what a person, a relay or Postgres
//! wrote about one: no name, no address but a masked one, no subject, no password. That holds at
//! every level, and a journey reads all lines of a run in which much goes wrong. Every attempt has
//! one line that tells what became of it (`worker::outcome`). Traces go another way, see
//! [`crate::trace`].

mod count;

pub use count::counter;

use std::io::IsTerminal as _;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// The form of a log line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LogFormat {
    /// One JSON object a line, for machines.
    Json,
    /// One sentence a line, for people.
    Text,
}

impl LogFormat {
    /// Text on a terminal, JSON elsewhere.
    pub fn fitting() -> Self {
        if std::io::stderr().is_terminal() {
            Self::Text
        } else {
            Self::Json
        }
    }

    /// Reads `json` or `text`.
    ///
    /// # Errors
    ///
    /// What to write instead.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text {
            "json" => Ok(Self::Json),
            "text" => Ok(Self::Text),
            _ => Err(format!("is {text:?}; write json or text")),
        }
    }
}

/// What to log and how.
pub struct LogSettings {
    /// Which events.
    pub filter: EnvFilter,
    /// In what form.
    pub format: LogFormat,
}

/// Others that are heard less than a filter for all would have it, unless it names them. lapin logs
/// what it also returns, before we can say what it means; Postgres notices at each start that the
/// table of migrations is there; html5ever repeats every letter that it reads.
const QUIET: [(&str, &str); 3] = [
    ("lapin", "off"),
    ("sqlx::postgres::notice", "warn"),
    ("html5ever", "warn"),
];

/// Reads a tracing filter such as `info` or `info,worker=debug`.
///
/// # Errors
///
/// What is wrong with it.
pub fn filter(text: &str) -> Result<EnvFilter, String> {
    let mut quiet = text.to_owned();
    for (target, level) in QUIET {
        if !text.contains(target) {
            quiet = format!("{quiet},{target}={level}");
        }
    }
    EnvFilter::try_new(quiet).map_err(|fault| format!("is {text:?}, which is no tracing filter: {fault}"))
}

/// Starts logging for this process.
///
/// # Errors
///
/// When logging was started before.
pub fn start(settings: LogSettings) -> Result<(), tracing_subscriber::util::TryInitError> {
    let lines = tracing_subscriber::fmt()
        .with_env_filter(settings.filter)
        .with_writer(std::io::stderr)
        .with_target(true);
    match settings.format {
        LogFormat::Json => lines
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false)
            .finish()
            .with(count::Counting)
            .try_init(),
        LogFormat::Text => lines
            .with_ansi(std::io::stderr().is_terminal())
            .finish()
            .with(count::Counting)
            .try_init(),
    }
}

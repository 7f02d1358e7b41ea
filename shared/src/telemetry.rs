//! The destination and format of logs.
//!
//! Logs are written to standard error: standard output belongs to commands whose output is read by a script
//! (`create-key` prints only the key there).
//!
//! A line contains ids, counts, codes and our own words, and never what a user, a relay or Postgres wrote
//! about one: no name, no unmasked address, no subject, no password. That holds at every level, and an
//! end-to-end test reads all lines of a run with many failures. Every attempt has one line with its outcome
//! (`worker::outcome`). Traces take another path, see [`crate::trace`].

mod count;

pub use count::counter;

use std::io::IsTerminal as _;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// The format of a log line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LogFormat {
    /// One JSON object per line, for machines.
    Json,
    /// One sentence per line, for people.
    Text,
}

impl LogFormat {
    /// Text on a terminal, JSON elsewhere.
    pub fn detect() -> Self {
        if std::io::stderr().is_terminal() {
            Self::Text
        } else {
            Self::Json
        }
    }

    /// Parses `json` or `text`.
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

/// What to log, and in which format.
pub struct LogSettings {
    /// The events to log.
    pub filter: EnvFilter,
    /// The format.
    pub format: LogFormat,
}

/// Targets that are logged less than a global filter would, unless it names them. lapin logs errors that it
/// also returns, before their meaning is known; Postgres reports at each start that the table of migrations
/// exists; the pool logs every attempt to connect that fails; html5ever logs every character it reads.
const QUIET: [(&str, &str); 4] = [
    ("lapin", "off"),
    ("sqlx_core::pool", "off"),
    ("sqlx::postgres::notice", "warn"),
    ("html5ever", "warn"),
];

/// Parses a tracing filter such as `info` or `info,worker=debug`.
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
    EnvFilter::try_new(quiet).map_err(|fault| format!("is {text:?}, which is not a tracing filter: {fault}"))
}

/// Starts logging for this process.
///
/// # Errors
///
/// Logging was started before.
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
            .with(count::LogLineCounter)
            .try_init(),
        LogFormat::Text => lines
            .with_ansi(std::io::stderr().is_terminal())
            .finish()
            .with(count::LogLineCounter)
            .try_init(),
    }
}

//! Errors that end the demo: one sentence, what to do, and the evidence.

use std::fmt;

use harness::HarnessError;

/// Why the demo ends early.
#[derive(Debug)]
pub(crate) enum Fault {
    /// Ctrl-C or a termination signal.
    Stopped,
    /// A problem prevents it from continuing.
    Trouble(Trouble),
}

/// A problem that prevents the demo from continuing.
#[derive(Debug)]
pub(crate) struct Trouble {
    what: String,
    advice: String,
    seen: String,
}

/// Result of the demo's own steps.
pub(crate) type Result<T> = std::result::Result<T, Fault>;

impl Fault {
    /// A problem, and what to do about it.
    pub(crate) fn new(what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::Trouble(Trouble {
            what: what.into(),
            advice: advice.into(),
            seen: String::new(),
        })
    }

    /// Adds evidence, such as the end of a log, below the sentence.
    pub(crate) fn seen(self, seen: impl Into<String>) -> Self {
        match self {
            Self::Stopped => Self::Stopped,
            Self::Trouble(trouble) => Self::Trouble(Trouble {
                seen: seen.into(),
                ..trouble
            }),
        }
    }

    /// An environment error while attempting this.
    pub(crate) fn of_harness(attempt: &str, fault: &HarnessError) -> Self {
        let text = fault.to_string();
        let (sentence, seen) = text.split_once('\n').unwrap_or((&text, ""));
        let sentence = sentence.trim_start_matches("setup: ").trim_end_matches(':');
        let sentence = sentence.trim_end_matches("; the end of its log");
        let (sentence, advice) = match sentence.strip_suffix("; run deploy/setup") {
            Some(missing) => (
                missing,
                "run deploy/setup, which installs what is missing, and try again",
            ),
            None if sentence.contains("has not been built") => {
                (sentence, "run `make demo`, which builds everything first")
            }
            None if reports_full_disk(&text) => (
                sentence,
                "make room on the disk that holds the temporary folder, and try again",
            ),
            None => (
                sentence,
                "try again; if it fails again, the lines below show what the program logged",
            ),
        };
        let (advice, _) = match seen {
            "" => advice.split_once(';').unwrap_or((advice, "")),
            _ => (advice, ""),
        };
        Self::new(format!("{attempt}: {sentence}"), advice).seen(seen)
    }
}

fn reports_full_disk(text: &str) -> bool {
    text.contains("No space left") || text.contains("could not make a folder")
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "The demo cannot continue: {}.", self.what)?;
        write!(f, "What to do: {}.", self.advice)?;
        for line in self.seen.lines() {
            write!(f, "\n  | {line}")?;
        }
        Ok(())
    }
}

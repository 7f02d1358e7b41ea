//! How long to run, read from the command line.

use std::time::Duration;

use harness::{HarnessError, Result};

/// Said on `--help` and after a mistake.
pub(crate) const HELP: &str = "\
Runs Beckon under one random fault after the other and checks every minute that nothing is lost.

  --minutes N   how long [10]
  --seed N      which faults; a run prints its seed [any]";

/// What the command line asks for.
#[derive(Debug)]
pub(crate) enum Asked {
    /// A run.
    Run(Options),
    /// What there is to ask for.
    Help,
}

/// How long, and which faults.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// No round begins after this long.
    pub(crate) minutes: Duration,
    /// What the faults are drawn from.
    pub(crate) seed: u64,
}

/// Reads the command line's words.
///
/// # Errors
///
/// With what cannot be understood.
pub(crate) fn read(mut words: impl Iterator<Item = String>) -> Result<Asked> {
    let mut options = Options {
        minutes: Duration::from_mins(10),
        seed: u64::from(rand::random::<u32>()),
    };
    while let Some(word) = words.next() {
        let mut number = || {
            let number = words.next().and_then(|text| text.parse::<u64>().ok());
            number.ok_or_else(|| HarnessError::new(format!("{word} wants a number")))
        };
        match word.as_str() {
            "--minutes" => options.minutes = Duration::from_mins(number()?.clamp(1, 10_000)),
            "--seed" => options.seed = number()?,
            "--help" | "-h" => return Ok(Asked::Help),
            other => return Err(HarnessError::new(format!("{other} is not known"))),
        }
    }
    Ok(Asked::Run(options))
}

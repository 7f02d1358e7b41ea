//! Command line options.

use std::time::Duration;

use harness::{HarnessError, Result};

/// Printed on `--help` and after a mistake.
pub(crate) const HELP: &str = "\
Runs Beckon under one random fault after the other and checks every minute that nothing is lost.

  --minutes N   how long [10]
  --seed N      which faults; a run prints its seed [any]
  --skip N      number of the seed's faults to skip; a failed run prints those before its last round [0]";

/// The parsed command line.
#[derive(Debug)]
pub(crate) enum Asked {
    /// Start a run.
    Run(Options),
    /// Print the help.
    Help,
}

/// How long to run, and which faults.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// No round starts after this time.
    pub(crate) minutes: Duration,
    /// The seed of the faults.
    pub(crate) seed: u64,
    /// Number of the seed's faults to skip.
    pub(crate) skip: u64,
}

/// Parses the command line.
///
/// # Errors
///
/// Names the argument that cannot be parsed.
pub(crate) fn read(mut words: impl Iterator<Item = String>) -> Result<Asked> {
    let mut options = Options {
        minutes: Duration::from_mins(10),
        seed: u64::from(rand::random::<u32>()),
        skip: 0,
    };
    while let Some(word) = words.next() {
        let mut number = || {
            let number = words.next().and_then(|text| text.parse::<u64>().ok());
            number.ok_or_else(|| HarnessError::new(format!("{word} wants a number")))
        };
        match word.as_str() {
            "--minutes" => options.minutes = Duration::from_mins(number()?.clamp(1, 10_000)),
            "--seed" => options.seed = number()?,
            "--skip" => options.skip = number()?,
            "--help" | "-h" => return Ok(Asked::Help),
            other => return Err(HarnessError::new(format!("{other} is not known"))),
        }
    }
    Ok(Asked::Run(options))
}

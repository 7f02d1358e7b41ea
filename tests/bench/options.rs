//! Command line options.

use std::path::PathBuf;
use std::str::FromStr;

use harness::{HarnessError, Result};

/// Printed on `--help` and after a mistake.
pub(crate) const HELP: &str = "\
Measures Beckon on this machine: the whole system, with durable servers of its own.

  --runs N          runs, each on fresh servers; the table shows the median of all [3]
  --quick           small sizes and one run: shows that it works, not how fast it is
  --only A,B        of import, idle, invites, behind, passwords, kills [all but kills]
  --import N        rows of the large import, and recipients of the batch that others wait behind [100000]
  --recipients N    recipients of the batch whose throughput is measured [50000]
  --passwords N     password mails [50000]
  --idle N          single invites, one after the other, with nothing else to do [200]
  --behind N        single invites while the large batch runs [100]
  --history N       mails that were sent in the last three months before anything is measured [none]
  --set NAME=VALUE  a setting of API and worker beside the shipped ones; may be repeated
  --peers FOLDER    other programs to measure in the same run, beside the invites
  --json FILE       writes the figures to a file as well
  --compare A B     prints two such files side by side and measures nothing
  --markdown        a table for the README instead of plain text";

/// The parsed command line.
#[derive(Debug)]
pub(crate) enum Asked {
    /// Measure.
    Measure(Options),
    /// Compare the figures of two files.
    Compare(PathBuf, PathBuf),
    /// Print the help.
    Help,
}

/// What to measure, and the sizes.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// Number of runs.
    pub(crate) runs: usize,
    /// Which measurements; all when empty.
    pub(crate) only: Vec<Measure>,
    /// Rows of the large import and recipients of the large batch.
    pub(crate) import: usize,
    /// Recipients of the batch whose throughput is measured.
    pub(crate) recipients: usize,
    /// Number of password mails.
    pub(crate) passwords: usize,
    /// Number of single invites on an idle system.
    pub(crate) idle: usize,
    /// Number of single invites behind the large batch.
    pub(crate) behind: usize,
    /// Number of past mails created before measuring.
    pub(crate) history: usize,
    /// Settings in addition to the defaults.
    pub(crate) settings: Vec<(String, String)>,
    /// A folder with other programs to measure.
    pub(crate) peers: Option<PathBuf>,
    /// The file to write the figures to.
    pub(crate) json: Option<PathBuf>,
    /// Whether to print a table for the README.
    pub(crate) markdown: bool,
}

/// A measurement.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Measure {
    /// Rows per second of a CSV import, and memory.
    Import,
    /// Latency on an idle system.
    Idle,
    /// Throughput of a batch of invites.
    Invites,
    /// Accepting a large batch, and latency behind it.
    Behind,
    /// Throughput of password mails.
    Passwords,
    /// Second mails after a worker is killed.
    Kills,
}

impl FromStr for Measure {
    type Err = HarnessError;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "import" => Ok(Self::Import),
            "idle" => Ok(Self::Idle),
            "invites" => Ok(Self::Invites),
            "behind" => Ok(Self::Behind),
            "passwords" => Ok(Self::Passwords),
            "kills" => Ok(Self::Kills),
            _ => Err(HarnessError::new(format!("there is no measure {text:?}"))),
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            runs: 3,
            only: Vec::new(),
            import: 100_000,
            recipients: 50_000,
            passwords: 50_000,
            idle: 200,
            behind: 100,
            history: 0,
            settings: Vec::new(),
            peers: None,
            json: None,
            markdown: false,
        }
    }
}

impl Options {
    /// Whether this measurement is requested.
    pub(crate) fn wants(&self, measure: Measure) -> bool {
        self.only.is_empty() || self.only.contains(&measure)
    }

    fn shrink(&mut self) {
        self.runs = 1;
        self.import = 10_000;
        self.recipients = 5_000;
        self.passwords = 5_000;
        self.idle = 20;
        self.behind = 10;
    }
}

/// Parses the command line. Later options override earlier ones, so `--quick --runs 2` makes two small runs.
///
/// # Errors
///
/// What is wrong, as a message for the user.
pub(crate) fn read(arguments: impl Iterator<Item = String>) -> Result<Asked> {
    let mut options = Options::default();
    let mut arguments = arguments;
    while let Some(argument) = arguments.next() {
        let mut value = || {
            arguments
                .next()
                .ok_or_else(|| HarnessError::new(format!("{argument} needs a value")))
        };
        match argument.as_str() {
            "--help" | "-h" => return Ok(Asked::Help),
            "--quick" => options.shrink(),
            "--markdown" => options.markdown = true,
            "--peers" => options.peers = Some(value()?.into()),
            "--json" => options.json = Some(value()?.into()),
            "--compare" => return Ok(Asked::Compare(value()?.into(), value()?.into())),
            "--runs" => options.runs = count(&value()?)?,
            "--import" => options.import = count(&value()?)?,
            "--recipients" => options.recipients = count(&value()?)?,
            "--passwords" => options.passwords = count(&value()?)?,
            "--idle" => options.idle = count(&value()?)?,
            "--behind" => options.behind = count(&value()?)?,
            "--history" => options.history = count(&value()?)?,
            "--only" => options.only = value()?.split(',').map(str::parse).collect::<Result<_>>()?,
            "--set" => {
                let text = value()?;
                let (name, value) = text
                    .split_once('=')
                    .ok_or_else(|| HarnessError::new(format!("{text:?} is no NAME=VALUE")))?;
                options.settings.push((name.to_owned(), value.to_owned()));
            }
            _ => return Err(HarnessError::new(format!("{argument} is no option"))),
        }
    }
    Ok(Asked::Measure(options))
}

fn count(text: &str) -> Result<usize> {
    text.replace('_', "")
        .parse()
        .ok()
        .filter(|number| (1..=100_000_000).contains(number))
        .ok_or_else(|| HarnessError::new(format!("{text:?} is no number from 1 to 100000000")))
}

//! Other programs that do the same job, measured in the same run.
//!
//! A machine's speed changes from hour to hour, so only ratios within one run count. The peers are separate programs
//! with servers of their own, in a folder that contains `setup`, which installs and starts what they need, `stop`, and
//! `run NAME COUNT --mode e2e --queue quorum`, which prints `NAME-e2e invite COUNT SECONDS RATE` and appends a line of
//! JSON to `$PERF/results/results.jsonl`.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use harness::{HarnessError, Result};
use serde_json::Value;
use tokio::process::Command;

use crate::catalog;
use crate::figures::Figures;

/// The same job with everything grouped and nothing checked: what the machine allows.
const FLOOR: &str = "floor";

/// The fastest realistic alternative: Node with amqplib, nodemailer and pg.
const BEST: &str = "node-tuned";

/// The best peer is so much slower that a tenth of the mails takes it as long.
const BEST_SHARE: usize = 10;

/// How often a peer may be run for one figure.
const ATTEMPTS: usize = 3;

/// A folder with peers whose servers are running.
#[derive(Debug)]
pub(crate) struct Peers {
    folder: PathBuf,
}

/// A peer's result.
struct Peer {
    rate: f64,
    /// Processor seconds per 1,000 mails, without the sink.
    cpu: f64,
}

impl Peers {
    /// Installs and starts what the peers need.
    ///
    /// # Errors
    ///
    /// When its `setup` fails.
    pub(crate) async fn start(folder: &Path) -> Result<Self> {
        let failed = |fault| HarnessError::because(format!("there are no peers in {}", folder.display()), fault);
        let folder = folder.canonicalize().map_err(failed)?;
        let setup = Command::new(folder.join("setup")).stdout(Stdio::null()).status().await;
        if !setup.map_err(failed)?.success() {
            return Err(HarnessError::new(format!("{}/setup failed", folder.display())));
        }
        Ok(Self { folder })
    }

    /// Measures the floor and the best peer against our rate and processor seconds from this run.
    ///
    /// # Errors
    ///
    /// When one of them loses a mail or does not finish, three times in a row.
    pub(crate) async fn measure(&self, mails: usize, ours: (f64, f64), figures: &mut Figures) -> Result<()> {
        let floor = self.run(FLOOR, mails).await?;
        let best = self.run(BEST, mails / BEST_SHARE).await?;
        figures.note(catalog::FLOOR_RATE, floor.rate);
        figures.note(catalog::FLOOR_CPU, floor.cpu);
        figures.note(catalog::BEST_RATE, best.rate);
        figures.note(catalog::BEST_CPU, best.cpu);
        figures.note(catalog::OF_FLOOR, 100.0 * ours.0 / floor.rate);
        figures.note(catalog::TIMES_BEST, ours.0 / best.rate);
        figures.note(catalog::TIMES_FLOOR_CPU, ours.1 / floor.cpu);
        Ok(())
    }

    /// Runs a peer, again if it fails: the floor checks nothing and now and then loses a mail.
    async fn run(&self, name: &str, mails: usize) -> Result<Peer> {
        for _ in 1..ATTEMPTS {
            match self.run_once(name, mails).await {
                Ok(peer) => return Ok(peer),
                Err(fault) => eprintln!("  {fault}; once more"),
            }
        }
        self.run_once(name, mails).await
    }

    async fn run_once(&self, name: &str, mails: usize) -> Result<Peer> {
        let failed = |fault| HarnessError::because(format!("could not run the peer {name}"), fault);
        let run = Command::new(self.folder.join("run"))
            .args([name, &mails.to_string(), "--mode", "e2e", "--queue", "quorum"])
            .stderr(Stdio::inherit())
            .output()
            .await
            .map_err(failed)?;
        let printed = String::from_utf8_lossy(&run.stdout);
        let rate = printed
            .lines()
            .last()
            .and_then(|line| line.split_whitespace().last()?.parse().ok());
        let rate = rate.filter(|_| run.status.success());
        let rate = rate.ok_or_else(|| HarnessError::new(format!("the peer {name} did not finish: {printed}")))?;
        Ok(Peer { rate, cpu: cpu()? })
    }
}

impl Drop for Peers {
    fn drop(&mut self) {
        // Servers left running would affect the next measurement.
        let _ = std::process::Command::new(self.folder.join("stop"))
            .stdout(Stdio::null())
            .status();
    }
}

/// Processor seconds of the run that ended last.
fn cpu() -> Result<f64> {
    let folder = std::env::var_os("PERF").map_or_else(|| PathBuf::from("/tmp/perf"), PathBuf::from);
    let file = folder.join("results/results.jsonl");
    let text = std::fs::read_to_string(&file)
        .map_err(|fault| HarnessError::because(format!("could not read {}", file.display()), fault))?;
    let last: Option<Value> = text.lines().last().and_then(|line| serde_json::from_str(line).ok());
    let cpu = last.as_ref().and_then(|last| last.get("cpu_per_1000"));
    let of = |name: &str| cpu.and_then(|cpu| cpu.get(name)?.as_f64());
    of("sum")
        .zip(of("sink"))
        .map(|(sum, sink)| sum - sink)
        .ok_or_else(|| HarnessError::new(format!("{} has no processor seconds", file.display())))
}

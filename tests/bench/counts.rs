//! The cost of a mail in units other than time.

use std::fs;
use std::process::{Child, Command, Stdio};

use harness::{HarnessError, Result};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sqlx::Row as _;

use crate::catalog::{self, What};
use crate::figures::Figures;
use crate::number::figure;
use crate::scene::Scene;

/// Counter values before some mails.
pub(crate) struct Counts {
    wal: f64,
    switches: [f64; 2],
    calls: [Option<Calls>; 2],
}

/// Counts a process's system calls with `perf`. Skipped where `perf` is missing or not permitted.
struct Calls(Child);

impl Counts {
    /// Starts counting.
    ///
    /// # Errors
    ///
    /// When Postgres does not answer or a process has ended.
    pub(crate) async fn begin(scene: &Scene) -> Result<Self> {
        let processes = [scene.processes.worker, scene.processes.api];
        Ok(Self {
            calls: processes.map(Calls::begin),
            switches: [switches(processes[0])?, switches(processes[1])?],
            wal: wal(scene).await?,
        })
    }

    /// Records the cost per mail for this many mails.
    ///
    /// # Errors
    ///
    /// When Postgres does not answer or a process has ended.
    pub(crate) async fn note(self, scene: &Scene, mails: usize, figures: &mut Figures) -> Result<()> {
        let each = |sum: f64| sum / figure(mails);
        figures.note(catalog::WAL, each(wal(scene).await? - self.wal));
        let processes = [scene.processes.worker, scene.processes.api];
        let whats: [[&'static What; 2]; 2] = [
            [catalog::SWITCHES_WORKER, catalog::CALLS_WORKER],
            [catalog::SWITCHES_API, catalog::CALLS_API],
        ];
        for (((process, before), calls), [switched, called]) in
            processes.into_iter().zip(self.switches).zip(self.calls).zip(whats)
        {
            figures.note(switched, each(switches(process)? - before));
            if let Some(count) = calls.and_then(Calls::end) {
                figures.note(called, each(count));
            }
        }
        Ok(())
    }
}

/// Total WAL that Postgres has written, in bytes.
async fn wal(scene: &Scene) -> Result<f64> {
    let asked = sqlx::query("select (pg_current_wal_insert_lsn() - '0/0')::float8")
        .fetch_one(&scene.world.db)
        .await;
    asked
        .and_then(|row| row.try_get(0))
        .map_err(|fault| HarnessError::because("could not ask Postgres for its log's length", fault))
}

/// Number of voluntary context switches of a process's threads.
fn switches(process: u32) -> Result<f64> {
    let gone = || HarnessError::new(format!("process {process} is gone"));
    let threads = fs::read_dir(format!("/proc/{process}/task")).map_err(|_| gone())?;
    let of = |status: String| {
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
        line.trim().parse::<f64>().ok()
    };
    Ok(threads
        .flatten()
        .filter_map(|thread| fs::read_to_string(thread.path().join("status")).ok())
        .filter_map(of)
        .sum())
}

impl Calls {
    fn begin(process: u32) -> Option<Self> {
        Command::new("perf")
            .args([
                "stat",
                "-x",
                ",",
                "-e",
                "raw_syscalls:sys_enter",
                "-p",
                &process.to_string(),
            ])
            .env("LC_ALL", "C")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .ok()
            .map(Self)
    }

    fn end(self) -> Option<f64> {
        kill(Pid::from_raw(i32::try_from(self.0.id()).ok()?), Signal::SIGINT).ok()?;
        let output = self.0.wait_with_output().ok()?;
        let text = String::from_utf8(output.stderr).ok()?;
        text.lines().find_map(|line| line.split(',').next()?.parse().ok())
    }
}

//! The client of the supervisor, a process that outlives the harness to clean up.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::Ports;
use super::programs::Programs;
use crate::error::{HarnessError, Result};

/// The supervisor's program; its comments explain how it works.
const SCRIPT: &str = include_str!("../supervisor.sh");
/// How long a dropped stack waits for its supervisor, which usually finishes in a fifth of a second. Its own timeouts
/// (for creating a cluster, the servers, the folder) are rarely reached.
const FAREWELL: Duration = Duration::from_secs(40);
/// How much of a server's log an error quotes.
const TAIL_LINES: usize = 25;

/// A running supervisor. Dropping it blocks until servers and folder are gone.
#[derive(Debug)]
pub(super) struct Supervisor {
    child: Child,
    pipes: Option<Mutex<Pipes>>,
    folder: PathBuf,
}

#[derive(Debug)]
struct Pipes {
    // Closing it is the signal to clean up. The standard library's pipes close on exec, so no other child process
    // keeps it open.
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Supervisor {
    /// Starts a supervisor with an empty folder and no servers yet.
    ///
    /// Blocks for some milliseconds.
    pub(super) fn start(programs: &Programs, ports: &Ports, postgres_options: &str) -> Result<Self> {
        let mut child = Command::new("sh")
            .args(["-c", SCRIPT, "beckon-supervisor"])
            .env("SUPERVISOR_PLACE", std::env::temp_dir())
            .env("SUPERVISOR_POSTGRES_BIN", &programs.postgres_bin)
            .env("SUPERVISOR_RABBITMQ_BIN", &programs.rabbitmq_bin)
            .env("SUPERVISOR_EPMD", &programs.epmd)
            .env("SUPERVISOR_POSTGRES_PORT", ports.postgres.number().to_string())
            .env("SUPERVISOR_AMQP_PORT", ports.amqp.number().to_string())
            .env("SUPERVISOR_DIST_PORT", ports.dist.number().to_string())
            .env("SUPERVISOR_EPMD_PORT", ports.epmd.number().to_string())
            .env("SUPERVISOR_POSTGRES_OPTIONS", postgres_options)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| HarnessError::because("could not start the stack's supervisor", e))?;
        let (Some(requests), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(HarnessError::new("the stack's supervisor has no pipes"));
        };
        let mut pipes = Pipes {
            requests,
            answers: BufReader::new(answers),
        };
        let folder = pipes.read()?;
        Ok(Self {
            child,
            pipes: Some(Mutex::new(pipes)),
            folder: PathBuf::from(folder),
        })
    }

    /// Sends a request to the supervisor and returns its answer, which arrives at once.
    pub(super) async fn ask(self: &Arc<Self>, request: impl Into<String>) -> Result<String> {
        let supervisor = Arc::clone(self);
        let request = request.into();
        tokio::task::spawn_blocking(move || supervisor.ask_now(&request))
            .await
            .map_err(|e| HarnessError::because("asking the stack's supervisor was interrupted", e))?
    }

    fn ask_now(&self, request: &str) -> Result<String> {
        let Some(pipes) = &self.pipes else {
            return Err(HarnessError::new("the stack's supervisor is gone"));
        };
        let mut pipes = pipes.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(pipes.requests, "{request}")
            .and_then(|()| pipes.requests.flush())
            .map_err(|e| HarnessError::because("could not reach the stack's supervisor", e))?;
        pipes.read()
    }

    /// The folder that contains all files of this stack.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The supervisor's process id, which is also the process group of its servers.
    #[cfg(test)]
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The end of a server's log, for an error message.
    pub(super) fn log_tail(&self, server: &str) -> String {
        let log = std::fs::read(self.folder.join("log").join(server)).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        let tail = lines.len().saturating_sub(TAIL_LINES);
        match lines.get(tail..) {
            Some(lines) if !lines.is_empty() => lines.join("\n"),
            _ => "(its log is empty)".to_owned(),
        }
    }
}

impl Pipes {
    fn read(&mut self) -> Result<String> {
        let mut line = String::new();
        self.answers
            .read_line(&mut line)
            .map_err(|e| HarnessError::because("could not read from the stack's supervisor", e))?;
        let line = line.trim_end();
        match line.strip_prefix("failed: ") {
            Some(reason) => Err(HarnessError::new(reason)),
            None if line.is_empty() => Err(HarnessError::new("the stack's supervisor ended early")),
            None => Ok(line.to_owned()),
        }
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.pipes = None;
        let deadline = Instant::now() + FAREWELL;
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(10));
        }
    }
}

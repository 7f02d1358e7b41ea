//! Our own programs as child processes: started, signalled, killed, and gone when the harness is.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use std::os::unix::process::CommandExt as _;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::error::{HarnessError, Result};

/// Supervises a program: when the pipe to the harness closes, for whatever reason, it kills the program and then all
/// its children. `$1` is the file for the process id, `$2` the file for the exit code, `$3` the log, `$4` the signal
/// that kills it.
const LEASH: &str = r#"
trap '' INT TERM HUP PIPE QUIT
pid_file=$1 exit_file=$2 log=$3 signal=$4
shift 4
(
    trap - INT TERM HUP PIPE QUIT
    sh -c 'echo $$ >"$0.new" && mv "$0.new" "$0" && exec "$@"' "$pid_file" "$@" </dev/null >>"$log" 2>&1
    echo $? >"$exit_file"
) &
running=$! left=500
until [ -e "$pid_file" ] || [ -e "$exit_file" ] || [ "$left" = 0 ]; do left=$((left - 1)); sleep 0.01; done
# Read now: the folder may be gone before the pipe is closed.
pid=$(cat "$pid_file" 2>/dev/null)
cat >/dev/null
if [ -n "$pid" ] && kill -0 "$running" 2>/dev/null; then kill -s "$signal" "$pid" 2>/dev/null; fi
wait
# The leash leads a process group of its own, in which all that the program started is; a browser
# does not end with its driver. The leash itself ends here too.
kill -s KILL -- "-$$"
"#;

/// How long a program may take to start, or to end after it was dropped.
const MOMENT: Duration = Duration::from_secs(20);

/// Interval between two checks.
const PULSE: Duration = Duration::from_millis(10);

/// Occurs in the log line of a request that was answered with 2xx.
const ANSWERED_WELL: &str = r#""message":"Answered a request","http.status":2"#;

/// A running program.
#[derive(Debug)]
pub struct Program {
    leash: Child,
    pid: Pid,
    exit_file: PathBuf,
    log: PathBuf,
    name: String,
}

impl Program {
    /// Starts one of this workspace's binaries with exactly these settings.
    ///
    /// # Errors
    ///
    /// When it has not been built or the system cannot start it.
    pub async fn start(
        binary: &str,
        folder: &Path,
        name: &str,
        arguments: &[&str],
        settings: &[(String, String)],
    ) -> Result<Self> {
        Self::start_at(&binary_path(binary)?, folder, name, arguments, settings).await
    }

    /// Starts any program with exactly these settings.
    ///
    /// # Errors
    ///
    /// When the system cannot start it.
    pub async fn start_at(
        path: &Path,
        folder: &Path,
        name: &str,
        arguments: &[&str],
        settings: &[(String, String)],
    ) -> Result<Self> {
        Self::start_ended_by("KILL", path, (folder, name), arguments, settings).await
    }

    /// Starts any program that this signal ends immediately. Postgres leaves shared memory behind after SIGKILL but not
    /// after SIGQUIT.
    ///
    /// # Errors
    ///
    /// When the system cannot start it.
    pub(crate) async fn start_ended_by(
        signal: &str,
        path: &Path,
        (folder, name): (&Path, &str),
        arguments: &[&str],
        settings: &[(String, String)],
    ) -> Result<Self> {
        let file = |ending: &str| folder.join(format!("{name}.{ending}"));
        let (pid_file, exit_file, log) = (file("pid"), file("exit"), file("log"));
        for old in [&pid_file, &exit_file] {
            let _ = fs::remove_file(old);
        }
        let mut command = Command::new("sh");
        command
            .args(["-c", LEASH, "beckon-leash"])
            .args([&pid_file, &exit_file, &log])
            .arg(signal)
            .arg(path)
            .args(arguments)
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("RUST_BACKTRACE", "1")
            // Where checks for leftover files look.
            .env("TMPDIR", folder)
            .env("BECKON_JOURNAL", folder.join("journal"))
            .envs(settings.iter().map(|(name, value)| (name, value)))
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let leash = command
            .spawn()
            .map_err(|fault| HarnessError::because(format!("could not start {name}"), fault))?;
        let pid = read_pid(&pid_file, name).await?;
        Ok(Self {
            leash,
            pid,
            exit_file,
            log,
            name: name.to_owned(),
        })
    }

    /// Its process id.
    pub const fn pid(&self) -> Pid {
        self.pid
    }

    /// Its peak resident memory so far, in bytes; `None` where the system does not report it or the program has ended.
    pub fn max_memory(&self) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).ok()?;
        let kibibytes = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        let kibibytes: u64 = kibibytes.trim().trim_end_matches(" kB").trim().parse().ok()?;
        Some(kibibytes * 1024)
    }

    /// Its log so far.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Sends a signal; does nothing if the program has ended.
    pub fn signal(&self, signal: Signal) {
        let _ = kill(self.pid, signal);
    }

    /// Its exit code once it has ended; 128 plus the signal's number when a signal ended it.
    pub fn exit_code(&self) -> Option<i32> {
        fs::read_to_string(&self.exit_file).ok()?.trim().parse().ok()
    }

    /// Waits until it has ended.
    ///
    /// # Errors
    ///
    /// When it is still running after `within`; the text quotes the end of its log.
    pub async fn ended(&self, within: Duration) -> Result<i32> {
        let deadline = Instant::now() + within;
        loop {
            if let Some(code) = self.exit_code() {
                return Ok(code);
            }
            if Instant::now() > deadline {
                return Err(HarnessError::new(format!(
                    "{} has not ended within {within:?}\n{}",
                    self.name,
                    self.log_tail()
                )));
            }
            tokio::time::sleep(PULSE).await;
        }
    }

    /// The end of its log, without requests that were answered with 2xx: a test that polls would fill it with them.
    pub fn log_tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().filter(|line| !line.contains(ANSWERED_WELL)).collect();
        lines
            .get(lines.len().saturating_sub(40)..)
            .unwrap_or_default()
            .join("\n")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.leash.stdin.take());
        let _ = self.leash.wait();
    }
}

async fn read_pid(file: &Path, name: &str) -> Result<Pid> {
    let deadline = Instant::now() + MOMENT;
    loop {
        let pid = fs::read_to_string(file).ok().and_then(|text| text.trim().parse().ok());
        if let Some(pid) = pid {
            return Ok(Pid::from_raw(pid));
        }
        if Instant::now() > deadline {
            return Err(HarnessError::new(format!("{name} did not start within {MOMENT:?}")));
        }
        tokio::time::sleep(PULSE).await;
    }
}

/// Where cargo puts this workspace's binaries: beside the running executable, or one folder above a test.
///
/// # Errors
///
/// When the binary does not exist.
pub fn binary_path(name: &str) -> Result<PathBuf> {
    let here = std::env::current_exe()
        .map_err(|fault| HarnessError::because("could not find this program's own file", fault))?;
    here.ancestors()
        .skip(1)
        .take(2)
        .map(|folder| folder.join(name))
        .find(|path| path.exists())
        .ok_or_else(|| HarnessError::new(format!("{name} has not been built: run `cargo build --workspace`")))
}

//! Real mail servers: Postfix, Exim, OpenSMTPD, Dovecot and postgrey, as `deploy/setup --mail-servers` unpacks them.
//!
//! They listen on free loopback ports and pass accepted mails on to a [`Relay`](crate::relay::Relay), so that a world
//! can compare its ledger with what arrived. Each runs in its own namespaces, which needs root, and ends with its
//! handle.

mod delivered;
mod dovecot;
mod exim;
mod opensmtpd;
mod postfix;

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;
use tokio::net::TcpStream;

pub use self::delivered::{SpamScore, spam_score, verify_dkim};
pub use self::dovecot::Dovecot;
pub use self::exim::Exim;
pub use self::opensmtpd::OpenSmtpd;
pub use self::postfix::{Greylist, Postfix};

use crate::error::{HarnessError, Result};
use crate::installed::path_of;
use crate::ports::Port;
use crate::program::Program;
use crate::stack::Stop;

/// The host name of every server.
pub const HOST: &str = "relay.lerna.example";
/// The user that may log in where a login is required.
pub const USER: &str = "beckon";
/// That user's password.
pub const PASSWORD: &str = "geheim";

/// Mounts and users of a server's namespace.
const NAMESPACE: &str = include_str!("mail_servers/namespace.sh");

/// Timeout for a start or a stop.
const MOMENT: Duration = Duration::from_secs(20);
/// Interval between checks of a server that is starting.
const PULSE: Duration = Duration::from_millis(20);

/// One server process with its files and ports.
#[derive(Debug)]
struct MailServer {
    // Dropped before the folder and the ports.
    program: Option<Program>,
    folder: TempDir,
    packages: PathBuf,
    name: &'static str,
    ports: Vec<Port>,
}

impl MailServer {
    /// Starts a server from this script with these files in its folder, and waits until it listens on all its ports.
    async fn start(name: &'static str, script: &str, files: &[(&str, String)], ports: Vec<Port>) -> Result<Self> {
        let failed = |e: std::io::Error| HarnessError::because(format!("could not prepare {name}"), e);
        let folder = own_folder().map_err(failed)?;
        for (file, content) in files {
            write(&folder.path().join(file), content).map_err(failed)?;
        }
        write(&folder.path().join("start.sh"), script).map_err(failed)?;
        write(&folder.path().join("namespace.sh"), NAMESPACE).map_err(failed)?;
        let mut server = Self {
            program: None,
            folder,
            packages: path_of("MAIL_SERVERS").await?,
            name,
            ports,
        };
        server.start_again().await?;
        Ok(server)
    }

    /// Starts it after a stop, with the same files and ports.
    async fn start_again(&mut self) -> Result<()> {
        let arguments = in_namespace(&self.packages, self.folder.path(), &["sh", "/run/server/start.sh"]);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let program = Program::start_at(
            Path::new("/usr/bin/unshare"),
            self.folder.path(),
            self.name,
            &arguments,
            &[("TMPDIR".to_owned(), "/tmp".to_owned())],
        )
        .await?;
        let deadline = Instant::now() + MOMENT;
        for port in &self.ports {
            while TcpStream::connect(port.address()).await.is_err() {
                if program.exit_code().is_some() || Instant::now() > deadline {
                    let tail = program.log_tail();
                    return Err(HarnessError::new(format!("{} did not start:\n{tail}", self.name)));
                }
                tokio::time::sleep(PULSE).await;
            }
        }
        self.program = Some(program);
        Ok(())
    }

    /// Ends it. Its files and ports stay.
    async fn stop(&mut self, how: Stop) -> Result<()> {
        let Some(program) = self.program.take() else {
            return Ok(());
        };
        if how == Stop::Graceful {
            let first = first_process_of(program.pid())?;
            kill(first, Signal::SIGTERM).map_err(|e| HarnessError::because("could not stop a mail server", e))?;
            program.ended(MOMENT).await?;
        }
        Ok(())
    }

    fn address(&self, at: usize) -> SocketAddr {
        self.ports
            .get(at)
            .unwrap_or_else(|| panic!("{} has no port {at}", self.name))
            .address()
    }

    /// Everything it has logged to its output.
    fn log(&self) -> String {
        read(&self.folder.path().join(format!("{}.log", self.name)))
    }

    /// A file below its `/var`.
    fn file(&self, path: &str) -> String {
        read(&self.folder.path().join("var").join(path))
    }
}

/// The arguments of `unshare` that run a command in namespaces of its own.
fn in_namespace(packages: &Path, folder: &Path, command: &[&str]) -> Vec<String> {
    let script = folder.join("namespace.sh");
    let own = ["--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh"];
    let places = [&script, packages, folder].map(|path| path.display().to_string());
    own.into_iter()
        .map(str::to_owned)
        .chain(places)
        .chain(command.iter().map(|word| (*word).to_owned()))
        .collect()
}

/// The first process of the namespace that an `unshare` has created, its only child.
fn first_process_of(unshare: Pid) -> Result<Pid> {
    let children = read(Path::new(&format!("/proc/{unshare}/task/{unshare}/children")));
    let child = children.split_whitespace().next().and_then(|pid| pid.parse().ok());
    child
        .map(Pid::from_raw)
        .ok_or_else(|| HarnessError::new(format!("process {unshare} has no child")))
}

/// A folder that a server's own user may enter.
fn own_folder() -> std::io::Result<TempDir> {
    let folder = tempfile::Builder::new().prefix("beckon-mail-server.").tempdir()?;
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755))?;
    Ok(folder)
}

fn write(path: &Path, content: &str) -> std::io::Result<()> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    std::fs::write(path, content)
}

fn read(path: &Path) -> String {
    std::fs::read(path)
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default()
}

//! A `PgBouncer` in front of a database.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use reqwest::Url;
use tokio::net::TcpStream;

use crate::error::{HarnessError, Result};
use crate::installed::path_of;
use crate::ports::Port;
use crate::program::Program;
use crate::server_user::{Invocation, give_to_servers, not_as_root};

/// Timeout until it listens.
const START: Duration = Duration::from_secs(20);

/// The version of `PgBouncer`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Release {
    /// The installed version.
    Installed,
    /// That of Debian's next release, which `deploy/setup --rabbitmq 4` unpacks.
    Newer,
}

/// A running `PgBouncer`. Dropping it ends it.
#[derive(Debug)]
pub struct Pooler {
    program: Program,
    port: Port,
    _folder: tempfile::TempDir,
}

impl Pooler {
    /// Starts one in front of the server of this URL, in this mode: `session`, `transaction`, `statement`.
    ///
    /// # Errors
    ///
    /// When it is not installed (`deploy/setup --tests`), or not unpacked (`deploy/setup --rabbitmq 4`), or does not
    /// start.
    pub async fn start(release: Release, mode: &str, database_url: &str) -> Result<Self> {
        Self::start_with(release, mode, database_url, &[]).await
    }

    /// Like [`Pooler::start`], with these lines in its settings.
    ///
    /// # Errors
    ///
    /// As for [`Pooler::start`].
    pub async fn start_with(release: Release, mode: &str, database_url: &str, own: &[&str]) -> Result<Self> {
        let failed = |e: std::io::Error| HarnessError::because("could not set PgBouncer up", e);
        let server = Url::parse(database_url).map_err(|e| HarnessError::because("could not read a URL", e))?;
        let (host, port) = (server.host_str().unwrap_or_default(), server.port().unwrap_or(5432));
        let root = match release {
            Release::Installed => None,
            Release::Newer => Some(path_of("RABBITMQ_4_ROOT").await?),
        };
        let folder = match &root {
            Some(root) => tempfile::tempdir_in(root.join("tmp")),
            None => tempfile::tempdir(),
        }
        .map_err(failed)?;
        give_to_servers(folder.path())?;
        let listen = Port::claim()?;
        // auth_type any logs all clients in as one user.
        let settings = format!(
            "[databases]\n* = host={host} user=postgres port={port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {}\nunix_socket_dir =\nauth_type = any\npool_mode = {mode}\nmax_client_conn = 300\n\
             default_pool_size = 60\nserver_login_retry = 1\n{}\n",
            listen.number(),
            own.join("\n")
        );
        let file = folder.path().join("pgbouncer.ini");
        std::fs::write(&file, settings).map_err(failed)?;
        let started = invocation(root.as_deref(), &file).await?;
        let arguments: Vec<&str> = started.arguments.iter().map(String::as_str).collect();
        let program = Program::start_at(&started.path, folder.path(), "pgbouncer", &arguments, &[]).await?;
        let pooler = Self {
            program,
            port: listen,
            _folder: folder,
        };
        pooler.listening().await?;
        Ok(pooler)
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// The URL with the address of the pooler.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn url(&self, direct: &str) -> Result<String> {
        let failed = || HarnessError::new(format!("could not lead {direct} through the pooler"));
        let mut url = Url::parse(direct).map_err(|_| failed())?;
        url.set_port(Some(self.port.number())).map_err(|()| failed())?;
        Ok(url.into())
    }

    async fn listening(&self) -> Result<()> {
        let deadline = Instant::now() + START;
        while TcpStream::connect(self.address()).await.is_err() {
            if self.program.exit_code().is_some() || Instant::now() > deadline {
                let tail = self.program.log_tail();
                return Err(HarnessError::new(format!("PgBouncer did not come up:\n{tail}")));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }
}

/// The program with its settings, which is run with `root` as its root folder if there is one.
async fn invocation(root: Option<&Path>, settings: &Path) -> Result<Invocation> {
    let Some(root) = root else {
        return not_as_root(&path_of("PGBOUNCER").await?, &[&settings.display().to_string()]);
    };
    let seen = settings.strip_prefix(root).unwrap_or(settings);
    let seen = Path::new("/").join(seen).display().to_string();
    let inside = not_as_root(Path::new("/usr/sbin/pgbouncer"), &[&seen])?;
    let words = [root, inside.path.as_path()].map(|path| path.display().to_string());
    Ok(Invocation {
        path: PathBuf::from("/usr/sbin/chroot"),
        arguments: words.into_iter().chain(inside.arguments).collect(),
    })
}

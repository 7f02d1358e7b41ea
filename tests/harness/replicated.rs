//! Two Postgres servers, a primary and its standby, that can switch roles.

use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tokio::process::Command;

use crate::clock::Clock;
use crate::error::{HarnessError, Result};
use crate::faults::FaultProxy;
use crate::installed::path_of;
use crate::ports::Port;
use crate::program::Program;
use crate::server_user::{give_to_servers, not_as_root};
use crate::stack::Stop;

/// Timeout for starting, stopping or promoting a server.
const PATIENCE: Duration = Duration::from_mins(1);

const SETTINGS: &str = "-c max_connections=300 -c shared_buffers=64MB -c fsync=off -c full_page_writes=on \
     -c unix_socket_directories= -h 127.0.0.1 -c wal_keep_size=256MB -c jit=off -c wal_receiver_timeout=5s \
     -c wal_retrieve_retry_interval=200ms";

/// One of the two servers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Which {
    /// Initially the primary.
    First,
    /// Initially the standby.
    Second,
}

/// Two servers. Dropping this ends them.
#[derive(Debug)]
pub struct Replicated {
    // Dropped before the folder, which must exist until both have ended.
    servers: [Server; 2],
    /// The proxy between the primary and its standby.
    stream: FaultProxy,
    /// The clock of both servers.
    clock: Option<Clock>,
    folder: tempfile::TempDir,
}

#[derive(Debug)]
struct Server {
    name: &'static str,
    port: Port,
    program: Option<Program>,
    starts: usize,
}

impl Server {
    fn claim(name: &'static str) -> Result<Self> {
        Ok(Self {
            name,
            port: Port::claim()?,
            program: None,
            starts: 0,
        })
    }
}

impl Replicated {
    /// Starts a primary with a standby that streams from it.
    ///
    /// # Errors
    ///
    /// When one of them does not start; the text quotes its log.
    pub async fn start() -> Result<Self> {
        Self::start_on(false).await
    }

    /// Starts them with a clock that can be set.
    ///
    /// # Errors
    ///
    /// When one of them does not start, or libfaketime is not installed.
    pub async fn start_with_clock() -> Result<Self> {
        Self::start_on(true).await
    }

    async fn start_on(has_clock: bool) -> Result<Self> {
        let folder = tempfile::tempdir().map_err(|e| HarnessError::because("could not make a folder", e))?;
        give_to_servers(folder.path())?;
        let servers = [Server::claim("first")?, Server::claim("second")?];
        let stream = FaultProxy::start(servers[0].port.address()).await?;
        let mut this = Self {
            servers,
            stream,
            clock: if has_clock {
                Some(Clock::in_folder(folder.path()).await?)
            } else {
                None
            },
            folder,
        };
        let data = this.files_of(Which::First);
        let initdb = [
            "-D",
            &data,
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--no-sync",
            "--locale=C.UTF-8",
        ];
        this.run("initdb", &initdb).await?;
        this.start_server(Which::First).await?;
        let (port, copy) = (this.stream.address().port().to_string(), this.files_of(Which::Second));
        let backup = [
            "-h",
            "127.0.0.1",
            "-p",
            &port,
            "-U",
            "postgres",
            "-D",
            &copy,
            "-R",
            "-X",
            "stream",
            "-c",
            "fast",
        ];
        this.run("pg_basebackup", &backup).await?;
        this.start_server(Which::Second).await?;
        this.until(
            "the standby streams",
            Which::First,
            "select exists (select from pg_stat_replication)",
        )
        .await?;
        Ok(this)
    }

    /// The URL of a database on one of them.
    pub fn url(&self, which: Which, database: &str) -> String {
        format!("postgres://postgres@{}/{database}", self.server(which).port.address())
    }

    /// Sets the clock of both to this difference from the machine's.
    ///
    /// # Errors
    ///
    /// When they have none, or its file cannot be written.
    pub fn set_clock(&self, difference: &str) -> Result<()> {
        let clock = self.clock.as_ref();
        clock
            .ok_or_else(|| HarnessError::new("started without a clock"))?
            .put(difference)
    }

    /// The address of one of them.
    pub fn address(&self, which: Which) -> std::net::SocketAddr {
        self.server(which).port.address()
    }

    /// The proxy for replication. What is stalled here is lost by a failover with asynchronous replication.
    pub const fn stream(&self) -> &FaultProxy {
        &self.stream
    }

    /// Makes commits wait for the standby.
    ///
    /// # Errors
    ///
    /// When Postgres refuses.
    pub async fn synchronous(&self) -> Result<()> {
        self.ask(Which::First, "alter system set synchronous_standby_names = '*'")
            .await?;
        self.ask(Which::First, "select pg_reload_conf()").await?;
        let is_sync = "select exists (select from pg_stat_replication where sync_state = 'sync')";
        self.until("the standby is synchronous", Which::First, is_sync).await
    }

    /// Waits until the standby has caught up with the primary.
    ///
    /// # Errors
    ///
    /// When it does not catch up.
    pub async fn caught_up(&self) -> Result<()> {
        let is_even = "select exists (select from pg_stat_replication where replay_lsn >= pg_current_wal_lsn())";
        self.until("the standby has caught up", Which::First, is_even).await
    }

    /// Runs a statement on one of them.
    ///
    /// # Errors
    ///
    /// The output of Postgres.
    pub async fn ask(&self, which: Which, statement: &str) -> Result<()> {
        let asked = async {
            let mut connection = PgConnection::connect(&self.url(which, "postgres")).await?;
            sqlx::raw_sql(AssertSqlSafe(statement.to_owned()))
                .execute(&mut connection)
                .await?;
            connection.close().await
        };
        asked
            .await
            .map_err(|e| HarnessError::because(format!("Postgres refused {statement}"), e))
    }

    /// The answer of one of them to a question, as text; empty for null.
    ///
    /// # Errors
    ///
    /// The output of Postgres.
    pub async fn answer(&self, which: Which, database: &str, question: &str) -> Result<String> {
        let asked = async {
            let mut connection = PgConnection::connect(&self.url(which, database)).await?;
            let found: Option<String> = sqlx::query_scalar(AssertSqlSafe(question.to_owned()))
                .fetch_one(&mut connection)
                .await?;
            connection.close().await?;
            Ok::<_, sqlx::Error>(found.unwrap_or_default())
        };
        asked
            .await
            .map_err(|e| HarnessError::because(format!("Postgres did not answer {question}"), e))
    }

    /// Stops one of them.
    ///
    /// # Errors
    ///
    /// When it does not end.
    pub async fn stop(&mut self, which: Which, how: Stop) -> Result<()> {
        let signal = match how {
            Stop::Graceful => Signal::SIGINT,
            Stop::Kill => Signal::SIGQUIT,
        };
        let server = self.server_mut(which);
        if let Some(program) = server.program.take() {
            program.signal(signal);
            program.ended(PATIENCE).await?;
        }
        Ok(())
    }

    /// Promotes the standby.
    ///
    /// # Errors
    ///
    /// When it is not promoted.
    pub async fn promote(&self, which: Which) -> Result<()> {
        self.ask(which, "select pg_promote(true)").await?;
        self.until("the standby is promoted", which, "select not pg_is_in_recovery()")
            .await
    }

    /// Starts one of them in its previous role.
    ///
    /// # Errors
    ///
    /// When it does not start.
    pub async fn start_again(&mut self, which: Which) -> Result<()> {
        self.start_server(which).await
    }

    /// Starts one that was shut down in order as the standby of the other.
    ///
    /// # Errors
    ///
    /// When it does not start.
    pub async fn start_as_standby(&mut self, which: Which) -> Result<()> {
        let other = match which {
            Which::First => Which::Second,
            Which::Second => Which::First,
        };
        let failed = |e: std::io::Error| HarnessError::because("could not make a standby", e);
        let data = self.folder.path().join(self.server(which).name);
        let line = format!(
            "primary_conninfo = 'host=127.0.0.1 port={} user=postgres'\n",
            self.server(other).port.number()
        );
        let file = data.join("postgresql.auto.conf");
        let before = std::fs::read_to_string(&file).unwrap_or_default();
        std::fs::write(&file, format!("{before}{line}")).map_err(failed)?;
        std::fs::write(data.join("standby.signal"), "").map_err(failed)?;
        give_to_servers(&data.join("standby.signal"))?;
        self.start_server(which).await
    }

    fn server(&self, which: Which) -> &Server {
        let [first, second] = &self.servers;
        match which {
            Which::First => first,
            Which::Second => second,
        }
    }

    fn server_mut(&mut self, which: Which) -> &mut Server {
        let [first, second] = &mut self.servers;
        match which {
            Which::First => first,
            Which::Second => second,
        }
    }

    fn files_of(&self, which: Which) -> String {
        self.folder.path().join(self.server(which).name).display().to_string()
    }

    async fn start_server(&mut self, which: Which) -> Result<()> {
        let data = self.files_of(which);
        // The copy has the permissions of the umask of the process that made it.
        private(Path::new(&data))?;
        let postgres = path_of("POSTGRES_BIN").await?.join("postgres");
        let folder = self.folder.path().to_owned();
        let settings = self.clock.as_ref().map(Clock::settings).unwrap_or_default();
        let settings: Vec<(String, String)> = settings
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        let server = self.server_mut(which);
        server.starts += 1;
        let (port, log) = (
            server.port.number().to_string(),
            format!("{}-{}", server.name, server.starts),
        );
        let mut arguments = vec!["-D", &data, "-p", &port];
        arguments.extend(SETTINGS.split_whitespace());
        let started = not_as_root(&postgres, &arguments)?;
        let arguments: Vec<&str> = started.arguments.iter().map(String::as_str).collect();
        let program = Program::start_ended_by("QUIT", &started.path, (&folder, &log), &arguments, &settings).await?;
        server.program = Some(program);
        self.until("it is up", which, "select true").await
    }

    async fn until(&self, wish: &str, which: Which, question: &str) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let asked = async {
                let mut connection = PgConnection::connect(&self.url(which, "postgres")).await?;
                sqlx::query_scalar::<_, bool>(AssertSqlSafe(question.to_owned()))
                    .fetch_one(&mut connection)
                    .await
            };
            if let Ok(Ok(true)) = tokio::time::timeout(Duration::from_secs(2), asked).await {
                return Ok(());
            }
            if Instant::now() > deadline {
                let log = self.server(which).program.as_ref().map(Program::log_tail);
                let log = log.unwrap_or_default();
                return Err(HarnessError::new(format!("not within {PATIENCE:?}: {wish}\n{log}")));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn run(&self, program: &str, arguments: &[&str]) -> Result<()> {
        let path = path_of("POSTGRES_BIN").await?.join(program);
        let started = not_as_root(&path, arguments)?;
        let output = Command::new(&started.path)
            .args(&started.arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("LANG", "C.UTF-8")
            .kill_on_drop(true)
            .output()
            .await
            .map_err(|e| HarnessError::because(format!("could not run {program}"), e))?;
        if output.status.success() {
            return Ok(());
        }
        let printed = String::from_utf8_lossy(&output.stderr).into_owned();
        Err(HarnessError::new(format!("{program} failed: {printed}")))
    }
}

fn private(data: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(data, std::fs::Permissions::from_mode(0o700))
        .map_err(|e| HarnessError::because("could not close a server's folder", e))
}

//! The whole system on one machine: API, workers, a database, a virtual host and a relay. Everything is real, and each
//! program is a separate process.
//!
//! A world has the verbs of the product: [`World::import`], [`World::invite`], [`World::reset_passwords`],
//! [`World::finished`]. It waits for conditions and never sleeps for a guessed time. [`World::run`] runs a test in one,
//! compares the ledger with what the relay received, and removes it. [`World::assert_promises_kept`] waits until
//! nothing is in progress and compares more.
#![expect(
    clippy::indexing_slicing,
    reason = "a JSON value indexed by a name it lacks is null, and null fails the test"
)]
#![expect(
    clippy::missing_panics_doc,
    reason = "every verb ends the test when the world does not do as asked"
)]

mod administrators;
mod ages;
mod another;
mod audit;
mod calls;
mod deliveries;
mod described;
mod history;
mod locks;
mod passwords;
mod programs;
mod promises;
mod queues;
mod rows;
mod run;
mod setup;
#[cfg(test)]
mod tests;
mod users;

pub use administrators::Administrator;
pub use another::AnotherApi;
pub use audit::AuditEntry;
pub use calls::Answer;
pub use locks::HeldLock;
pub use queues::Message;
pub use rows::Rows;
pub use setup::Setup;

use std::sync::{OnceLock, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;
use sqlx::PgPool;
use tokio::sync::{Mutex, MutexGuard, OnceCell};
use uuid::Uuid;

use crate::error::{HarnessError, Result};
use crate::faults::FaultProxy;
use crate::ports::Port;
use crate::program::Program;
use crate::relay::Relay;
use crate::stack::Stack;

/// Timeout for every condition, on a machine that compiles at the same time.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// Interval between checks of a condition.
const PULSE: Duration = Duration::from_millis(20);

/// On an external broker all worlds share the queues, so they run one at a time.
static TURN: Mutex<()> = Mutex::const_new(());

enum Servers {
    Shared(&'static Stack),
    Own(Box<Stack>),
}

/// A running system.
pub struct World {
    /// The relay its workers send to.
    pub relay: Relay,
    /// Its API.
    pub api: Option<Program>,
    /// Its workers.
    pub workers: Vec<Program>,
    /// Its database, for assertions.
    pub db: PgPool,
    servers: Servers,
    setup: Setup,
    name: String,
    base: String,
    /// The address of its API, which may be down or restarted.
    port: Port,
    /// The address of its API's probes.
    probes: String,
    probes_port: Port,
    /// The addresses of its other programs.
    further_ports: std::sync::Mutex<Vec<Port>>,
    key: String,
    administrator: OnceCell<Administrator>,
    described: described::Seen,
    http: reqwest::Client,
    settings: Vec<(String, String)>,
    folder: tempfile::TempDir,
    started: usize,
    began: Instant,
    /// Why the promises are not checked at the end, if they are not.
    promises_skipped: OnceLock<&'static str>,
    _turn: Option<MutexGuard<'static, ()>>,
}

impl World {
    /// Starts a world with the default setup.
    pub async fn start() -> Self {
        Self::with(Setup::default()).await
    }

    /// Starts a world.
    ///
    /// # Panics
    ///
    /// When it does not start; the text names the part and quotes its log.
    pub async fn with(setup: Setup) -> Self {
        match Self::try_with(setup).await {
            Ok(world) => world,
            Err(fault) => panic!("{fault}"),
        }
    }

    /// Starts a world.
    ///
    /// # Errors
    ///
    /// As [`World::with`], for programs that are not tests.
    pub async fn try_with(setup: Setup) -> Result<Self> {
        let servers = if setup.own_stack {
            Servers::Own(Box::new(Stack::start().await?))
        } else {
            Servers::Shared(Stack::shared().await?)
        };
        Self::on(servers, setup).await
    }

    /// Starts a world on an existing stack.
    ///
    /// # Errors
    ///
    /// As [`World::with`].
    pub async fn on_stack(stack: Stack, setup: Setup) -> Result<Self> {
        Self::on(Servers::Own(Box::new(stack)), setup).await
    }

    async fn on(servers: Servers, setup: Setup) -> Result<Self> {
        let stack = match &servers {
            Servers::Shared(stack) => *stack,
            Servers::Own(stack) => stack,
        };
        let turn = if stack.is_private() {
            None
        } else {
            let turn = TURN.lock().await;
            queues::clear(stack.amqp_url()).await?;
            Some(turn)
        };
        let name = format!("beckon_{}", Uuid::new_v4().simple());
        let database_url = match &setup.database_url {
            Some(url) => url.clone(),
            None => stack.create_database(&name, None).await?,
        };
        let amqp_url = match &setup.amqp_url {
            Some(urls) => urls.clone(),
            None => stack.create_vhost(&name).await?,
        };
        let relay = Relay::start(setup.relay.clone()).await?;
        let (port, probes_port) = (Port::claim()?, Port::claim()?);
        let settings = setup::usual_settings(&database_url, &amqp_url);
        let folder = folder_in(stack)?;
        let db = PgPool::connect_lazy(&database_url)
            .map_err(|fault| HarnessError::because("could not read the database's address", fault))?;
        let mut world = Self {
            relay,
            api: None,
            workers: Vec::new(),
            db,
            servers,
            name,
            base: format!("http://{}", port.address()),
            port,
            probes: format!("http://{}", probes_port.address()),
            probes_port,
            further_ports: std::sync::Mutex::default(),
            key: String::new(),
            administrator: OnceCell::new(),
            described: described::Seen::default(),
            http: reqwest::Client::new(),
            settings,
            folder,
            started: 0,
            began: Instant::now(),
            promises_skipped: OnceLock::new(),
            setup,
            _turn: turn,
        };
        world.start_api().await?;
        world.key = world.make_key().await?;
        for _ in 0..world.setup.workers {
            world.start_worker().await?;
        }
        Ok(world)
    }

    /// Its servers.
    pub fn stack(&self) -> &Stack {
        match &self.servers {
            Servers::Shared(stack) => stack,
            Servers::Own(stack) => stack,
        }
    }

    /// The base URL of the API.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The same as a socket address.
    pub fn address(&self) -> std::net::SocketAddr {
        self.port.address()
    }

    /// The base URL of the API's `/healthz`, `/readyz` and `/metrics`.
    pub fn probes(&self) -> &str {
        &self.probes
    }

    /// The same as a socket address.
    pub fn probes_address(&self) -> std::net::SocketAddr {
        self.probes_port.address()
    }

    /// An address for another program, reserved while the world exists.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn spare_address(&self) -> Result<std::net::SocketAddr> {
        let port = Port::claim()?;
        let address = port.address();
        let mut ports = self.further_ports.lock().unwrap_or_else(PoisonError::into_inner);
        ports.push(port);
        Ok(address)
    }

    /// The API key of its calls.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Its settings, as environment variables of a program.
    pub fn settings(&self) -> &[(String, String)] {
        &self.settings
    }

    /// Its virtual host.
    pub fn vhost(&self) -> &str {
        &self.name
    }

    /// One of its settings; empty when it is not set.
    pub fn setting(&self, wanted: &str) -> &str {
        let found = self.settings.iter().find(|(name, _)| name == wanted);
        found.map_or("", |(_, value)| value)
    }

    /// A proxy in front of the server in one of its settings, and the setting with the proxy's address.
    ///
    /// # Panics
    ///
    /// When there is no such server.
    pub async fn detour(&self, setting: &str) -> (FaultProxy, String) {
        let direct = self.setting(setting);
        let detour = async {
            let proxy = FaultProxy::in_front_of(direct).await?;
            let url = proxy.url(direct)?;
            Ok::<_, HarnessError>((proxy, url))
        };
        match detour.await {
            Ok(detour) => detour,
            Err(fault) => panic!("{fault}"),
        }
    }

    /// The folder of its programs' files.
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// Everything its programs have logged.
    pub fn logs(&self) -> String {
        let mut logs = String::new();
        let files = std::fs::read_dir(self.folder.path()).into_iter().flatten().flatten();
        for file in files.filter(|file| file.path().extension().is_some_and(|ending| ending == "log")) {
            logs.push_str(&std::fs::read_to_string(file.path()).unwrap_or_default());
        }
        logs
    }

    /// Waits until `look` returns a value.
    ///
    /// # Panics
    ///
    /// When it does not within [`PATIENCE`]; `wish` names the condition.
    pub async fn eventually<T, F: Future<Output = Option<T>>>(&self, wish: &str, look: impl Fn() -> F) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = look().await {
                return found;
            }
            assert!(
                Instant::now() < deadline,
                "not within {PATIENCE:?}: {wish}\n{}",
                self.tails()
            );
            tokio::time::sleep(PULSE).await;
        }
    }

    fn tails(&self) -> String {
        let programs = self.api.iter().chain(&self.workers).map(Program::log_tail);
        let servers = match &self.servers {
            Servers::Own(stack) => stack.log_tails(),
            Servers::Shared(_) => Vec::new(),
        };
        programs.chain(servers).collect::<Vec<_>>().join("\n---\n")
    }

    async fn make_key(&mut self) -> Result<String> {
        let settings = self.settings.clone();
        let (code, output) = self
            .run_program("beckon-api", &["create-key", "--name", "tests"], &settings)
            .await?;
        let key = output.lines().last().unwrap_or_default().trim().to_owned();
        if code == 0 && key.starts_with("beckon_") {
            Ok(key)
        } else {
            Err(HarnessError::new(format!(
                "could not make an API key: exit {code}\n{output}"
            )))
        }
    }
}

/// A folder inside the stack's, so that it is removed with it in any case.
fn folder_in(stack: &Stack) -> Result<tempfile::TempDir> {
    let place = stack
        .folder()
        .map_or_else(std::env::temp_dir, std::path::Path::to_path_buf);
    tempfile::tempdir_in(place).map_err(|fault| HarnessError::because("could not make a folder", fault))
}

/// The value as text.
pub(crate) fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

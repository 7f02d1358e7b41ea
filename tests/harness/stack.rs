//! Private servers: a Postgres cluster and a `RabbitMQ` node that belong to this process.
//!
//! They run as child processes on free ports of the loopback address, in a separate folder below the system's temporary
//! folder, and several stacks can run side by side. When a stack is dropped, or its process ends for any reason,
//! `supervisor.sh` removes servers and folder.
//!
//! A stack has no connections and no tasks, so that tests with different runtimes can share it.

mod broker;
mod database;
mod programs;
mod supervisor;

use std::collections::BTreeSet;
use std::future::Future;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::OnceCell;

pub use self::broker::SHIPPED_POLICIES;
pub(crate) use self::broker::{SHIPPED_CONFIGURATION, greets};
use self::programs::Programs;
use self::supervisor::Supervisor;
use crate::error::{HarnessError, Result};
use crate::ports::Port;

/// Timeout for the start of a server.
///
/// Starting the broker takes 6 s of processor time: 7 s on an idle machine, and up to 51 s for two at once on two cores
/// under six busy loops. A server that ends early is detected at once, so a generous limit costs nothing.
const START: Duration = Duration::from_mins(2);
/// Timeout for stopping a server.
const STOP: Duration = Duration::from_secs(30);
/// Interval between checks of a server that is starting or stopping.
const PULSE: Duration = Duration::from_millis(50);

/// A database server and a broker.
#[derive(Debug)]
pub struct Stack {
    database_url: String,
    amqp_url: String,
    own: Option<Own>,
}

/// The parts of a private stack.
#[derive(Debug)]
struct Own {
    // Dropped before the ports, which stay claimed until the servers have ended.
    supervisor: Arc<Supervisor>,
    /// Virtual hosts created through this stack, which are created again after the broker is wiped.
    vhosts: Mutex<BTreeSet<String>>,
    /// Serialises `rabbitmqctl`, of which the supervisor runs one at a time.
    rabbitmqctl: tokio::sync::Mutex<()>,
    ports: Ports,
}

/// The ports of its servers, which stay the same after a restart.
#[derive(Debug)]
struct Ports {
    postgres: Port,
    amqp: Port,
    /// Erlang distribution between the broker and `rabbitmqctl`.
    dist: Port,
    epmd: Port,
    management: Port,
    /// The broker's metrics.
    figures: Port,
}

impl Ports {
    fn claim() -> Result<Self> {
        Ok(Self {
            postgres: Port::claim()?,
            amqp: Port::claim()?,
            dist: Port::claim()?,
            epmd: Port::claim()?,
            management: Port::claim()?,
            figures: Port::claim()?,
        })
    }
}

/// How a server is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// An orderly shutdown: connections end, files are closed.
    Graceful,
    /// A crash: the server has no time to do anything.
    Kill,
}

/// One of the two servers, with its name in the supervisor and the logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Server {
    Postgres,
    Broker,
}

impl Server {
    fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Broker => "broker",
        }
    }
}

static SHARED: OnceCell<Stack> = OnceCell::const_new();

impl Stack {
    /// Starts private servers configured for speed: a crash of the machine could lose writes, a crash of a server
    /// does not.
    ///
    /// # Errors
    ///
    /// When a program is missing (`deploy/setup` installs it) or a server does not start; the text quotes the end of
    /// that server's log. Nothing is left behind.
    pub async fn start() -> Result<Self> {
        Self::start_with(database::FAST, broker::FAST).await
    }

    /// Starts private servers as durable as in production, for measurements.
    ///
    /// # Errors
    ///
    /// As [`Stack::start`].
    pub async fn start_durable() -> Result<Self> {
        Self::start_with(database::DURABLE, broker::DURABLE).await
    }

    /// The one stack that all tests of this process share, started on first use.
    ///
    /// If `DATABASE_URL` and `AMQP_URL` are both set, those servers are used and nothing is started.
    ///
    /// # Errors
    ///
    /// As [`Stack::start`]; the next caller tries again.
    pub async fn shared() -> Result<&'static Self> {
        SHARED
            .get_or_try_init(|| async {
                match (setting("DATABASE_URL"), setting("AMQP_URL")) {
                    (Some(database_url), Some(amqp_url)) => Ok(Self {
                        database_url,
                        amqp_url,
                        own: None,
                    }),
                    _ => Self::start().await,
                }
            })
            .await
    }

    /// The folder of the shared stack, if it is private and has been started.
    pub(crate) fn shared_folder() -> Option<&'static Path> {
        SHARED.get().and_then(Self::folder)
    }

    async fn start_with(postgres_options: &str, broker_lines: &[&str]) -> Result<Self> {
        let stack = Self::begin(postgres_options, broker_lines).await?;
        tokio::try_join!(stack.start_postgres(), stack.start_broker())?;
        Ok(stack)
    }

    /// Creates a stack with its folder, ports and supervisor, without servers.
    async fn begin(postgres_options: &str, broker_lines: &[&str]) -> Result<Self> {
        let programs = Programs::find().await?;
        let ports = Ports::claim()?;
        let supervisor = Supervisor::start(&programs, &ports, postgres_options)?;
        let stack = Self {
            database_url: format!("postgres://postgres@{}/postgres", ports.postgres.address()),
            amqp_url: format!("amqp://guest:guest@{}/%2f", ports.amqp.address()),
            own: Some(Own {
                supervisor: Arc::new(supervisor),
                vhosts: Mutex::default(),
                rabbitmqctl: tokio::sync::Mutex::default(),
                ports,
            }),
        };
        stack.configure_broker(broker_lines).await?;
        Ok(stack)
    }

    /// The URL of the administrative database `postgres`.
    pub fn database_url(&self) -> &str {
        &self.database_url
    }

    /// The URL of the broker's default virtual host, or of the one in `AMQP_URL`.
    pub fn amqp_url(&self) -> &str {
        &self.amqp_url
    }

    /// Whether the servers are private, so that they may be stopped and wiped.
    pub fn is_private(&self) -> bool {
        self.own.is_some()
    }

    /// The folder of a private stack: `postgres`, `broker/mnesia`, `log`.
    pub fn folder(&self) -> Option<&Path> {
        self.own.as_ref().map(|own| own.supervisor.folder())
    }

    fn own(&self) -> Result<&Own> {
        self.own.as_ref().ok_or_else(|| {
            HarnessError::new("the servers were given by DATABASE_URL and AMQP_URL, and are not ours to stop")
        })
    }

    async fn start_server<F>(&self, server: Server, is_ready: impl Fn() -> F) -> Result<()>
    where
        F: Future<Output = bool>,
    {
        let supervisor = &self.own()?.supervisor;
        let name = server.name();
        supervisor.ask(format!("start {name}")).await?;
        let deadline = Instant::now() + START;
        while !is_ready().await {
            let trouble = if supervisor.ask(format!("lives {name}")).await? == "no" {
                "ended while starting".to_owned()
            } else if Instant::now() > deadline {
                format!("was not ready within {START:?}")
            } else {
                tokio::time::sleep(PULSE).await;
                continue;
            };
            let tail = supervisor.log_tail(name);
            return Err(HarnessError::new(format!(
                "the private {name} {trouble}; the end of its log:\n{tail}"
            )));
        }
        Ok(())
    }

    /// The ends of the logs of its private servers.
    pub(crate) fn log_tails(&self) -> Vec<String> {
        let servers = [Server::Postgres, Server::Broker].map(Server::name);
        let supervisor = self.own.as_ref().map(|own| &own.supervisor);
        supervisor
            .map(|supervisor| {
                servers
                    .map(|name| format!("{name}:\n{}", supervisor.log_tail(name)))
                    .to_vec()
            })
            .unwrap_or_default()
    }

    async fn stop_server(&self, server: Server, signal: &str) -> Result<()> {
        let supervisor = &self.own()?.supervisor;
        let name = server.name();
        supervisor.ask(format!("signal {signal} {name}")).await?;
        let deadline = Instant::now() + STOP;
        while supervisor.ask(format!("lives {name}")).await? == "yes" {
            if Instant::now() > deadline {
                let tail = supervisor.log_tail(name);
                return Err(HarnessError::new(format!(
                    "the private {name} did not stop within {STOP:?} of SIG{signal}; the end of its log:\n{tail}"
                )));
            }
            tokio::time::sleep(PULSE).await;
        }
        Ok(())
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the harness has no config.rs; these two are the addresses of the servers of a test run"
)]
fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests;

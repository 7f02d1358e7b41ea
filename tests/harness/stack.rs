//! Private servers: a Postgres cluster and a `RabbitMQ` node that belong to this process.
//!
//! They run as child processes on free ports of the loopback address, in a folder of their own
//! below the system's temporary folder; several stacks live side by side. When a stack is
//! dropped, or its process ends in whatever way, `keeper.sh` takes servers and folder away.
//!
//! A stack holds no connection and no task of any runtime, so that tests, each with a runtime
//! of its own, can share one.

mod broker;
mod database;
mod keeper;
mod programs;

use std::collections::BTreeSet;
use std::future::Future;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::OnceCell;

pub use self::broker::SHIPPED_POLICIES;
pub(crate) use self::broker::{SHIPPED_CONFIGURATION, greets};
use self::keeper::Keeper;
use self::programs::Programs;
use crate::error::{HarnessError, Result};
use crate::ports::Port;

/// How long a server may take to come up.
///
/// The broker's start is 6 s of processor time: 7 s on an idle machine, 51 s seen for two at
/// once on two cores under six busy loops. One that ends early is noticed at once, so a
/// generous bound costs nothing.
const START: Duration = Duration::from_mins(2);
/// How long a server may take to stop when asked to.
const STOP: Duration = Duration::from_secs(30);
/// Pause between two looks at a server that is coming up or going down.
const PULSE: Duration = Duration::from_millis(50);

/// A database server and a broker to work with.
#[derive(Debug)]
pub struct Stack {
    database_url: String,
    amqp_url: String,
    own: Option<Own>,
}

/// What only a private stack has.
#[derive(Debug)]
struct Own {
    // Before the ports: they stay claimed until the servers are gone.
    keeper: Arc<Keeper>,
    /// Virtual hosts made through this stack, which a wiped broker must be given again.
    vhosts: Mutex<BTreeSet<String>>,
    /// The keeper runs one `rabbitmqctl` at a time.
    rabbitmqctl: tokio::sync::Mutex<()>,
    ports: Ports,
}

/// Where its servers listen, also after a restart.
#[derive(Debug)]
struct Ports {
    postgres: Port,
    amqp: Port,
    /// Between Erlang machines: the broker and `rabbitmqctl`.
    dist: Port,
    epmd: Port,
    management: Port,
    /// The broker's figures, for Prometheus.
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
    /// As by an operator: connections end, files are closed.
    Graceful,
    /// As by a crash: the server has no time to do anything.
    Kill,
}

/// One of the two servers, by the name the keeper and the logs know it by.
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
    /// Starts private servers that write as fast as they can: a crash of the machine would lose
    /// what they hold, a crash of a server does not.
    ///
    /// # Errors
    ///
    /// When a program is missing (`deploy/setup` installs it) or a server does not come up; the
    /// text quotes the end of that server's log. Nothing is left behind.
    pub async fn start() -> Result<Self> {
        Self::start_with(database::FAST, broker::FAST).await
    }

    /// Starts private servers that promise what production's do, for measuring.
    ///
    /// # Errors
    ///
    /// As [`Stack::start`].
    pub async fn start_durable() -> Result<Self> {
        Self::start_with(database::DURABLE, broker::DURABLE).await
    }

    /// The one stack that all tests of this process share, started on first use.
    ///
    /// When `DATABASE_URL` and `AMQP_URL` are both set, those servers are used and nothing is
    /// started.
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

    /// A stack with its folder, its ports and its keeper, and no server yet.
    async fn begin(postgres_options: &str, broker_lines: &[&str]) -> Result<Self> {
        let programs = Programs::find().await?;
        let ports = Ports::claim()?;
        let keeper = Keeper::start(&programs, &ports, postgres_options)?;
        let stack = Self {
            database_url: format!("postgres://postgres@{}/postgres", ports.postgres.address()),
            amqp_url: format!("amqp://guest:guest@{}/%2f", ports.amqp.address()),
            own: Some(Own {
                keeper: Arc::new(keeper),
                vhosts: Mutex::default(),
                rabbitmqctl: tokio::sync::Mutex::default(),
                ports,
            }),
        };
        stack.configure_broker(broker_lines).await?;
        Ok(stack)
    }

    /// Where the administrator's database `postgres` is.
    pub fn database_url(&self) -> &str {
        &self.database_url
    }

    /// Where the broker's default virtual host is; on servers given by `AMQP_URL`, the one named there.
    pub fn amqp_url(&self) -> &str {
        &self.amqp_url
    }

    /// Whether the servers are this process's own, so that they may be stopped and wiped.
    pub fn is_private(&self) -> bool {
        self.own.is_some()
    }

    /// Where a private stack keeps its files: `postgres`, `broker/mnesia`, `log`.
    pub fn folder(&self) -> Option<&Path> {
        self.own.as_ref().map(|own| own.keeper.folder())
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
        let keeper = &self.own()?.keeper;
        let name = server.name();
        keeper.ask(format!("start {name}")).await?;
        let deadline = Instant::now() + START;
        while !is_ready().await {
            let trouble = if keeper.ask(format!("lives {name}")).await? == "no" {
                "ended while starting".to_owned()
            } else if Instant::now() > deadline {
                format!("was not ready within {START:?}")
            } else {
                tokio::time::sleep(PULSE).await;
                continue;
            };
            let tail = keeper.log_tail(name);
            return Err(HarnessError::new(format!(
                "the private {name} {trouble}; the end of its log:\n{tail}"
            )));
        }
        Ok(())
    }

    /// The ends of its private servers' logs.
    pub(crate) fn log_tails(&self) -> Vec<String> {
        let servers = [Server::Postgres, Server::Broker].map(Server::name);
        let keeper = self.own.as_ref().map(|own| &own.keeper);
        keeper
            .map(|keeper| {
                servers
                    .map(|name| format!("{name}:\n{}", keeper.log_tail(name)))
                    .to_vec()
            })
            .unwrap_or_default()
    }

    async fn stop_server(&self, server: Server, signal: &str) -> Result<()> {
        let keeper = &self.own()?.keeper;
        let name = server.name();
        keeper.ask(format!("signal {signal} {name}")).await?;
        let deadline = Instant::now() + STOP;
        while keeper.ask(format!("lives {name}")).await? == "yes" {
            if Instant::now() > deadline {
                let tail = keeper.log_tail(name);
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

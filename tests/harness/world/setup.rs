//! The setup of a world.

use std::path::PathBuf;

use crate::error::Result;
use crate::program::binary_path;
use crate::relay::Script;

/// The setup of a world.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The script of the relay.
    pub relay: Script,
    /// Number of workers at the start.
    pub workers: usize,
    /// Additional settings of the API.
    pub api: Vec<(String, String)>,
    /// Additional settings of the workers.
    pub worker: Vec<(String, String)>,
    /// Whether Postgres and `RabbitMQ` belong to this world alone, so that it may stop and wipe them.
    pub own_stack: bool,
    /// The URL of Postgres, instead of a new database on the stack.
    pub database_url: Option<String>,
    /// The URLs of RabbitMQ, instead of a new virtual host on the stack.
    pub amqp_url: Option<String>,
    /// The folder of the programs of another release, to run instead of this workspace's.
    pub programs: Option<PathBuf>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            relay: Script::default(),
            workers: 1,
            api: Vec::new(),
            worker: Vec::new(),
            own_stack: false,
            database_url: None,
            amqp_url: None,
            programs: None,
        }
    }
}

impl Setup {
    /// With this setting of the workers.
    #[must_use]
    pub fn worker_setting(mut self, name: &str, value: &str) -> Self {
        self.worker.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With this setting of the API.
    #[must_use]
    pub fn api_setting(mut self, name: &str, value: &str) -> Self {
        self.api.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With this many workers.
    #[must_use]
    pub const fn workers(mut self, workers: usize) -> Self {
        self.workers = workers;
        self
    }

    /// On this existing database.
    #[must_use]
    pub fn on_database(mut self, url: &str) -> Self {
        self.database_url = Some(url.to_owned());
        self
    }

    /// With these running brokers.
    #[must_use]
    pub fn on_brokers(mut self, urls: &str) -> Self {
        self.amqp_url = Some(urls.to_owned());
        self
    }

    /// The address for its worker's probes, if set.
    pub(super) fn probes(&self) -> Option<String> {
        let mut worker = self.worker.iter();
        worker.find_map(|(name, address)| (name == "BECKON_PROBES_LISTEN").then(|| address.clone()))
    }

    /// The user info in the relay's URL, if it requires a login.
    pub(super) fn login(&self) -> String {
        let login = self.relay.login.as_ref();
        login.map_or_else(String::new, |login| format!("{}:{}@", login.user, login.password))
    }

    /// The path of one of our programs.
    pub(super) fn path_of(&self, binary: &str) -> Result<PathBuf> {
        match &self.programs {
            Some(folder) => Ok(folder.join(binary)),
            None => binary_path(binary),
        }
    }

    /// With its own Postgres and `RabbitMQ`.
    #[must_use]
    pub const fn own_stack(mut self) -> Self {
        self.own_stack = true;
        self
    }
}

/// The settings every program of a world gets.
pub(super) fn usual_settings(database_url: &str, amqp_url: &str) -> Vec<(String, String)> {
    [
        ("DATABASE_URL", database_url),
        ("AMQP_URL", amqp_url),
        ("BECKON_MAIL_FROM", "Lerna Academy <invites@lerna.example>"),
        ("BECKON_PUBLIC_URL", "https://lerna.example"),
        ("BECKON_SIGN_IN_URL", "https://lerna.example/sign-in"),
        ("BECKON_ORGANISATION", "Lerna Academy"),
        ("BECKON_LOG", "info"),
        ("BECKON_LOG_FORMAT", "json"),
        ("BECKON_LEASE", "3s"),
        ("BECKON_STOP_GRACE", "20s"),
        ("BECKON_DATABASE_CONNECTIONS", "6"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec()
}

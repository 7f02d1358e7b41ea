//! How a world is set up.

use std::path::PathBuf;

use crate::error::Result;
use crate::program::binary_path;
use crate::relay::Script;

/// How a world is set up.
#[derive(Clone, Debug)]
pub struct Setup {
    /// What the relay does.
    pub relay: Script,
    /// How many workers run from the start.
    pub workers: usize,
    /// Settings of the API beside the usual ones.
    pub api: Vec<(String, String)>,
    /// Settings of the workers beside the usual ones.
    pub worker: Vec<(String, String)>,
    /// Whether Postgres and `RabbitMQ` are this world's alone, so that it may stop and wipe them.
    pub own_stack: bool,
    /// Postgres's address, if the world is not to have a database of its own on the stack.
    pub database_url: Option<String>,
    /// RabbitMQ's addresses, if the world is not to have a virtual host of its own on the stack.
    pub amqp_url: Option<String>,
    /// Where the programs of another release are, if they are to run and not this workspace's.
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

    /// Where its worker's probes are to be, if that is set.
    pub(super) fn probes(&self) -> Option<String> {
        let mut worker = self.worker.iter();
        worker.find_map(|(name, address)| (name == "BECKON_PROBES_LISTEN").then(|| address.clone()))
    }

    /// What stands before the relay's host when it asks for a login.
    pub(super) fn login(&self) -> String {
        let login = self.relay.login.as_ref();
        login.map_or_else(String::new, |login| format!("{}:{}@", login.user, login.password))
    }

    /// Where one of our programs is.
    pub(super) fn path_of(&self, binary: &str) -> Result<PathBuf> {
        match &self.programs {
            Some(folder) => Ok(folder.join(binary)),
            None => binary_path(binary),
        }
    }

    /// With Postgres and `RabbitMQ` of its own.
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

//! Addresses of Postgres and RabbitMQ.
//!
//! These connections carry verifiers, addresses and jobs. One that leaves this machine needs verified TLS,
//! unless a setting declares the network as trusted.

use super::{Faults, SharedArgs, switch, whole_number};
use std::collections::BTreeSet;

/// How to connect to Postgres.
#[derive(Clone)]
pub struct DatabaseSettings {
    /// `postgres://…`, with its password.
    pub url: String,
    /// Maximum number of connections.
    pub connections: u32,
}

impl SharedArgs {
    /// Reads the settings of Postgres.
    pub fn database(&self, faults: &mut Faults) -> Option<DatabaseSettings> {
        let url = faults.secret(
            "DATABASE_URL",
            self.database_url.clone(),
            self.database_url_file.as_deref(),
        );
        let connections = faults.read(
            "BECKON_DATABASE_CONNECTIONS",
            &self.beckon_database_connections,
            whole_number(2, 1000),
        );
        let allow_plaintext = faults.read(
            "BECKON_ALLOW_PLAINTEXT_DATABASE",
            &self.beckon_allow_plaintext_database,
            switch,
        );
        let url = url?;
        if let Err(problem) = crate::store::check_address(&url, allow_plaintext?) {
            faults.add("DATABASE_URL", problem);
            return None;
        }
        Some(DatabaseSettings {
            url,
            connections: u32::try_from(connections?).ok()?,
        })
    }

    /// Reads the addresses of the brokers, which are tried in turn.
    pub fn brokers(&self, faults: &mut Faults) -> Option<Vec<String>> {
        let text = faults.secret("AMQP_URL", self.amqp_url.clone(), self.amqp_url_file.as_deref());
        let allow_plaintext = faults.read("BECKON_ALLOW_PLAINTEXT_AMQP", &self.beckon_allow_plaintext_amqp, switch);
        let (text, allow_plaintext) = (text?, allow_plaintext?);
        let urls: Vec<String> = text.split(',').map(|url| url.trim().to_owned()).collect();
        // Report each problem once, even if several entries have it.
        let problems: BTreeSet<String> = urls
            .iter()
            .filter_map(|url| crate::queue::check_address(url, allow_plaintext).err())
            .collect();
        for problem in &problems {
            faults.add("AMQP_URL", problem);
        }
        problems.is_empty().then_some(urls)
    }
}

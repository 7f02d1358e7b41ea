//! The machine that the figures were measured on.

use std::fs;

use harness::{HarnessError, Result};
use serde_json::Value;
use sqlx::Row as _;

use crate::scene::Scene;

/// A machine and its servers.
#[derive(Debug)]
pub(crate) struct Machine {
    processor: String,
    cores: usize,
    memory: String,
    kernel: String,
    postgres: String,
    rabbitmq: String,
}

impl Machine {
    /// Reads the properties of this machine.
    ///
    /// # Errors
    ///
    /// When it does not run Linux.
    pub(crate) fn look() -> Result<Self> {
        Ok(Self {
            processor: field("/proc/cpuinfo", "model name")?,
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            memory: field("/proc/meminfo", "MemTotal").map(|text| in_gibibytes(&text))?,
            kernel: read("/proc/sys/kernel/osrelease")?.trim().to_owned(),
            postgres: String::new(),
            rabbitmq: String::new(),
        })
    }

    /// Adds the versions of the servers.
    ///
    /// # Errors
    ///
    /// When one does not answer.
    pub(crate) async fn add_servers(&mut self, scene: &Scene) -> Result<()> {
        let shown = sqlx::query("show server_version").fetch_one(&scene.world.db).await;
        self.postgres = shown
            .and_then(|row| row.try_get(0))
            .map_err(|fault| HarnessError::because("could not ask Postgres for its version", fault))?;
        let broker = HarnessError::new("the broker has no management API");
        let url = scene.world.stack().management_url().ok_or(broker)?;
        let failed = |fault| HarnessError::because("could not ask RabbitMQ for its version", fault);
        let asked = scene
            .http
            .get(format!("{url}/overview"))
            .basic_auth("guest", Some("guest"));
        let answer: Value = asked.send().await.map_err(failed)?.json().await.map_err(failed)?;
        let text = |name: &str| answer.get(name).and_then(Value::as_str).unwrap_or("?").to_owned();
        self.rabbitmq = format!("{}, Erlang {}", text("rabbitmq_version"), text("erlang_version"));
        Ok(())
    }

    /// Lines of name and value.
    pub(crate) fn lines(&self) -> Vec<(&'static str, String)> {
        vec![
            (
                "Processor",
                format!("{}, {} cores for everything", self.processor, self.cores),
            ),
            ("Memory", self.memory.clone()),
            ("Linux", self.kernel.clone()),
            (
                "Postgres",
                format!("{}, fsync and synchronous_commit on", self.postgres),
            ),
            ("RabbitMQ", format!("{}, quorum queues", self.rabbitmq)),
        ]
    }
}

fn read(path: &str) -> Result<String> {
    fs::read_to_string(path).map_err(|fault| HarnessError::because(format!("could not read {path}"), fault))
}

fn field(path: &str, name: &str) -> Result<String> {
    let text = read(path)?;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let value = line.and_then(|line| line.split_once(':'));
    Ok(value.map_or("unknown", |(_, value)| value.trim()).to_owned())
}

fn in_gibibytes(text: &str) -> String {
    let kibibytes = text
        .split_whitespace()
        .next()
        .and_then(|number| number.parse::<f64>().ok());
    kibibytes.map_or_else(|| text.to_owned(), |size| format!("{:.1} GiB", size / 1024.0 / 1024.0))
}

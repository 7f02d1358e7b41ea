//! Where this machine keeps the servers' programs.

use std::path::PathBuf;

use tokio::process::Command;

use crate::error::{HarnessError, Result};

/// The script that knows where to look and how to install.
const SETUP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/setup");

/// The programs a private stack is made of.
#[derive(Debug)]
pub(super) struct Programs {
    /// Holds `initdb` and `postgres`.
    pub(super) postgres_bin: PathBuf,
    /// Holds the broker's own scripts, not a distribution's wrappers.
    pub(super) rabbitmq_bin: PathBuf,
    /// Erlang's port mapper.
    pub(super) epmd: PathBuf,
}

impl Programs {
    /// Asks `deploy/setup --where`.
    pub(super) async fn find() -> Result<Self> {
        let output = Command::new(SETUP)
            .arg("--where")
            .kill_on_drop(true)
            .output()
            .await
            .map_err(|e| HarnessError::because("could not run deploy/setup --where", e))?;
        if !output.status.success() {
            let complaint = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(HarnessError::new(complaint));
        }
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let line = |name: &str| {
            text.lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
                .map(PathBuf::from)
                .ok_or_else(|| HarnessError::new(format!("deploy/setup --where does not say {name}")))
        };
        Ok(Self {
            postgres_bin: line("POSTGRES_BIN")?,
            rabbitmq_bin: line("RABBITMQ_BIN")?,
            epmd: line("EPMD")?,
        })
    }
}

//! The programs a private stack is made of.

use std::path::PathBuf;

use crate::error::Result;
use crate::installed::path_of;

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
        Ok(Self {
            postgres_bin: path_of("POSTGRES_BIN").await?,
            rabbitmq_bin: path_of("RABBITMQ_BIN").await?,
            epmd: path_of("EPMD").await?,
        })
    }
}

//! The programs of a private stack.

use std::path::PathBuf;

use crate::error::Result;
use crate::installed::path_of;

/// The programs of a private stack.
#[derive(Debug)]
pub(super) struct Programs {
    /// The folder of `initdb` and `postgres`.
    pub(super) postgres_bin: PathBuf,
    /// The folder of the broker's own scripts, not a distribution's wrappers.
    pub(super) rabbitmq_bin: PathBuf,
    /// Erlang's port mapper.
    pub(super) epmd: PathBuf,
}

impl Programs {
    /// Reads the output of `deploy/setup --where`.
    pub(super) async fn find() -> Result<Self> {
        Ok(Self {
            postgres_bin: path_of("POSTGRES_BIN").await?,
            rabbitmq_bin: path_of("RABBITMQ_BIN").await?,
            epmd: path_of("EPMD").await?,
        })
    }
}

//! The stack's Postgres: databases, and stopping and starting it.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use reqwest::Url;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

use super::{PULSE, Server, Stack, Stop};
use crate::error::{HarnessError, Result};
use crate::installed::path_of;

/// Survives a crash of the server but not of the machine, which tests do not cause. Commits are still written before
/// they are confirmed, because a crash of the server loses its memory. Several worlds share it, each with an API (at
/// most 14 connections) and workers (10 each). JIT compilation is off: Beckon disables it anyway, and queries of tests
/// run once.
pub(super) const FAST: &str = "-c max_connections=400 -c shared_buffers=128MB -c fsync=off \
     -c synchronous_commit=on -c full_page_writes=off -c autovacuum_naptime=10min -c jit=off";
/// Fully durable, with the memory of a dedicated server.
pub(super) const DURABLE: &str = "-c max_connections=200 -c shared_buffers=512MB -c fsync=on \
     -c synchronous_commit=on -c max_wal_size=2GB";

/// How long to wait for connections to a template to close before it is copied.
const TEMPLATE_BUSY: Duration = Duration::from_secs(10);
/// Postgres's code for "object in use".
const IN_USE: &str = "55006";

impl Stack {
    /// Creates a database, as a copy of `template` if one is given, and returns its URL.
    ///
    /// No client may be connected to the template while it is copied. Closing connections are awaited.
    pub async fn create_database(&self, name: &str, template: Option<&str>) -> Result<String> {
        let template = template
            .map(|template| format!(" TEMPLATE {}", quoted(template)))
            .unwrap_or_default();
        let statement = format!("CREATE DATABASE {}{template}", quoted(name));
        let deadline = Instant::now() + TEMPLATE_BUSY;
        loop {
            match self.administer(&statement).await {
                Ok(()) => return self.url_of(name),
                Err(sqlx::Error::Database(e)) if e.code().as_deref() == Some(IN_USE) && Instant::now() < deadline => {
                    tokio::time::sleep(PULSE).await;
                }
                Err(e) => {
                    let sentence = format!("could not create database {name}");
                    return Err(HarnessError::because(sentence, e));
                }
            }
        }
    }

    /// Drops a database and all connections to it. A missing database is not an error.
    pub async fn drop_database(&self, name: &str) -> Result<()> {
        let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", quoted(name));
        self.administer(&statement)
            .await
            .map_err(|e| HarnessError::because(format!("could not drop database {name}"), e))
    }

    /// Starts the private Postgres on its port and waits until it accepts connections.
    pub async fn start_postgres(&self) -> Result<()> {
        self.start_server(Server::Postgres, || async {
            let connecting = PgConnection::connect(&self.database_url);
            match tokio::time::timeout(Duration::from_secs(2), connecting).await {
                Ok(Ok(connection)) => connection.close().await.is_ok(),
                _ => false,
            }
        })
        .await
    }

    /// Stops the private Postgres. Until it is started again, connections are refused.
    ///
    /// `Kill` ends all its processes at once, and the next start recovers from the write-ahead log.
    pub async fn stop_postgres(&self, how: Stop) -> Result<()> {
        // Not SIGKILL: its children would live slightly longer and prevent a restart.
        let signal = match how {
            Stop::Graceful => "INT",
            Stop::Kill => "QUIT",
        };
        self.stop_server(Server::Postgres, signal).await
    }

    /// Restarts the private Postgres.
    pub async fn restart_postgres(&self, how: Stop) -> Result<()> {
        self.stop_postgres(how).await?;
        self.start_postgres().await
    }

    /// The folder of Postgres's programs, such as `psql` and `pg_dump`.
    pub async fn postgres_programs() -> Result<PathBuf> {
        path_of("POSTGRES_BIN").await
    }

    async fn administer(&self, statement: &str) -> std::result::Result<(), sqlx::Error> {
        let mut connection = PgConnection::connect(&self.database_url).await?;
        connection.execute(AssertSqlSafe(statement.to_owned())).await?;
        connection.close().await
    }

    fn url_of(&self, database: &str) -> Result<String> {
        let mut url = Url::parse(&self.database_url)
            .map_err(|e| HarnessError::because("could not read the database's URL", e))?;
        url.set_path(database);
        Ok(url.into())
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

//! Detects connection poolers that share Postgres sessions between connections.
//!
//! A pooler in transaction or statement mode gives each transaction another session. Session settings,
//! prepared statements and notifications are then lost or reach another program, so Beckon needs session
//! mode, in which a connection keeps its session.

use super::{Db, PATIENCE, StoreError, StoreResult, timeout_error};
use sqlx::postgres::PgConnection;
use sqlx::{ConnectOptions as _, Connection as _, Row as _};

/// The error with which poolers refuse to begin a transaction (statement mode).
const NO_TRANSACTIONS: &str = "transaction blocks not allowed";

const BACKEND_PID: &str = "select pg_backend_pid()";
const BEGIN_AND_BACKEND_PID: &str = "begin; select pg_backend_pid()";

/// Sessions are shared.
#[derive(Clone, Debug, thiserror::Error)]
#[error(
    "DATABASE_URL points to a connection pooler in transaction or statement mode at {server}; Beckon needs session \
     mode: set pool_mode = session for this database (in pgbouncer.ini), or connect to Postgres directly"
)]
pub struct SharedSessions {
    server: String,
}

/// How many connections hold a transaction at most. With other traffic, the pooler may by chance give the first ones
/// other sessions.
const MAX_HELD: usize = 6;

/// Finds out whether a pooler shares sessions, with connections of its own.
///
/// One connection has a session. If sessions are shared, it has it no longer between its statements, and one of the
/// others, which hold their transactions open, soon has the same.
///
/// # Errors
///
/// Postgres is unreachable, or accepts only one connection. The result is then unknown.
pub async fn shares_sessions(db: &Db) -> StoreResult<Option<SharedSessions>> {
    let options = db.connect_options();
    let mut one = in_time(options.connect()).await?;
    let before = session_of(&mut one, BACKEND_PID).await?;
    let mut holding = Vec::with_capacity(MAX_HELD);
    let mut is_shared = false;
    while !is_shared && holding.len() < MAX_HELD {
        let mut other = in_time(options.connect()).await?;
        is_shared = match session_of(&mut other, BEGIN_AND_BACKEND_PID).await {
            Ok(held) => held == before || session_of(&mut one, BACKEND_PID).await.ok() != Some(before),
            Err(fault) if fault.cause().to_string().contains(NO_TRANSACTIONS) => true,
            Err(fault) => return Err(fault),
        };
        holding.push(other);
    }
    holding.push(one);
    // If this fails, Postgres detects the end of them by itself.
    let _ = in_time(futures_util::future::try_join_all(
        holding.into_iter().map(PgConnection::close),
    ))
    .await;
    Ok(is_shared.then(|| SharedSessions {
        server: super::server(db),
    }))
}

/// The id of the Postgres process. Queried without a prepared statement, which some poolers cannot forward.
async fn session_of(connection: &mut PgConnection, query: &'static str) -> StoreResult<i32> {
    let row = in_time(sqlx::raw_sql(query).fetch_one(connection)).await?;
    Ok(row.try_get(0)?)
}

async fn in_time<T>(statement: impl Future<Output = sqlx::Result<T>>) -> StoreResult<T> {
    match tokio::time::timeout(PATIENCE, statement).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(StoreError::Unavailable(timeout_error())),
    }
}

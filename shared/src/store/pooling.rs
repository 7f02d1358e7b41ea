//! Detects connection poolers that share Postgres sessions between connections.
//!
//! A pooler in transaction or statement mode gives each transaction another session. Session settings,
//! prepared statements and notifications are then lost or reach another program, so Beckon needs session
//! mode, in which a connection keeps its session.

use super::{Db, PATIENCE, StoreError, StoreResult, silent};
use sqlx::postgres::PgConnection;
use sqlx::{ConnectOptions as _, Connection as _, Row as _};

/// The error with which poolers refuse to begin a transaction (statement mode).
const NO_TRANSACTIONS: &str = "transaction blocks not allowed";

const ASK: &str = "select pg_backend_pid()";
const BEGIN_AND_ASK: &str = "begin; select pg_backend_pid()";

/// Sessions are shared.
#[derive(Clone, Debug, thiserror::Error)]
#[error(
    "DATABASE_URL leads to a connection pooler in transaction or statement mode at {server}; Beckon needs session mode: \
     set pool_mode = session for this database (in pgbouncer.ini), or connect to Postgres directly"
)]
pub struct SharedSessions {
    server: String,
}

/// How often the first connection's session is checked. With other traffic, the pooler may by chance assign
/// the same session again.
const ROUNDS: usize = 5;

/// Finds out whether a pooler shares sessions, with two separate connections.
///
/// While the second connection holds a transaction open, the first one's session is checked again: if
/// sessions are shared, the second has taken it, and the first gets another one or waits.
///
/// # Errors
///
/// Postgres is unreachable, or accepts only one connection. The result is then unknown.
pub async fn shares_sessions(db: &Db) -> StoreResult<Option<SharedSessions>> {
    let options = db.connect_options();
    let (mut one, mut other) = (soon(options.connect()).await?, soon(options.connect()).await?);
    let before = session_of(&mut one, ASK).await?;
    let mut is_shared = false;
    for _ in 0..ROUNDS {
        is_shared = match session_of(&mut other, BEGIN_AND_ASK).await {
            Ok(held) => held == before || session_of(&mut one, ASK).await.ok() != Some(before),
            Err(fault) if fault.cause().to_string().contains(NO_TRANSACTIONS) => true,
            Err(fault) => return Err(fault),
        };
        if is_shared {
            break;
        }
        soon(sqlx::raw_sql("rollback").execute(&mut other)).await?;
    }
    // If this fails, Postgres detects the end of both by itself.
    let _ = soon(async { futures_util::future::try_join(one.close(), other.close()).await }).await;
    Ok(is_shared.then(|| SharedSessions {
        server: super::server(db),
    }))
}

/// The id of the Postgres process. Queried without a prepared statement, which some poolers cannot forward.
async fn session_of(connection: &mut PgConnection, asked: &'static str) -> StoreResult<i32> {
    let row = soon(sqlx::raw_sql(asked).fetch_one(connection)).await?;
    Ok(row.try_get(0)?)
}

async fn soon<T>(asked: impl Future<Output = sqlx::Result<T>>) -> StoreResult<T> {
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(StoreError::Unavailable(silent())),
    }
}

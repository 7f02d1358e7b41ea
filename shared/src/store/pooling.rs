//! Whether a connection pooler shares sessions of Postgres between connections.
//!
//! A pooler in transaction or statement mode gives each transaction another session. Settings of a session, prepared
//! statements and notifications are lost there or meet another program's, so Beckon needs session mode, in which a
//! connection keeps its session.

use super::{Db, PATIENCE, StoreError, StoreResult, silent};
use sqlx::postgres::PgConnection;
use sqlx::{ConnectOptions as _, Connection as _, Row as _};

/// The words with which poolers refuse to begin a transaction (statement mode).
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

/// How often the first connection is asked for its session. What else goes through the pooler may give it the same
/// one again by chance.
const ROUNDS: usize = 5;

/// Finds out whether a pooler shares sessions, with two connections of its own.
///
/// While the second holds a transaction open, the first is asked for its session again: where sessions are shared,
/// the second took the one that the first had, and the first is given another, or waits.
///
/// # Errors
///
/// When Postgres cannot be reached, or gives out only one connection; nothing is known then.
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
    // Postgres notices the end of both by itself where this fails.
    let _ = soon(async { futures_util::future::try_join(one.close(), other.close()).await }).await;
    Ok(is_shared.then(|| SharedSessions {
        server: super::server(db),
    }))
}

/// The process of Postgres that answers, asked without a prepared statement, which some poolers cannot pass on.
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

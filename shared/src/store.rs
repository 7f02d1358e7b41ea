//! Postgres, the truth: every statement Beckon runs is in this folder.
//!
//! A change of state is one guarded statement that says which rows it moved; a late or double
//! caller moves none, and that is an answer, not an error. Moments are Postgres's `now()`, so
//! that processes on machines with different clocks agree on leases and expiry. No transaction
//! stays open while anybody waits for SMTP, the broker or a hash.
//!
//! Callers that may be dropped in the middle, as a web request is when its client hangs up, run
//! what writes in a task of its own: a cancelled `begin` would leave the connection inside a
//! transaction (sqlx 0.9.0). As a net below that, [`connect`] has every connection asked on its
//! way back whether it is still in one, and throws it away if so.

pub mod activity;
mod address;
pub mod administrators;
pub mod api_keys;
pub mod attempts;
pub mod audit;
pub mod backlog;
pub mod batches;
pub mod blocked;
pub mod brake;
pub mod claims;
pub mod credentials;
pub mod database_history;
pub mod deliveries;
mod diagnosis;
pub mod dispatch;
pub mod dispatcher_lease;
pub mod everybody;
pub mod idempotency;
pub mod imports;
pub mod intake;
pub mod known_clients;
pub mod ledger;
pub mod left_out;
pub mod missing;
pub mod months;
mod pool;
mod pooling;
pub mod relay_refusals;
pub mod saved_filters;
pub mod schema;
pub mod selections;
pub mod sessions;
pub mod settle;
pub mod slowdowns;
pub mod stall;
pub mod sweeps;
pub mod system_emails;
pub mod tally;
pub mod users;
pub mod workers;

pub use address::check_address;
pub use diagnosis::{Unusable, answer_or_cause, check, explain, server, takes_writes};
pub use pool::{Planning, connect};
pub use pooling::{SharedSessions, shares_sessions};

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::time::Duration;

/// Connections to Postgres.
pub type Db = sqlx::PgPool;

/// A transaction that several statements share.
pub type Transaction = sqlx::Transaction<'static, sqlx::Postgres>;

/// How long a caller waits for a free connection before it hears that Postgres is busy.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a statement may take that no request waits for, or that a request must not end early.
/// The longest of them take a second; one that waits for a lock ends after as long.
const ANSWER: Duration = Duration::from_secs(30);

/// How often a statement is asked again that Postgres ended to undo a deadlock.
const DEADLOCKS: usize = 3;

/// Why a statement gave no answer, by what the caller does about it.
///
/// Logs have it in its `Debug` form, which leaves out what Postgres says in detail: there it quotes
/// the row at fault, with whom it is about.
#[derive(thiserror::Error)]
pub enum StoreError {
    /// Postgres is away, busy, full or read-only. Nothing was stored, unless it was the answer that
    /// was lost; asking again later is safe where the statement is guarded or has a key.
    #[error("Postgres is not available")]
    Unavailable(#[source] sqlx::Error),
    /// Postgres refused the statement: a fault in Beckon. Asking again gives the same answer.
    #[error("Postgres refused a statement")]
    Refused(#[source] sqlx::Error),
}

impl From<sqlx::Error> for StoreError {
    fn from(fault: sqlx::Error) -> Self {
        let fault = diagnosis::in_words(fault);
        if is_passing_fault(&fault) {
            Self::Unavailable(fault)
        } else {
            Self::Refused(fault)
        }
    }
}

impl fmt::Debug for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cause = self.cause();
        let name = if self.is_passing() { "Unavailable" } else { "Refused" };
        let Some(answer) = cause.as_database_error() else {
            return f.debug_tuple(name).field(cause).finish();
        };
        f.debug_struct(name)
            .field("code", &answer.code())
            .field("message", &answer.message())
            .field("table", &answer.table())
            .field("constraint", &answer.constraint())
            .finish()
    }
}

impl StoreError {
    /// What sqlx says.
    pub const fn cause(&self) -> &sqlx::Error {
        let (Self::Unavailable(cause) | Self::Refused(cause)) = self;
        cause
    }

    /// Whether Postgres ended it because two waited for each other (40P01) or because of a
    /// serialisation (40001). Nothing was changed, and asking again at once can help.
    fn is_deadlock(&self) -> bool {
        matches!(self.code().as_deref(), Some("40P01" | "40001"))
    }

    /// Postgres's code for it, where Postgres said anything.
    fn code(&self) -> Option<Cow<'_, str>> {
        self.cause()
            .as_database_error()
            .and_then(sqlx::error::DatabaseError::code)
    }

    /// Whether a fault is the server's or the connection's, and not that of a statement.
    pub fn is_of_the_server(fault: &sqlx::Error) -> bool {
        let code = fault.as_database_error().and_then(sqlx::error::DatabaseError::code);
        // 28 invalid authorisation, 3D000 no such database.
        is_passing_fault(fault) || code.is_some_and(|code| code.starts_with("28") || code == "3D000")
    }

    /// Whether asking again can help.
    pub const fn is_passing(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}

fn is_passing_fault(fault: &sqlx::Error) -> bool {
    match fault {
        sqlx::Error::Database(answer) => answer.code().is_some_and(|code| is_passing(&code)),
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        _ => false,
    }
}

/// Error codes of Postgres (appendix A of its manual) that say "not now".
fn is_passing(code: &str) -> bool {
    // 08 connection, 53 resources (full disk, too many connections), 57 shutdown and restart,
    // 58 system, 40 serialisation and deadlock, 25006 read-only, 55P03 lock not available.
    ["08", "53", "57", "58", "40"]
        .iter()
        .any(|class| code.starts_with(class))
        || matches!(code, "25006" | "55P03" | "25P02")
}

/// What a store function returns.
pub type StoreResult<T> = Result<T, StoreError>;

/// Waits for a statement, but not for ever: sqlx would, for a server that vanished without a word.
/// The connection is closed then, and what became of the statement is unknown.
async fn within<T>(asked: impl Future<Output = sqlx::Result<T>>) -> StoreResult<T> {
    match tokio::time::timeout(ANSWER, asked).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(StoreError::Unavailable(silent())),
    }
}

fn silent() -> sqlx::Error {
    sqlx::Error::Io(std::io::Error::new(
        std::io::ErrorKind::TimedOut,
        "Postgres did not answer in time",
    ))
}

/// Asks again when Postgres ended the statement to undo a deadlock. Nothing was changed then.
///
/// # Errors
///
/// The last answer's: after the third deadlock, or any other.
pub async fn despite_deadlocks<T, F: Future<Output = StoreResult<T>>>(ask: impl Fn() -> F) -> StoreResult<T> {
    let mut left = DEADLOCKS;
    loop {
        match ask().await {
            Err(fault) if left > 0 && fault.is_deadlock() => left -= 1,
            answer => return answer,
        }
    }
}

/// Begins a transaction. Call it only in a task that nobody drops.
///
/// # Errors
///
/// When Postgres is away.
pub async fn begin(db: &Db) -> StoreResult<Transaction> {
    Ok(db.begin().await?)
}

/// Makes a transaction's work last.
///
/// # Errors
///
/// Unknown outcome when the connection broke: ask by idempotency key.
pub async fn commit(transaction: Transaction) -> StoreResult<()> {
    Ok(transaction.commit().await?)
}

/// A duration as Postgres takes it, in seconds.
fn seconds(duration: Duration) -> f64 {
    duration.as_secs_f64()
}

//! Access to Postgres, the source of truth. This folder contains every SQL statement.
//!
//! A change of state is one guarded statement that returns the rows it changed. For a late or repeated call these
//! are none, which is not an error. Times are Postgres's `now()`, so that processes on machines with different
//! clocks agree on leases and expiry. No transaction is open during a wait for SMTP, the broker or a hash.
//!
//! Futures that may be dropped halfway write in a spawned task, because a cancelled `begin` would leave the connection
//! inside a transaction (sqlx 0.9.0). The API runs each request as a task, which its client's disconnect does not end.
//! As a second safeguard, [`connect`] checks every connection that returns to the pool and closes it if it is inside a
//! transaction.

pub mod activity;
mod address;
pub mod administrators;
pub mod api_keys;
pub mod attempts;
pub mod audit;
pub mod auto_pause;
pub mod backlog;
pub mod batches;
pub mod blocked;
pub mod claims;
pub mod counts;
pub mod credentials;
pub mod cursor;
pub mod database_history;
pub mod deliveries;
mod diagnosis;
pub mod dispatch;
pub mod dispatcher_lease;
pub mod do_not_mail;
pub mod exclusion;
pub mod idempotency;
pub mod imports;
pub mod intake;
mod intake_lock;
pub mod known_clients;
pub mod ledger;
pub mod left_out;
pub mod missing;
pub mod partitions;
mod pool;
mod pooling;
mod primary;
pub mod relay_refusals;
pub mod saved_filters;
pub mod schema;
pub mod selections;
mod server_name;
pub mod sessions;
pub mod settle;
pub mod slowdowns;
pub mod stall;
pub mod sweeps;
pub mod system_emails;
pub mod users;
pub mod users_in_bulk;
pub mod workers;

pub use address::check_address;
pub use diagnosis::{Unusable, answer_or_cause, check, explain, server, takes_writes};
pub use pool::{PlanCacheMode, connect};
pub use pooling::{SharedSessions, shares_sessions};

use sqlx::PgConnection;
use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::pin::pin;
use std::time::{Duration, Instant};

/// Connections to Postgres.
pub type Db = sqlx::PgPool;

/// A transaction for several statements. Dereferences to its connection.
#[derive(Debug)]
pub struct Transaction {
    inner: sqlx::Transaction<'static, sqlx::Postgres>,
    began: Instant,
}

impl Deref for Transaction {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.inner
    }
}

impl DerefMut for Transaction {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.inner
    }
}

/// Timeout for a free connection of the pool. After it, Postgres counts as busy.
const PATIENCE: Duration = Duration::from_secs(5);

/// Timeout of statements. The longest take a second; a wait for a lock ends after this time. Those on a whole batch or
/// file have none, see [`until_moved`].
const ANSWER: Duration = Duration::from_secs(30);

/// Maximum number of attempts for a statement that Postgres cancels because of a deadlock.
const DEADLOCKS: usize = 3;

/// Why a statement failed. Variants are named for what the caller does about it.
///
/// The log contains its `Debug` form, without Postgres's `DETAIL`, which may quote a row with personal data.
#[derive(thiserror::Error)]
pub enum StoreError {
    /// Postgres is unreachable, busy, full or read-only. Nothing was stored, unless only the reply was lost. Retrying
    /// later is safe if the statement is guarded or has a key.
    #[error("Postgres is not available")]
    Unavailable(#[source] sqlx::Error),
    /// Postgres refused the statement, which is a bug in Beckon. Retrying fails as well.
    #[error("Postgres refused a statement")]
    Refused(#[source] sqlx::Error),
}

impl From<sqlx::Error> for StoreError {
    fn from(fault: sqlx::Error) -> Self {
        let fault = diagnosis::in_words(fault);
        if is_transient_fault(&fault) {
            Self::Unavailable(fault)
        } else {
            Self::Refused(fault)
        }
    }
}

impl fmt::Debug for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cause = self.cause();
        let name = if self.is_transient() { "Unavailable" } else { "Refused" };
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
    /// The error from sqlx.
    pub const fn cause(&self) -> &sqlx::Error {
        let (Self::Unavailable(cause) | Self::Refused(cause)) = self;
        cause
    }

    /// Whether Postgres cancelled the statement because of a deadlock (40P01) or a serialisation failure (40001).
    /// Nothing was changed, and an immediate retry can succeed.
    fn is_deadlock(&self) -> bool {
        matches!(self.code().as_deref(), Some("40P01" | "40001"))
    }

    /// Whether a concurrent transaction got in the way: a deadlock, or a row that both wanted to create (23505). Nothing
    /// was changed, and an immediate retry of the transaction can succeed.
    pub fn is_conflict(&self) -> bool {
        self.is_deadlock() || self.code().as_deref() == Some("23505")
    }

    /// The SQLSTATE, if Postgres replied.
    fn code(&self) -> Option<Cow<'_, str>> {
        self.cause()
            .as_database_error()
            .and_then(sqlx::error::DatabaseError::code)
    }

    /// Whether an error concerns the server or the connection instead of the statement.
    pub fn is_of_the_server(fault: &sqlx::Error) -> bool {
        let code = fault.as_database_error().and_then(sqlx::error::DatabaseError::code);
        // 28 invalid authorisation, 3D000 no such database.
        is_transient_fault(fault) || code.is_some_and(|code| code.starts_with("28") || code == "3D000")
    }

    /// Whether a retry can succeed.
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}

fn is_transient_fault(fault: &sqlx::Error) -> bool {
    match fault {
        sqlx::Error::Database(answer) => answer.code().is_some_and(|code| is_transient(&code)),
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        _ => false,
    }
}

/// Whether an error code of Postgres (appendix A of its manual) is temporary.
fn is_transient(code: &str) -> bool {
    // 08 connection, 53 resources (full disk, too many connections), 57 shutdown and restart,
    // 58 system, 40 serialisation and deadlock, 25006 read-only, 55P03 lock not available.
    ["08", "53", "57", "58", "40"]
        .iter()
        .any(|class| code.starts_with(class))
        || matches!(code, "25006" | "55P03" | "25P02")
}

/// The result of a store function.
pub type StoreResult<T> = Result<T, StoreError>;

/// Awaits a statement with a timeout, which sqlx lacks for a server that disappears silently, and only while the
/// address leads to the same server. Otherwise the connection is closed, and the outcome of the statement is unknown.
async fn within<T>(statement: impl Future<Output = sqlx::Result<T>>) -> StoreResult<T> {
    let mut moved = pin!(primary::next_move());
    // Before the statement begins, so that no move is missed.
    moved.as_mut().enable();
    tokio::select! {
        biased;
        answer = tokio::time::timeout(ANSWER, statement) => match answer {
            Ok(answer) => Ok(answer?),
            Err(_) => Err(StoreError::Unavailable(timeout_error())),
        },
        () = moved => Err(primary::moved()),
    }
}

/// Awaits a statement without a timeout of its own, but only while the address leads to the same server.
///
/// For statements on all rows of a batch, a file or a user, such as intake, imports, undoing, exports and revoking: they
/// may take longer than [`ANSWER`], and an import waits minutes for another one. The time limit of their request ends
/// them if the server falls silent and no other one is promoted. Otherwise as [`within`].
async fn until_moved<T>(statement: impl Future<Output = sqlx::Result<T>>) -> StoreResult<T> {
    let mut moved = pin!(primary::next_move());
    moved.as_mut().enable();
    tokio::select! {
        biased;
        answer = statement => Ok(answer?),
        () = moved => Err(primary::moved()),
    }
}

fn timeout_error() -> sqlx::Error {
    sqlx::Error::Io(std::io::Error::new(
        std::io::ErrorKind::TimedOut,
        "Postgres did not answer in time",
    ))
}

/// Retries a statement that Postgres cancelled because of a deadlock, which changed nothing.
///
/// # Errors
///
/// The error of the last attempt: the third deadlock, or any other error.
pub async fn despite_deadlocks<T, F: Future<Output = StoreResult<T>>>(attempt: impl Fn() -> F) -> StoreResult<T> {
    let mut left = DEADLOCKS;
    loop {
        match attempt().await {
            Err(fault) if left > 0 && fault.is_deadlock() => left -= 1,
            answer => return answer,
        }
    }
}

/// Begins a transaction. Call it only in a task that cannot be cancelled.
///
/// # Errors
///
/// Postgres is unreachable.
pub async fn begin(db: &Db) -> StoreResult<Transaction> {
    let began = Instant::now();
    // Boxed: the future that opens a connection is large, and every caller would contain it.
    let inner = within(Box::pin(db.begin())).await?;
    Ok(Transaction { inner, began })
}

/// Commits a transaction.
///
/// # Errors
///
/// The outcome is unknown if the connection broke or Postgres did not answer in time: look the request up by its
/// idempotency key. A transaction that began on a previous server is not committed.
pub async fn commit(transaction: Transaction) -> StoreResult<()> {
    if primary::has_moved_since(transaction.began) {
        return Err(primary::moved());
    }
    within(Box::pin(transaction.inner.commit())).await
}

/// A duration in seconds, for Postgres.
fn seconds(duration: Duration) -> f64 {
    duration.as_secs_f64()
}

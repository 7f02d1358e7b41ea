//! Why Postgres cannot be used, in words for the operator.
//!
//! The pool retries a refused connection for as long as a caller waits, and then reports only that it timed
//! out. One connection beside the pool finds the cause: a wrong port, a server that is down, a network that
//! drops packets, or a pool whose connections are all in use.

use super::primary::Primary;
use super::server_name::server_of;
use super::{Db, PATIENCE, StoreError, StoreResult, within};
use sqlx::ConnectOptions as _;
use sqlx::Connection as _;
use std::pin::pin;
use std::time::Duration;
use tokio::time::timeout;

/// How long a probe waits for an answer before it looks for a cause. Together with [`CONNECT`] below the
/// three seconds that a health check waits.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

/// How long one connection may take when the cause is looked for.
const CONNECT: Duration = Duration::from_millis(1_500);

/// Why Postgres cannot be used: the server, the setting and the cause.
#[derive(Clone, Debug, thiserror::Error)]
#[error("could not use Postgres at {server} (DATABASE_URL): {cause}")]
pub struct Unusable {
    server: String,
    cause: String,
}

/// Finds out why a statement failed.
///
/// Takes up to 1.5 s when the pool timed out. The statement's own fault is the cause otherwise.
pub async fn explain(db: &Db, fault: &sqlx::Error) -> Unusable {
    let cause = match fault {
        sqlx::Error::PoolTimedOut => match connect_once(db).await {
            Err(cause) => cause,
            Ok(()) => timed_out(db),
        },
        other => words(other),
    };
    unusable(db, cause)
}

/// Waits for an answer of Postgres, and finds the cause within three seconds when the server refuses
/// connections or does not answer.
///
/// # Errors
///
/// The cause. While all connections of the pool are in use, it waits for one as any caller does.
pub async fn answer_or_cause<T>(db: &Db, asked: impl Future<Output = StoreResult<T>>) -> Result<T, Unusable> {
    let mut asked = pin!(asked);
    let answer = match timeout(ANSWER_TIMEOUT, &mut asked).await {
        Ok(answer) => answer,
        Err(_) => match connect_once(db).await {
            Ok(()) => asked.await,
            Err(cause) => return Err(unusable(db, cause)),
        },
    };
    match answer {
        Ok(answer) => Ok(answer),
        Err(fault) => Err(explain(db, fault.cause()).await),
    }
}

/// Waits for an answer of Postgres and checks that it takes writes: a standby, or a primary that was switched to
/// read-only, answers and lets no mail go out.
///
/// # Errors
///
/// The cause, within the time of [`answer_or_cause`].
pub async fn takes_writes(db: &Db) -> Result<(), Unusable> {
    let asked = async {
        let asked = "select pg_is_in_recovery(), current_setting('transaction_read_only')::boolean";
        let (is_standby, is_read_only): (bool, bool) = within(sqlx::query_as(asked).fetch_one(db)).await?;
        Ok((is_standby, is_read_only))
    };
    let cause = match answer_or_cause(db, asked).await? {
        (true, _) => "it is a standby, which accepts no writes",
        (false, true) => "it accepts no writes: default_transaction_read_only is on",
        (false, false) => return Ok(()),
    };
    Err(unusable(db, cause.to_owned()))
}

/// Opens one connection and closes it.
///
/// # Errors
///
/// The cause of the failure.
pub async fn check(db: &Db) -> Result<(), Unusable> {
    connect_once(db).await.map_err(|cause| unusable(db, cause))
}

/// Where Postgres is, without the login.
pub fn server(db: &Db) -> String {
    server_of(&db.connect_options())
}

impl StoreError {
    /// The fault with the server and the cause, for a log line or a page of the operator.
    pub async fn explained(&self, db: &Db) -> Unusable {
        explain(db, self.cause()).await
    }
}

fn unusable(db: &Db, cause: String) -> Unusable {
    Unusable {
        server: server(db),
        cause,
    }
}

async fn connect_once(db: &Db) -> Result<(), String> {
    let options = db.connect_options();
    let connecting = async {
        let mut connection = options.connect().await?;
        let checked = Primary::known_at(&options).check(&mut connection).await;
        Ok((connection, checked))
    };
    match timeout(CONNECT, connecting).await {
        Ok(Ok((connection, checked))) => {
            // Postgres notices the end of the connection by itself where this fails.
            let _ = timeout(CONNECT, connection.close()).await;
            checked.map_err(|fault| words(&fault))
        }
        Ok(Err(fault)) => Err(words(&in_words(fault))),
        Err(_) => Err(format!("no answer within {} s", CONNECT.as_secs_f32())),
    }
}

/// The pool timed out although Postgres takes connections.
fn timed_out(db: &Db) -> String {
    let most = db.options().get_max_connections();
    if db.num_idle() == 0 && db.size() >= most {
        format!(
            "all {most} connections (BECKON_DATABASE_CONNECTIONS) were in use for {} s",
            PATIENCE.as_secs()
        )
    } else {
        format!("no connection within {} s", PATIENCE.as_secs())
    }
}

/// The message of sqlx when the server closes the connection instead of answering the first message.
const CLOSED: &str = "unexpected response from SSLRequest: 0x00";

/// Replaces an error of sqlx by one that describes what happened.
pub(super) fn in_words(fault: sqlx::Error) -> sqlx::Error {
    match fault {
        sqlx::Error::Protocol(text) if text.starts_with(CLOSED) => sqlx::Error::Io(std::io::Error::new(
            std::io::ErrorKind::ConnectionReset,
            "the connection was closed before Postgres answered; behind a proxy or pooler the server is down, \
             otherwise something other than Postgres listens there",
        )),
        other => other,
    }
}

fn words(fault: &sqlx::Error) -> String {
    match fault {
        sqlx::Error::Io(fault) => fault.to_string(),
        sqlx::Error::Database(answer) => answer.message().to_owned(),
        other => other.to_string(),
    }
}

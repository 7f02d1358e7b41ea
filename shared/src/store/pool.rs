//! The pool of connections to Postgres.

use super::primary::{self, Primary};
use super::{Db, PATIENCE, StoreResult, timeout_error};
use crate::config::DatabaseSettings;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, Row as _};
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

/// How long an idle connection may take to answer before it is replaced. Leaves a second of [`PATIENCE`] to open
/// another.
const PING: Duration = Duration::from_secs(4);

/// Settings of every session.
///
/// They are set after connecting and not in the startup message, where connection poolers reject them.
const SETTINGS: [(&str, &str); 5] = [
    ("idle_in_transaction_session_timeout", "30s"),
    ("lock_timeout", "30s"),
    // Rows are found by id and are in memory. With the default of 4, and without statistics for a table that
    // was filled a minute ago, Postgres would read whole batches instead.
    ("random_page_cost", "1.1"),
    ("enable_seqscan", "off"),
    ("jit", "off"),
];

/// How Postgres plans the statements of a process.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PlanCacheMode {
    /// Each time. A plan cached while a table was empty may read all of it once it is full. Costs some
    /// milliseconds for a statement over all months.
    CustomPlans,
    /// Once, for a process whose statements all find groups of rows by id: there is one good plan, and
    /// planning would cost more than executing it.
    GenericPlans,
}

impl PlanCacheMode {
    /// Settings of a session.
    const fn settings(self) -> [(&'static str, &'static str); 3] {
        match self {
            Self::CustomPlans => [
                ("plan_cache_mode", "force_custom_plan"),
                ("enable_hashjoin", "on"),
                ("enable_mergejoin", "on"),
            ],
            // Either join would read the whole table, which is only good while it is empty.
            Self::GenericPlans => [
                ("plan_cache_mode", "force_generic_plan"),
                ("enable_hashjoin", "off"),
                ("enable_mergejoin", "off"),
            ],
        }
    }

    /// The statement that configures a session.
    fn set_up(self) -> String {
        let settings = SETTINGS.into_iter().chain(self.settings());
        let statements: Vec<String> = settings
            .map(|(name, value)| format!("set {name} = '{value}';"))
            .collect();
        statements.concat()
    }
}

/// Creates the pool. Connections are opened when they are needed.
///
/// A connection to a read-only server is closed after its first use, and so are all that were opened before:
/// after a failover the address soon leads to another server, which only new connections reach. Once it does, no
/// connection to the previous server is used again (`primary.rs`).
///
/// # Errors
///
/// The URL cannot be parsed.
pub fn connect(settings: &DatabaseSettings, name: &str, plan_cache_mode: PlanCacheMode) -> StoreResult<Db> {
    let options = PgConnectOptions::from_str(&settings.url)?
        .application_name(name)
        // Poolers reject it in the startup message; values are sent in binary anyway.
        .extra_float_digits(None);
    let set_up: Arc<str> = plan_cache_mode.set_up().into();
    let primary = Primary::at(&options);
    let (opening, idle, released) = (primary.clone(), primary.clone(), primary);
    let pool = PgPoolOptions::new()
        .max_connections(settings.connections)
        .acquire_timeout(PATIENCE)
        .after_connect(move |connection, _| {
            let (set_up, primary) = (Arc::clone(&set_up), opening.clone());
            Box::pin(async move {
                connection.execute(AssertSqlSafe(&*set_up)).await?;
                primary.check(connection).await
            })
        })
        // `before_acquire` does it instead, with a deadline.
        .test_before_acquire(false)
        .before_acquire(move |connection, idle_connection| {
            let is_outdated = idle.is_outdated(idle_connection.age);
            Box::pin(async move {
                if is_outdated {
                    return Ok(false);
                }
                let answered = tokio::select! {
                    biased;
                    () = primary::next_move() => return Ok(false),
                    answered = tokio::time::timeout(PING, connection.ping()) => answered,
                };
                Ok(matches!(answered, Ok(Ok(()))))
            })
        })
        .after_release(move |connection, used| {
            let primary = released.clone();
            Box::pin(async move {
                if primary.is_outdated(used.age) {
                    return Ok(false);
                }
                // A connection whose statement was abandoned is closed instead of waiting for it.
                let asked = tokio::time::timeout(PATIENCE, Released::ask(connection)).await;
                let released = asked.map_err(|_| timeout_error())??;
                if released.is_read_only() {
                    primary.mark_read_only();
                }
                Ok(released.is_reusable())
            })
        })
        .connect_lazy_with(options);
    Ok(pool)
}

/// The state of a connection that is returned to the pool.
struct Released {
    is_in_transaction: bool,
    takes_no_writes: bool,
}

impl Released {
    async fn ask(connection: &mut PgConnection) -> sqlx::Result<Self> {
        // Outside a transaction both times are the start of this statement. Sent as one message, because
        // Parse, Bind and Execute would each advance the second.
        let asked = "select now() <> statement_timestamp(), current_setting('transaction_read_only')::boolean";
        let row = sqlx::raw_sql(asked).fetch_one(connection).await?;
        Ok(Self {
            is_in_transaction: row.try_get(0)?,
            takes_no_writes: row.try_get(1)?,
        })
    }

    /// Whether the server is read-only, and not only a transaction that was left open.
    const fn is_read_only(&self) -> bool {
        self.takes_no_writes && !self.is_in_transaction
    }

    const fn is_reusable(&self) -> bool {
        !self.takes_no_writes && !self.is_in_transaction
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_set_up_in_one_message() {
        let set_up = PlanCacheMode::GenericPlans.set_up();
        assert!(
            set_up.starts_with("set idle_in_transaction_session_timeout = '30s';"),
            "{set_up}"
        );
        assert!(
            set_up.contains("set plan_cache_mode = 'force_generic_plan';"),
            "{set_up}"
        );
    }
}

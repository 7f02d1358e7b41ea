//! Locks in the database, which hold programs at a known place.

use sqlx::{AssertSqlSafe, Postgres, Transaction};
use uuid::Uuid;

use super::World;

/// A lock that is held until it is released or dropped.
#[must_use]
pub struct HeldLock(Transaction<'static, Postgres>);

impl HeldLock {
    /// Releases it.
    pub async fn release(self) {
        let released = self.0.rollback().await;
        assert!(released.is_ok(), "{released:?}");
    }
}

impl World {
    /// Lets writes to a table wait. It can be read.
    pub async fn block_writes(&self, table: &'static str) -> HeldLock {
        self.hold(format!("lock table {table} in exclusive mode")).await
    }

    /// Lets all reads and writes of a table wait.
    pub async fn block_table(&self, table: &'static str) -> HeldLock {
        self.hold(format!("lock table {table} in access exclusive mode")).await
    }

    /// Lets changes of a batch wait.
    pub async fn block_batch(&self, batch: Uuid) -> HeldLock {
        self.hold(format!("select from batches where id = '{batch}' for update"))
            .await
    }

    /// Takes the turn of another import, for which every import waits.
    pub async fn block_imports(&self) -> HeldLock {
        let turn = "select pg_advisory_xact_lock(hashtextextended('import', 0))";
        self.hold(turn.to_owned()).await
    }

    async fn hold(&self, lock: String) -> HeldLock {
        let held = async {
            let mut transaction = self.db.begin().await?;
            sqlx::query(AssertSqlSafe(lock)).execute(&mut *transaction).await?;
            Ok::<_, sqlx::Error>(transaction)
        };
        match held.await {
            Ok(transaction) => HeldLock(transaction),
            Err(fault) => panic!("could not lock: {fault}"),
        }
    }

    /// How many sessions wait for a lock in a statement that contains this text.
    pub async fn waiting_for_locks(&self, statement: &str) -> i64 {
        let waiting = sqlx::query_scalar(
            "select count(*) from pg_stat_activity
             where datname = current_database() and wait_event_type = 'Lock' and position($1 in query) > 0",
        );
        let waiting: Result<i64, _> = waiting.bind(statement).fetch_one(&self.db).await;
        waiting.unwrap_or_else(|fault| panic!("could not read the sessions: {fault}"))
    }

    /// Waits until this many sessions wait for locks.
    pub async fn until_locks_are_awaited(&self, sessions: i64) {
        self.eventually(&format!("{sessions} sessions to wait for a lock"), async || {
            (self.waiting_for_locks("").await >= sessions).then_some(())
        })
        .await;
    }

    /// Waits until this many sessions wait for a lock on a table.
    pub async fn until_table_is_awaited(&self, table: &'static str, sessions: i64) {
        let waiting = "select count(*) from pg_locks where not granted and relation = $1::regclass";
        self.eventually(&format!("{sessions} sessions to wait for {table}"), async || {
            let waiting = sqlx::query_scalar(waiting).bind(table).fetch_one(&self.db).await;
            let waiting: i64 = waiting.unwrap_or_else(|fault| panic!("could not read the locks: {fault}"));
            (waiting >= sessions).then_some(())
        })
        .await;
    }

    /// Ends the sessions that wait for a lock, so that their statements have no effect after their program's death.
    /// Returns how many they were.
    pub async fn end_waiting_sessions(&self) -> i64 {
        let ending = "select count(pg_terminate_backend(pid)) from pg_stat_activity
                      where datname = current_database() and wait_event_type = 'Lock'";
        let ended: Result<i64, _> = sqlx::query_scalar(ending).fetch_one(&self.db).await;
        ended.unwrap_or_else(|fault| panic!("could not end the sessions: {fault}"))
    }

    /// How many sessions of Beckon's programs are in a transaction.
    pub async fn open_transactions(&self) -> i64 {
        let open = "select count(*) from pg_stat_activity
                    where datname = current_database() and pid <> pg_backend_pid()
                      and state <> 'idle' and xact_start is not null and application_name <> ''";
        let open: Result<i64, _> = sqlx::query_scalar(open).fetch_one(&self.db).await;
        open.unwrap_or_else(|fault| panic!("could not read the sessions: {fault}"))
    }
}

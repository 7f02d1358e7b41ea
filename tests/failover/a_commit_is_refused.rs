//! What began on the old primary ends with an error once the process has found the new one: a statement that waits there,
//! and the commit of a transaction.
//!
//! The old primary still runs, and replication is asynchronous, so it would accept the commit and the caller would
//! believe in a row that no process will ever read. These tests use the store in their own process, because only there
//! they can hold a transaction open across the move.

use crate::figure;
use harness::faults::FaultProxy;
use harness::replicated::{Replicated, Which};
use harness::world::PATIENCE;
use shared::config::DatabaseSettings;
use shared::store::administrators::lock_access;
use shared::store::{self, Db, PlanCacheMode, Transaction};
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// One test at a time: a move ends the statements of the whole process.
static TURN: Mutex<()> = Mutex::const_new(());

/// The ids in the table.
const KEPT: &str = "select string_agg(id::text, ',' order by id) from kept";

/// Statements that wait for an advisory lock.
const WAITING: &str = "select count(*)::text from pg_locks where locktype = 'advisory' and not granted";

/// A primary with a standby, and a pool at an address that can lead to either.
struct Pair {
    servers: Replicated,
    address: FaultProxy,
    db: Db,
}

impl Pair {
    async fn start() -> Self {
        let servers = Replicated::start().await.unwrap();
        let create = "create table kept (id integer primary key)";
        servers.ask(Which::First, create).await.unwrap();
        servers.caught_up().await.unwrap();
        let address = FaultProxy::start(servers.address(Which::First)).await.unwrap();
        let settings = DatabaseSettings {
            url: format!("postgres://postgres@{}/postgres", address.address()),
            connections: 4,
        };
        let db = store::connect(&settings, "test", PlanCacheMode::CustomPlans).unwrap();
        Self { servers, address, db }
    }

    /// Promotes the standby and makes the address lead to it.
    async fn moves(&self) {
        self.servers.promote(Which::Second).await.unwrap();
        self.address.lead_to(self.servers.address(Which::Second));
    }

    /// Begins a transaction on the new primary, repeatedly, because the one that finds it ends with an error.
    async fn begun(&self) -> Transaction {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match store::begin(&self.db).await {
                Ok(transaction) => return transaction,
                Err(fault) => assert!(Instant::now() < deadline, "{fault:?}"),
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

#[tokio::test]
async fn a_transaction_from_before_the_move_is_not_committed() {
    let _turn = TURN.lock().await;
    let pair = Pair::start().await;
    let mut before = store::begin(&pair.db).await.unwrap();
    let first = sqlx::query("insert into kept values (1)");
    first.execute(&mut *before).await.unwrap();

    pair.moves().await;
    let mut after = pair.begun().await;
    let second = sqlx::query("insert into kept values (2)");
    second.execute(&mut *after).await.unwrap();
    let refused = store::commit(before).await;
    store::commit(after).await.unwrap();

    // The old primary accepts writes.
    let third = "insert into kept values (3)";
    pair.servers.ask(Which::First, third).await.unwrap();
    let old = pair.servers.answer(Which::First, "postgres", KEPT).await.unwrap();
    let new = pair.servers.answer(Which::Second, "postgres", KEPT).await.unwrap();
    assert!(
        refused.is_err_and(|fault| fault.is_transient()),
        "the commit was reported as done"
    );
    assert_eq!((old.as_str(), new.as_str()), ("3", "2"));
}

#[tokio::test]
async fn a_statement_that_waits_on_the_old_primary_ends_with_the_move() {
    let _turn = TURN.lock().await;
    let pair = Pair::start().await;
    let mut holding = store::begin(&pair.db).await.unwrap();
    lock_access(&mut holding).await.unwrap();
    let mut transaction = store::begin(&pair.db).await.unwrap();
    let waiting = tokio::spawn(async move { lock_access(&mut transaction).await });
    let deadline = Instant::now() + PATIENCE;
    while pair.servers.answer(Which::First, "postgres", WAITING).await.unwrap() != "1" {
        assert!(Instant::now() < deadline, "no statement waits");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    pair.moves().await;
    let began = Instant::now();
    drop(pair.begun().await);
    // A third of the time after which Postgres itself ends the wait.
    let ended = tokio::time::timeout(Duration::from_secs(10), waiting).await;
    figure(
        "a statement that waits on the old primary, from the move to its end",
        began,
    );

    let ended = ended.unwrap().unwrap();
    assert!(ended.is_err_and(|fault| fault.is_transient()), "it got the lock");
    drop(holding);
}

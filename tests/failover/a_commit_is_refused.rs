//! A transaction that began on the old primary is not committed once the process has found the new one.
//!
//! The old primary still runs, and replication is asynchronous, so it would accept the commit and the caller would
//! believe in a row that no process will ever read.

use harness::faults::FaultProxy;
use harness::replicated::{Replicated, Which};
use harness::world::PATIENCE;
use shared::config::DatabaseSettings;
use shared::store::{self, Db, Planning, Transaction};
use std::time::{Duration, Instant};

/// The ids in the table.
const KEPT: &str = "select string_agg(id::text, ',' order by id) from kept";

/// Begins a transaction, repeatedly, because the one that finds the new primary ends with an error.
async fn begun(db: &Db) -> Transaction {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match store::begin(db).await {
            Ok(transaction) => return transaction,
            Err(fault) => assert!(Instant::now() < deadline, "{fault:?}"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn a_transaction_from_before_the_move_is_not_committed() {
    let servers = Replicated::start().await.unwrap();
    let create = "create table kept (id integer primary key)";
    servers.ask(Which::First, create).await.unwrap();
    servers.caught_up().await.unwrap();
    let address = FaultProxy::start(servers.address(Which::First)).await.unwrap();
    let settings = DatabaseSettings {
        url: format!("postgres://postgres@{}/postgres", address.address()),
        connections: 4,
    };
    let db = store::connect(&settings, "test", Planning::Anew).unwrap();
    let mut before = store::begin(&db).await.unwrap();
    let first = sqlx::query("insert into kept values (1)");
    first.execute(&mut *before).await.unwrap();

    servers.promote(Which::Second).await.unwrap();
    address.lead_to(servers.address(Which::Second));
    let mut after = begun(&db).await;
    let second = sqlx::query("insert into kept values (2)");
    second.execute(&mut *after).await.unwrap();
    let refused = store::commit(before).await;
    store::commit(after).await.unwrap();

    // The connection of the first transaction is still open at the old primary, which accepts writes.
    servers.ask(Which::First, "insert into kept values (3)").await.unwrap();
    let old = servers.answer(Which::First, "postgres", KEPT).await.unwrap();
    let new = servers.answer(Which::Second, "postgres", KEPT).await.unwrap();
    assert!(
        refused.is_err_and(|fault| fault.is_passing()),
        "the commit was reported as done"
    );
    assert_eq!((old.as_str(), new.as_str()), ("3", "2"));
}

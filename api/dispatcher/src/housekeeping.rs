//! Deletes what is no longer needed: idempotency keys, sessions, selections and abandoned uploads.

use shared::store::imports::steps;
use shared::store::{Db, StoreError, idempotency, selections, sessions, workers};
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{info, warn};

/// How often to clean up.
const PACE: Duration = Duration::from_secs(1);

/// Idempotency keys and sessions deleted per round. Fewer are created per second.
const KEYS: i64 = 1_000;

/// Selections deleted per round. A selection of half a million users takes 8 MB.
const SELECTIONS: i64 = 10;

/// Abandoned files deleted per round. Each may have 64 MiB.
const FILES: i64 = 4;

/// Cleans up until dropped. A failed statement is logged and retried in the next round.
pub(super) async fn run(db: &Db) {
    let mut pace = interval(PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        pace.tick().await;
        log_failure(idempotency::forget(db, KEYS).await.err());
        log_failure(workers::forget(db).await.err());
        log_failure(sessions::forget(db, KEYS).await.err());
        log_failure(selections::forget(db, SELECTIONS).await.err());
        match steps::discard_forgotten(db, FILES).await {
            Ok(0) => {}
            Ok(imports) => info!(imports, "Discarded files that were not stored for a week"),
            Err(fault) => log_failure(Some(fault)),
        }
    }
}

fn log_failure(fault: Option<StoreError>) {
    if let Some(fault) = fault {
        warn!(error = %fault, cause = %fault.cause(), "Housekeeping failed; retrying");
    }
}

//! Deletes what is no longer needed: idempotency keys, sessions, selections, forgotten uploads.

use shared::store::imports::steps;
use shared::store::{Db, StoreError, idempotency, selections, sessions, workers};
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{info, warn};

/// How often to look.
const PACE: Duration = Duration::from_secs(1);

/// Idempotency keys and sessions deleted at a time; fewer are made in a second.
const KEYS: i64 = 1_000;

/// Selections deleted at a time: one of half a million people is 8 MB.
const SELECTIONS: i64 = 10;

/// Forgotten files discarded at a time: each may weigh 64 MiB.
const FILES: i64 = 4;

/// Deletes until dropped. A failing statement is logged and tried again with the next round.
pub(super) async fn run(db: &Db) {
    let mut pace = interval(PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        pace.tick().await;
        note(idempotency::forget(db, KEYS).await.err());
        note(workers::forget(db).await.err());
        note(sessions::forget(db, KEYS).await.err());
        note(selections::forget(db, SELECTIONS).await.err());
        match steps::discard_forgotten(db, FILES).await {
            Ok(0) => {}
            Ok(imports) => info!(imports, "Discarded files that were not stored for a week"),
            Err(fault) => note(Some(fault)),
        }
    }
}

fn note(fault: Option<StoreError>) {
    if let Some(fault) = fault {
        warn!(error = %fault, cause = %fault.cause(), "Housekeeping was interrupted; trying again");
    }
}

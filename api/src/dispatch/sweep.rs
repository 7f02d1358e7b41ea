//! Putting right what the passage of time put wrong.

use crate::metrics::ApiMetrics;
use shared::delivery::ATTEMPTS_MOST;
use shared::store::imports::steps;
use shared::store::{Db, StoreResult, batches, dispatch as rows, idempotency, selections, sessions, workers};
use tracing::{info, warn};

/// Rows a sweep ends at a time, so that none holds locks for long.
const GROUP: i64 = 5_000;

/// Idempotency keys forgotten at a time; nobody makes as many a second.
const KEYS: i64 = 1_000;

/// Choices forgotten at a time: one of half a million people is 8 MB.
const SELECTIONS: i64 = 10;

/// Forgotten files discarded at a time: each may weigh 64 MiB.
const FILES: i64 = 4;

/// One sweep over everything that can be stuck.
pub(super) async fn once(db: &Db, metrics: &ApiMetrics) -> StoreResult<()> {
    let count = |sweep: &str, rows: u64| metrics.sweeps.with_label_values(&[sweep]).inc_by(rows);
    let started = rows::start_held(db).await?;
    if started > 0 {
        info!(batches = started, "Started batches whose hold is over");
    }
    let lost = rows::requeue_lost(db).await?;
    count("lost_in_queue", lost);
    if lost > 0 {
        warn!(
            deliveries = lost,
            "Jobs lay in a queue unclaimed until the broker dropped them; publishing again"
        );
    }
    let vanished = rows::end_vanished(db, ATTEMPTS_MOST).await?;
    count("worker_vanished", vanished);
    if vanished > 0 {
        warn!(
            deliveries = vanished,
            "Workers vanished in the middle of attempts; these count as unsure and are tried again"
        );
    }
    count("taken_back", batches::take_back(db).await?);
    count("useless", rows::end_useless(db, GROUP).await?);
    count("given_up", rows::end_given_up(db, GROUP).await?);
    idempotency::forget(db, KEYS).await?;
    workers::forget(db).await?;
    sessions::forget(db, KEYS).await?;
    selections::forget(db, SELECTIONS).await?;
    let forgotten = steps::discard_forgotten(db, FILES).await?;
    if forgotten > 0 {
        info!(imports = forgotten, "Discarded files that nobody has stored for a week");
    }
    for batch in rows::finish(db).await? {
        info!(batch.id = %batch, "Batch has finished");
        metrics.batches_finished.inc();
    }
    Ok(())
}

//! Creates the monthly partitions for deliveries ahead of time, drops those whose details are past their retention, and
//! deletes the rejected rows of imports with them.
//!
//! Every API process does this, whether or not it dispatches: without its partition no batch can be accepted.

use prometheus::IntGauge;
use shared::lifecycle::Lifecycle;
use shared::metrics::Metrics;
use shared::store::{Db, StoreResult, partitions};
use std::time::Duration;
use tracing::{info, warn};

/// Interval between runs.
const PACE: Duration = Duration::from_hours(1);

/// Interval after a failed run.
const SOON: Duration = Duration::from_mins(1);

/// Maintains the partitions until the process stops.
pub async fn maintain(db: &Db, kept: Duration, ahead: &IntGauge, lifecycle: &Lifecycle) {
    while !lifecycle.is_stopping() {
        let pause = match once(db, kept, ahead).await {
            Ok(()) => PACE,
            Err(fault) => {
                let fault = fault.explained(db).await;
                warn!(error = %fault, "Could not create or drop a monthly partition; retrying soon");
                SOON
            }
        };
        lifecycle.pause(pause).await;
    }
}

/// Registers the gauge for the number of future months that have a partition.
pub fn declare(metrics: &Metrics) -> IntGauge {
    metrics.gauge(
        "beckon_months_ahead",
        "Number of months after the current one for which Postgres has a partition.",
    )
}

async fn once(db: &Db, kept: Duration, ahead: &IntGauge) -> StoreResult<()> {
    ahead.set(partitions::make(db).await?);
    for month in partitions::drop(db, kept).await? {
        info!(%month, "Dropped the details of the emails of one month");
    }
    let imports = partitions::drop_rejects(db, kept).await?;
    if imports > 0 {
        info!(imports, "Dropped the rejected rows of imports");
    }
    Ok(())
}

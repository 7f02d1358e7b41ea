//! Makes the months in which mails lie, ahead of time, and drops the ones whose details are not kept
//! any longer, and the rejected rows of imports with them.
//!
//! Every API process does so, whoever dispatches: without its month no batch can be accepted.

use prometheus::IntGauge;
use shared::lifecycle::Lifecycle;
use shared::metrics::Metrics;
use shared::store::{Db, StoreResult, months};
use std::time::Duration;
use tracing::{info, warn};

/// Between two looks at the calendar.
const PACE: Duration = Duration::from_hours(1);

/// Until the next one after one that failed.
const SOON: Duration = Duration::from_mins(1);

/// Keeps the months until the process stops.
pub async fn keep(db: &Db, kept: Duration, ahead: &IntGauge, lifecycle: &Lifecycle) {
    while !lifecycle.is_stopping() {
        let pause = match once(db, kept, ahead).await {
            Ok(()) => PACE,
            Err(fault) => {
                let fault = fault.explained(db).await;
                warn!(error = %fault, "Could not make or drop a month of mails; trying again soon");
                SOON
            }
        };
        lifecycle.pause(pause).await;
    }
}

/// Declares for how many months after this one there is room.
pub fn declare(metrics: &Metrics) -> IntGauge {
    metrics.gauge(
        "beckon_months_ahead",
        "For how many months after the present one Postgres has room for mails.",
    )
}

async fn once(db: &Db, kept: Duration, ahead: &IntGauge) -> StoreResult<()> {
    ahead.set(months::make(db).await?);
    for month in months::drop(db, kept).await? {
        info!(%month, "Dropped the details of a month's mails");
    }
    let imports = months::drop_rejects(db, kept).await?;
    if imports > 0 {
        info!(imports, "Dropped the rejected rows of imports");
    }
    Ok(())
}

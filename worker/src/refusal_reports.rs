//! Records account-wide refusals, so that batches pause and pages name the cause.

use crate::send::{AccountRefusal, Mailer};
use crate::sending::Sending;
use shared::lifecycle::Lifecycle;
use shared::store::relay_refusals::{self, RelayRefusal};
use shared::store::{Db, StoreError};
use std::time::Duration;
use tracing::{error, warn};

/// How often to check. A batch that should pause continues for this long.
const CHECK_INTERVAL: Duration = Duration::from_millis(250);

/// Delay before the next try after Postgres failed.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// Records refusals until the process ends.
pub(crate) async fn record(db: Db, mailer: Mailer<Sending>, lifecycle: Lifecycle) {
    let mut pace = tokio::time::interval(CHECK_INTERVAL);
    while !lifecycle.is_stopping() {
        pace.tick().await;
        let refusals = mailer.take_account_refusals();
        for refusal in &refusals {
            warn!(
                batch.id = %refusal.batch,
                class = refusal.class.as_str(),
                phase = refusal.phase.as_str(),
                code = refusal.code,
                enhanced_code = refusal.enhanced_code,
                affected = refusal.affected,
                "The relay refuses our sender, login or account, or the content of this batch; its emails wait and use no attempt"
            );
        }
        let rows: Vec<RelayRefusal> = refusals.into_iter().map(row).collect();
        while !rows.is_empty() {
            match relay_refusals::record(&db, &rows).await {
                Ok(()) => break,
                Err(fault @ StoreError::Refused(_)) => {
                    error!(error = ?fault, "Could not record refusals of the relay: Postgres refused the statement");
                    break;
                }
                Err(fault) => warn!(error = ?fault, "Could not record refusals of the relay; retrying"),
            }
            if lifecycle.is_stopping() {
                return;
            }
            lifecycle.pause(RETRY_AFTER).await;
        }
    }
}

fn row(refusal: AccountRefusal) -> RelayRefusal {
    RelayRefusal {
        batch: refusal.batch,
        class: refusal.class.as_str().to_owned(),
        phase: refusal.phase.as_str().to_owned(),
        code: refusal.code.and_then(|code| i16::try_from(code).ok()),
        enhanced_code: refusal.enhanced_code,
        words: refusal.words,
        affected: i32::try_from(refusal.affected).unwrap_or(i32::MAX),
        is_everybodys: refusal.is_everybodys,
    }
}

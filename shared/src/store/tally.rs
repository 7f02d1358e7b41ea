//! How many of a batch's deliveries stand where, and why: the sums that everything else is made of.
//!
//! One reading of the batch's rows answers for all of it: the ledger that adds up, the problems by
//! reason, and how fast it goes. Each reading costs as much as the batch is long, so whoever wants
//! to know it again and again shares one (`api/src/watch.rs`).

use super::batches::Batch;
use super::{Db, StoreResult};
use crate::delivery::DeliveryState;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Deliveries of a batch that are in the same state for the same reason.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Alike {
    /// Where they stand.
    pub state: DeliveryState,
    /// Why: the class of the last trouble, or what ended them.
    pub reason: Option<String>,
    /// How many.
    pub count: i64,
    /// How many of them the person may have twice.
    pub unsure: i64,
}

/// A batch, counted.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Tally {
    /// Every delivery is in exactly one of these.
    pub alike: Vec<Alike>,
    /// How many were sent within the time `lately`,
    pub sent_lately: i64,
    /// which is the last minute, or the time since the start of a batch that has just begun.
    pub lately: Duration,
}

impl Tally {
    /// How many are in a state, whatever for.
    pub fn of(&self, state: DeliveryState) -> i64 {
        let alike = self.alike.iter().filter(|alike| alike.state == state);
        alike.map(|alike| alike.count).sum()
    }

    /// How many the person may have twice, in whatever state they are.
    pub fn unsure(&self) -> i64 {
        self.alike.iter().map(|alike| alike.unsure).sum()
    }
}

/// Counts a batch: from its rows while it runs, from what was counted for good afterwards.
pub async fn of_batch(db: &Db, batch: &Batch) -> StoreResult<Tally> {
    if let Some(counted) = &batch.final_counts {
        return Ok(Tally {
            alike: serde_json::from_value(counted.clone()).unwrap_or_default(),
            ..Tally::default()
        });
    }
    let rows = sqlx::query!(
        r#"select state as "state: DeliveryState", reason, count(*) as "count!",
                  count(*) filter (where unsure) as "unsure!",
                  count(*) filter (where sent_at > now() - interval '1 minute') as "sent_lately!",
                  extract(epoch from least(interval '1 minute', now() - $2))::float8 as "lately!"
           from deliveries where batch_id = $1 group by state, reason"#,
        batch.id,
        batch.start_at,
    )
    .fetch_all(db)
    .await?;
    let mut tally = Tally::default();
    for row in rows {
        tally.sent_lately += row.sent_lately;
        // Below nought while the batch is held.
        tally.lately = Duration::try_from_secs_f64(row.lately).unwrap_or_default();
        tally.alike.push(Alike {
            state: row.state,
            reason: row.reason,
            count: row.count,
            unsure: row.unsure,
        });
    }
    Ok(tally)
}

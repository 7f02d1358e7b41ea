//! How many of a batch's deliveries stand where, and why: the sums that everything else is made of.
//!
//! Postgres keeps the counts of unfinished batches (`batch_states`): each statement that moves deliveries
//! counts what it moved, so that no reader counts a million rows. When a batch finishes, its rows are
//! counted once and compared.

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

/// Counts a batch: by what its statements have counted while it runs, by what was counted for good
/// afterwards.
pub async fn of_batch(db: &Db, batch: &Batch) -> StoreResult<Tally> {
    if let Some(counted) = &batch.final_counts {
        return Ok(Tally {
            alike: serde_json::from_value(counted.clone()).unwrap_or_default(),
            ..Tally::default()
        });
    }
    let rows = sqlx::query!(
        r#"select state as "state!: DeliveryState", reason, count as "count!", unsure as "unsure!"
           from batch_states where batch_id = $1"#,
        batch.id,
    )
    .fetch_all(db)
    .await?;
    let lately = sqlx::query!(
        r#"select coalesce(sum(count), 0) as "sent!",
                  extract(epoch from least(interval '1 minute', now() - $2))::float8 as "seconds!"
           from count_changes
           where batch_id = $1 and state = 'sent' and changed_at > now() - interval '1 minute'"#,
        batch.id,
        batch.start_at,
    )
    .fetch_one(db)
    .await?;
    let alike = rows.into_iter().map(|row| Alike {
        state: row.state,
        reason: row.reason,
        count: row.count,
        unsure: row.unsure,
    });
    Ok(Tally {
        alike: alike.collect(),
        sent_lately: lately.sent,
        // Below nought while the batch is held.
        lately: Duration::try_from_secs_f64(lately.seconds).unwrap_or_default(),
    })
}

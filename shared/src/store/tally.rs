//! Number of a batch's deliveries by state and reason: the basis of all other totals.
//!
//! Postgres maintains the counts of unfinished batches (`batch_states`): each statement that moves deliveries
//! counts what it moved, so no reader counts a million rows. When a batch finishes, its rows are counted once
//! and compared.

use super::batches::Batch;
use super::{Db, StoreResult};
use crate::delivery::DeliveryState;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Deliveries of a batch with the same state and reason.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Alike {
    /// Their state.
    pub state: DeliveryState,
    /// Their reason: the class of the last trouble, or what ended them.
    pub reason: Option<String>,
    /// Number of deliveries.
    pub count: i64,
    /// Number of them that may have been received twice.
    pub unsure: i64,
}

/// The totals of a batch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    /// Every delivery is in exactly one of these groups.
    pub alike: Vec<Alike>,
    /// Number of mails sent during `lately`.
    pub sent_lately: i64,
    /// The last minute, or the time since the start of a batch that has just begun.
    pub lately: Duration,
}

impl Tally {
    /// Number of deliveries in a state, for any reason.
    pub fn of(&self, state: DeliveryState) -> i64 {
        let alike = self.alike.iter().filter(|alike| alike.state == state);
        alike.map(|alike| alike.count).sum()
    }

    /// Number of deliveries that may have been received twice, in any state.
    pub fn unsure(&self) -> i64 {
        self.alike.iter().map(|alike| alike.unsure).sum()
    }
}

/// Counts a batch: from its maintained counts while it runs, from its final counts afterwards.
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
        // Negative while the batch is held.
        lately: Duration::try_from_secs_f64(lately.seconds).unwrap_or_default(),
    })
}

//! Number of a batch's deliveries by state and reason: the basis of all other totals.
//!
//! Postgres maintains the counts of unfinished batches (`batch_states`): each statement that moves deliveries
//! counts what it moved, so no reader counts a million rows. When a batch finishes, its rows are counted once
//! and compared.

use super::batches::Batch;
use super::{Db, StoreResult, within};
use crate::delivery::DeliveryState;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::time::Duration;
use uuid::Uuid;

/// Deliveries of a batch with the same state and reason.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct DeliveryCount {
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
pub struct StateCounts {
    /// Every delivery is in exactly one of these groups.
    pub counts: Vec<DeliveryCount>,
    /// Number of mails sent during `lately`.
    pub sent_lately: i64,
    /// The last minute, or the time since the start of a batch that has just begun.
    pub lately: Duration,
}

impl StateCounts {
    /// Number of deliveries in a state, for any reason.
    pub fn of(&self, state: DeliveryState) -> i64 {
        let deliveries = self.counts.iter().filter(|deliveries| deliveries.state == state);
        deliveries.map(|deliveries| deliveries.count).sum()
    }

    /// Number of deliveries that may have been received twice, in any state.
    pub fn unsure(&self) -> i64 {
        self.counts.iter().map(|deliveries| deliveries.unsure).sum()
    }
}

/// Counts batches: from their maintained counts while they run, from their final counts afterwards. What was sent
/// lately is left at zero.
pub async fn of_each(db: &Db, batches: &[Batch]) -> StoreResult<HashMap<Uuid, StateCounts>> {
    let mut counts: HashMap<Uuid, StateCounts> = batches.iter().map(|batch| (batch.id, final_counts(batch))).collect();
    let unfinished = batches.iter().filter(|batch| batch.final_counts.is_none());
    let unfinished: Vec<Uuid> = unfinished.map(|batch| batch.id).collect();
    if unfinished.is_empty() {
        return Ok(counts);
    }
    let reading = sqlx::query!(
        r#"select b.id as "batch!", s.state as "state!: DeliveryState", s.reason, s.count as "count!",
                  s.unsure as "unsure!"
           from unnest($1::uuid[]) as asked (id)
           cross join lateral (select id, final_counts from batches where id = asked.id offset 0) b
           cross join lateral (
               select state, reason, count, unsure from batch_states where batch_id = b.id and b.final_counts is null
               union all
               -- Of a batch that has finished since it was read.
               select state, reason, count, unsure
               from jsonb_to_recordset(b.final_counts)
                   as f (state delivery_state, reason text, count bigint, unsure bigint)
               offset 0
           ) s"#,
        &unfinished,
    );
    let rows = within(reading.fetch_all(db)).await?;
    for row in rows {
        counts.entry(row.batch).or_default().counts.push(DeliveryCount {
            state: row.state,
            reason: row.reason,
            count: row.count,
            unsure: row.unsure,
        });
    }
    Ok(counts)
}

/// The totals of a finished batch; empty for any other.
fn final_counts(batch: &Batch) -> StateCounts {
    let counted = batch.final_counts.as_ref().map(Vec::deserialize);
    StateCounts {
        counts: counted.and_then(Result::ok).unwrap_or_default(),
        ..StateCounts::default()
    }
}

/// Counts a batch, including what was sent lately unless it has finished.
pub async fn of_batch(db: &Db, batch: &Batch) -> StoreResult<StateCounts> {
    let mut counts = of_each(db, std::slice::from_ref(batch)).await?;
    let totals = counts.remove(&batch.id).unwrap_or_default();
    if batch.final_counts.is_some() {
        return Ok(totals);
    }
    let reading = sqlx::query!(
        r#"select coalesce(sum(count), 0) as "sent!",
                  extract(epoch from least(interval '1 minute', now() - $2))::float8 as "seconds!"
           from count_changes
           where batch_id = $1 and state = 'sent' and changed_at > now() - interval '1 minute'"#,
        batch.id,
        batch.start_at,
    );
    let lately = within(reading.fetch_one(db)).await?;
    Ok(StateCounts {
        sent_lately: lately.sent,
        // Negative while the batch is held.
        lately: Duration::try_from_secs_f64(lately.seconds).unwrap_or_default(),
        ..totals
    })
}

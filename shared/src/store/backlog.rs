//! What is owed: how many mails wait, since when, and how many are late.
//!
//! Only what has not ended is counted, by the indexes that hold nothing else, so the cost is that of
//! the backlog and not of the history. A batch that is held or paused is nobody's fault: it is counted
//! and never late.

use super::{Db, StoreResult, within};
use crate::batch::{BatchState, Lane};
use crate::delivery::DeliveryState;
use crate::system_email::SystemEmailKind;
use time::OffsetDateTime;

/// Mails that are owed and alike.
#[derive(Clone, Debug)]
pub struct Owed {
    /// Which system email.
    pub kind: SystemEmailKind,
    /// In which lane.
    pub lane: Lane,
    /// Where their batches stand,
    pub batch_state: BatchState,
    /// and they themselves.
    pub state: DeliveryState,
    /// How many.
    pub count: i64,
    /// How many of them could go out now.
    pub due: i64,
    /// Since when the first of those could.
    pub due_since: Option<OffsetDateTime>,
    /// How many are past their deadline and were never tried: no relay and no recipient has asked us
    /// to wait with them.
    pub late: i64,
    /// When the first of those that are not due yet will be.
    pub next_due_at: Option<OffsetDateTime>,
}

/// What is owed, and when it was counted.
#[derive(Clone, Debug)]
pub struct Backlog {
    /// Now, as Postgres has it.
    pub counted_at: OffsetDateTime,
    /// When a worker last recorded a beat.
    pub beat_at: Option<OffsetDateTime>,
    /// What is owed.
    pub owed: Vec<Owed>,
}

/// Counts what is owed.
pub async fn count(db: &Db) -> StoreResult<Backlog> {
    let counting = sqlx::query_as!(
        Owed,
        r#"with open as materialized (
               select id, kind, lane, state, start_at, deadline_at,
                      state = 'running' or (state = 'held' and start_at <= now()) as runs
               from batches where finished_at is null
           ), owed as (
               select open.*, d.state as at, d.attempt, greatest(d.due_at, open.start_at) as due_at
               from open
               cross join lateral (
                   select state, attempt, due_at from deliveries
                   where batch_id = open.id and state in ('waiting', 'retrying')
                   offset 0
               ) d
               union all
               select open.*, d.state, d.attempt, greatest(d.due_at, open.start_at)
               from (select batch_id, state, attempt, due_at from deliveries
                     where state in ('queued', 'sending') offset 0) d
               join open on open.id = d.batch_id
           )
           select kind as "kind!: SystemEmailKind", lane as "lane!: Lane", state as "batch_state!: BatchState",
                  at as "state!: DeliveryState", count(*) as "count!",
                  count(*) filter (where is_due) as "due!", min(due_at) filter (where is_due) as due_since,
                  count(*) filter (where runs and deadline_at < now() and is_new) as "late!",
                  min(due_at) filter (where runs and not is_due and at <> 'sending') as next_due_at
           from owed
           cross join lateral (
               select runs and at <> 'sending' and due_at <= now() as is_due,
                      attempt = 0 or (attempt = 1 and at = 'sending') as is_new
           ) facts
           group by kind, lane, state, at"#,
    );
    let owed = within(counting.fetch_all(db)).await?;
    let moments = sqlx::query!(r#"select now() as "now!", (select recorded_at from heartbeat) as beat"#);
    let moments = within(moments.fetch_one(db)).await?;
    Ok(Backlog {
        counted_at: moments.now,
        beat_at: moments.beat,
        owed,
    })
}

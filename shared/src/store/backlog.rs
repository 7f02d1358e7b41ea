//! The backlog: how many mails wait, since when, and how many are late.
//!
//! Most of it is already counted: unfinished batches keep counts per state, and only deliveries due for a
//! retry are read. Mails of held or paused batches are counted but never late.

use super::{Db, StoreResult, within};
use crate::batch::{BatchState, Lane};
use crate::delivery::DeliveryState;
use crate::system_email::SystemEmailKind;
use time::OffsetDateTime;

/// A group of owed mails with the same properties.
#[derive(Clone, Debug)]
pub struct BacklogGroup {
    /// The system email.
    pub kind: SystemEmailKind,
    /// The lane.
    pub lane: Lane,
    /// The state of their batches.
    pub batch_state: BatchState,
    /// Their state.
    pub state: DeliveryState,
    /// Number of mails.
    pub count: i64,
    /// Number of them that could be sent now.
    pub due: i64,
    /// Since when the first of those could be sent.
    pub due_since: Option<OffsetDateTime>,
    /// Number of them past their deadline that were never attempted, so neither the relay nor a recipient has
    /// deferred them.
    pub late: i64,
    /// When the next of the others will be due.
    pub next_due_at: Option<OffsetDateTime>,
}

/// The backlog at one time.
#[derive(Clone, Debug)]
pub struct Backlog {
    /// The current time in Postgres.
    pub counted_at: OffsetDateTime,
    /// When a worker last recorded a heartbeat.
    pub heartbeat_at: Option<OffsetDateTime>,
    /// The owed mails in groups.
    pub owed: Vec<BacklogGroup>,
}

/// Counts the backlog.
pub async fn count(db: &Db) -> StoreResult<Backlog> {
    let owed = backlog_groups(db).await?;
    let moments = sqlx::query!(r#"select now() as "now!", (select recorded_at from heartbeat) as beat"#);
    let moments = within(moments.fetch_one(db)).await?;
    Ok(Backlog {
        counted_at: moments.now,
        heartbeat_at: moments.beat,
        owed,
    })
}

async fn backlog_groups(db: &Db) -> StoreResult<Vec<BacklogGroup>> {
    let counting = sqlx::query_as!(
        BacklogGroup,
        r#"with open as materialized (
               select id, kind, lane, state, start_at, deadline_at,
                      state = 'running' or (state = 'held' and start_at <= now()) as runs
               from batches where finished_at is null
           ), counted as (
               select open.*, s.state as at, s.count
               from open
               cross join lateral (
                   select state, sum(count)::bigint as count from batch_states
                   where batch_id = open.id and state in ('waiting', 'queued', 'sending', 'retrying')
                   group by state
               ) s
           ), later as (
               -- Attempts with a time of their own: due again, or published and due again if that is lost.
               select open.id, d.state as at, count(*) as count,
                      count(*) filter (where d.retry_at <= now() or d.state = 'queued') as due,
                      count(*) filter (where d.attempt > 0) as begun,
                      min(case when d.state = 'queued' then d.moved_at else d.retry_at end)
                          filter (where d.retry_at <= now() or d.state = 'queued') as due_since,
                      min(d.retry_at) filter (where d.retry_at > now() and d.state <> 'queued') as next_due_at
               from open join batch_progress p on p.batch_id = open.id and p.next_retry_at is not null
               cross join lateral (
                   select * from deliveries
                   where batch_id = open.id and retry_at is not null and state in ('waiting', 'queued', 'retrying')
                   offset 0
               ) d
               group by open.id, d.state
           ), begun as (
               select d.batch_id as id, count(*) as count
               from claims c cross join unnest(c.deliveries) as claimed (id)
               -- Row by row: the length of an array is a guess, and after a high guess, Postgres reads all months.
               cross join lateral (
                   select * from deliveries where id = claimed.id and state = 'sending' and attempt > 1 offset 0
               ) d
               group by d.batch_id
           )
           select c.kind as "kind!: SystemEmailKind", c.lane as "lane!: Lane", c.state as "batch_state!: BatchState",
                  c.at as "state!: DeliveryState", sum(c.count)::bigint as "count!",
                  sum(case when runs and c.at <> 'sending' then c.count - coalesce(l.count - l.due, 0) else 0 end)::bigint
                      as "due!",
                  min(case when runs and c.at <> 'sending' and c.count > coalesce(l.count - l.due, 0) then
                      case when c.at <> 'retrying' and c.count > coalesce(l.count, 0) then c.start_at
                           else greatest(l.due_since, c.start_at) end end) as due_since,
                  sum(case when runs and c.deadline_at < now() then
                      case c.at when 'sending' then c.count - coalesce(begun.count, 0)
                                when 'retrying' then 0
                                else c.count - coalesce(l.begun, 0) end else 0 end)::bigint as "late!",
                  min(l.next_due_at) filter (where runs) as next_due_at
           from counted c
           left join later l on l.id = c.id and l.at = c.at
           left join begun on begun.id = c.id and c.at = 'sending'
           group by c.kind, c.lane, c.state, c.at"#,
    );
    within(counting.fetch_all(db)).await
}

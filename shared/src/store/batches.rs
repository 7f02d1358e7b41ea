//! Batches: reading them with their totals, and controlling them.

use super::exclusion::ExclusionSource;
use super::{Db, StoreResult, Transaction, within};
use crate::batch::{BatchState, Lane};
use crate::system_email::SystemEmailKind;
use serde::Deserialize as _;
use std::collections::{BTreeMap, HashMap};
use time::OffsetDateTime;
use uuid::Uuid;

/// Number of users left out, by reason.
pub type LeftOutCounts = BTreeMap<String, i64>;

/// A batch.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Its id.
    pub id: Uuid,
    /// Its system email.
    pub kind: SystemEmailKind,
    /// The version of the email; negative if the batch has its own wording.
    pub version: i32,
    /// The version of the shared text that its own wording was written from.
    pub based_on: Option<i32>,
    /// Its lane.
    pub lane: Lane,
    /// Its state.
    pub state: BatchState,
    /// Whether it is a single test mail.
    pub is_test: bool,
    /// When it was accepted.
    pub created_at: OffsetDateTime,
    /// Who created it.
    pub created_by: String,
    /// When it may start.
    pub start_at: OffsetDateTime,
    /// When its last delivery ended.
    pub finished_at: Option<OffsetDateTime>,
    /// Number of selected users.
    pub selected: i32,
    /// Number of deliveries.
    pub accepted: i32,
    /// Why it is paused or stopped.
    pub reason: Option<String>,
    /// Why it has paused itself, as the name of a [`PauseCause`](crate::batch::PauseCause).
    pub brake: Option<String>,
    /// When mails that were never attempted expire, ignoring a pause; `None` for never.
    pub stale_at: Option<OffsetDateTime>,
    /// Since when it is paused.
    pub paused_at: Option<OffsetDateTime>,
    /// The administrator who paused it by asking to stop it; `None` for any other pause.
    pub stop_asked_by: Option<Uuid>,
    /// When the details of its mails were dropped.
    pub details_dropped_at: Option<OffsetDateTime>,
    /// The time in Postgres when this was read.
    pub read_at: OffsetDateTime,
    pub(super) final_counts: Option<serde_json::Value>,
    pub(super) excluded: Option<serde_json::Value>,
}

impl Batch {
    /// The filters and lists that it left out.
    pub fn excluded(&self) -> Vec<ExclusionSource> {
        let excluded = self.excluded.as_ref().map(Vec::deserialize);
        excluded.and_then(Result::ok).unwrap_or_default()
    }
}

macro_rules! batches {
    ($rest:literal, $($argument:expr),*) => {
        sqlx::query_as!(
            Batch,
            r#"select id, kind as "kind: SystemEmailKind", version,
                      case when version < 0 then (
                          select based_on from system_email_versions v
                          where v.kind = batches.kind and v.version = batches.version) end as based_on,
                      lane as "lane: Lane",
                      state as "state: BatchState", is_test, created_at, created_by, start_at, finished_at,
                      selected_count as selected, accepted_count as accepted, reason, brake, stop_asked_by,
                      stale_at, paused_at, details_dropped_at,
                      now() as "read_at!", final_counts, excluded
               from batches "# + $rest,
            $($argument),*
        )
    };
}

/// The batch with this id.
pub async fn find(db: &Db, id: Uuid) -> StoreResult<Option<Batch>> {
    within(batches!("where id = $1", id).fetch_optional(db)).await
}

/// Batches, newest first, older than the batch `before`, without test mails.
pub async fn list(db: &Db, before: Option<Uuid>, limit: i64) -> StoreResult<Vec<Batch>> {
    let found = batches!(
        "where not is_test and ($1::uuid is null or id < $1) order by id desc limit $2",
        before,
        limit
    );
    within(found.fetch_all(db)).await
}

/// The usual rate of a kind in mails per second, from its latest large batches; `None` if there were none.
pub async fn usual_rate(db: &Db, kind: SystemEmailKind) -> StoreResult<Option<f64>> {
    let reading = sqlx::query!(
        r#"select (sum(accepted_count)
                   / nullif(sum(extract(epoch from finished_at - start_at)), 0))::float8 as rate
           from (select accepted_count, finished_at, start_at
                 from batches
                 where kind = $1 and state = 'finished' and accepted_count >= 100 and not is_test
                 order by id desc
                 limit 3) latest"#,
        kind as _,
    );
    Ok(within(reading.fetch_one(db)).await?.rate)
}

/// Number of users left out, by reason.
pub async fn left_out(db: &Db, batch: Uuid) -> StoreResult<LeftOutCounts> {
    let mut found = left_out_of_each(db, &[batch]).await?;
    Ok(found.remove(&batch).unwrap_or_default())
}

/// Number of users left out of each batch, by reason. Batches without any have no entry.
pub async fn left_out_of_each(db: &Db, batches: &[Uuid]) -> StoreResult<HashMap<Uuid, LeftOutCounts>> {
    let reading = sqlx::query!(
        r#"select b.id as "batch!", l.reason as "reason!", l.n as "n!"
           from unnest($1::uuid[]) as b (id)
           cross join lateral (
               select reason, count(*) as n from left_out where batch_id = b.id group by reason offset 0
           ) l"#,
        batches,
    );
    let rows = within(reading.fetch_all(db)).await?;
    let mut found: HashMap<Uuid, LeftOutCounts> = HashMap::new();
    for row in rows {
        found.entry(row.batch).or_default().insert(row.reason, row.n);
    }
    Ok(found)
}

/// Pauses a held or running batch. [`take_back`](super::sweeps::take_back) makes its queued deliveries wait
/// again; a worker that receives one of their jobs finds the batch paused and drops the job.
///
/// A batch that was paused by asking to stop it stays paused, and the answer to that question does not resume
/// it.
pub async fn pause(transaction: &mut Transaction, id: Uuid, reason: &str) -> StoreResult<bool> {
    let pausing = sqlx::query!(
        "update batches
         set state = 'paused', paused_at = case when state = 'paused' then paused_at else now() end, reason = $2,
             stop_asked_by = null
         where id = $1 and (state in ('held', 'running') or (state = 'paused' and stop_asked_by is not null))",
        id,
        reason,
    );
    Ok(within(pausing.execute(&mut **transaction)).await?.rows_affected() > 0)
}

/// Pauses a batch for an administrator who asks to stop it, as [`pause`] does, unless nothing is left to stop.
pub async fn pause_to_ask(
    transaction: &mut Transaction,
    id: Uuid,
    administrator: Option<Uuid>,
    reason: &str,
) -> StoreResult<bool> {
    let pausing = sqlx::query!(
        "update batches set state = 'paused', paused_at = now(), reason = $3, stop_asked_by = $2
         where id = $1 and state in ('held', 'running')
           and exists (
               select from batch_states where batch_id = $1 and state in ('waiting', 'queued', 'retrying'))",
        id,
        administrator,
        reason,
    );
    Ok(within(pausing.execute(&mut **transaction)).await?.rows_affected() > 0)
}

/// Resumes a paused batch, after [`take_back`](super::sweeps::take_back). Its deadlines move by the length of
/// the pause, which changes one row, however many deliveries wait.
///
/// With `asked_by`, only if that administrator paused it by asking to stop it.
pub async fn resume(transaction: &mut Transaction, id: Uuid, asked_by: Option<Uuid>) -> StoreResult<bool> {
    let resuming = sqlx::query!(
        r#"with paused as (
               -- What was paused before its start was not kept waiting by it until then. In seconds, because a
               -- day that an interval has may be one of 23 hours.
               select id, make_interval(secs => greatest(
                          extract(epoch from now() - greatest(paused_at, start_at)), 0)::float8) as lasted
               from batches where id = $1 and state = 'paused' and ($2::uuid is null or stop_asked_by = $2)
               for update
           ), resumed as (
               update batches b
               set state = case when b.start_at > now() then 'held' else 'running' end::batch_state, reason = null,
                   brake = null, stop_asked_by = null, resumed_at = now(), paused_at = null,
                   deadline_at = b.deadline_at + p.lasted, stale_at = b.stale_at + p.lasted,
                   paused_for = b.paused_for + p.lasted
               from paused p where b.id = p.id returning b.id
           )
           select count(*) as "n!", pg_notify('beckon_work', '') is null as told from resumed"#,
        id,
        asked_by,
    );
    Ok(within(resuming.fetch_one(&mut **transaction)).await?.n > 0)
}

/// Starts a held batch early. This changes one row, however many users it is for, because due times only matter
/// once a batch runs. The time until its mails expire keeps its length.
pub async fn start_now(transaction: &mut Transaction, id: Uuid) -> StoreResult<bool> {
    let starting = sqlx::query!(
        r#"with started as (
               update batches
               set state = 'running', start_at = now(), stale_at = stale_at - (start_at - now()),
                   deadline_at = deadline_at - (start_at - now())
               where id = $1 and state = 'held' and start_at > now() returning id
           )
           select count(*) as "n!", pg_notify('beckon_work', '') is null as told from started"#,
        id,
    );
    Ok(within(starting.fetch_one(&mut **transaction)).await?.n > 0)
}

/// Stops a batch for good. From then on workers claim none of its mails, except in claims being written at that
/// moment, and store no further verifiers for mails in hand. [`super::sweeps::end_useless`] cancels the rest in
/// groups.
pub async fn stop(transaction: &mut Transaction, id: Uuid, reason: &str) -> StoreResult<bool> {
    let stopping = sqlx::query!(
        // `for update` waits for workers that are storing verifiers, see [`super::credentials::store`].
        "with found as materialized (
             select id from batches where id = $1 and state in ('held', 'running', 'paused') for update
         )
         update batches b set state = 'stopped', reason = $2, brake = null
         from found where b.id = found.id",
        id,
        reason,
    );
    Ok(within(stopping.execute(&mut **transaction)).await?.rows_affected() > 0)
}

/// Stops a batch that has not started, so that nothing is sent. A batch that has just started is left
/// unchanged.
pub async fn undo(transaction: &mut Transaction, id: Uuid, reason: &str) -> StoreResult<bool> {
    let undoing = sqlx::query!(
        "update batches set state = 'stopped', reason = $2 where id = $1 and state = 'held'",
        id,
        reason,
    );
    Ok(within(undoing.execute(&mut **transaction)).await?.rows_affected() > 0)
}

//! Conditions for auto-pause: how many mails of a batch failed, and whether the relay accepts any.
//!
//! All of it is read from rows, so every process gets the same result whatever happened to the workers. For a
//! batch without problems only its counts are read; its deliveries are read only if these look bad.

use super::audit::{Action, Actor, AuditEntry};
use super::stall::SILENCE;
use super::{Db, StoreResult, begin, commit, seconds, within};
use crate::batch::PauseCause;
use crate::trouble::WorkerTrouble;
use serde_json::Value;
use std::time::Duration;
use time::OffsetDateTime;
use uuid::Uuid;

/// A running batch of the bulk lane and its failures since it last started or resumed.
#[derive(Clone, Debug)]
pub struct Running {
    /// The batch.
    pub batch: Uuid,
    /// When it was last resumed.
    pub resumed_at: Option<OffsetDateTime>,
    /// Mails that failed because their address does not exist.
    pub unknown: i64,
    /// Mails refused permanently as spam or by policy.
    pub policy: i64,
}

/// The running batches of the bulk lane with at least this many mails of either failure.
pub async fn failing(db: &Db, unknown: i64, policy: i64) -> StoreResult<Vec<Running>> {
    let looking = sqlx::query_as!(
        Running,
        r#"select b.id as batch, b.resumed_at, f.unknown as "unknown!", f.policy as "policy!"
           from batches b
           cross join lateral (
               select (sum(count) filter (where reason = 'address_unknown'))::bigint as unknown,
                      (sum(count) filter (where reason = 'policy'))::bigint as policy
               -- Not `batch_states`, which also looks at all that is queued.
               from (
                   select reason, count from batch_counts where batch_id = b.id and state = 'failed'
                   union all
                   select reason, count from count_changes where batch_id = b.id and state = 'failed'
               ) counted
               offset 0
           ) ever
           cross join lateral (
               select count(*) filter (where reason = 'address_unknown') as unknown,
                      count(*) filter (where reason = 'policy') as policy
               from deliveries
               where batch_id = b.id and trouble_at >= coalesce(b.resumed_at, b.created_at)
                 and state = 'failed' and reason in ('address_unknown', 'policy')
                 -- What went wrong is read only where enough ever did.
                 and (ever.unknown >= $1 or ever.policy >= $2)
               offset 0
           ) f
           where b.finished_at is null and b.state = 'running' and b.lane = 'bulk'
             and (f.unknown >= $1 or f.policy >= $2)"#,
        unknown,
        policy,
    );
    within(looking.fetch_all(db)).await
}

/// Number of a batch's mails that have ended at the relay since it last started or resumed. Reads its
/// deliveries.
pub async fn ended(db: &Db, running: &Running) -> StoreResult<i64> {
    let counting = sqlx::query!(
        r#"select count(*) as "n!" from deliveries
           where batch_id = $1 and state in ('sent', 'failed', 'expired')
             and moved_at >= coalesce($2::timestamptz, '-infinity')"#,
        running.batch,
        running.resumed_at,
    );
    Ok(within(counting.fetch_one(db)).await?.n)
}

/// What the relay refuses for all mail.
#[derive(Clone, Debug)]
pub struct RefusedEverywhere {
    /// The trouble that the workers have.
    pub trouble: WorkerTrouble,
    /// Its class, if it is about our sender, login or account.
    pub refusal: Option<String>,
}

/// The trouble that every running worker has had for this long, if the relay refuses our sender, account or
/// connections.
pub async fn refused_everywhere(db: &Db, lasting: Duration) -> StoreResult<Option<RefusedEverywhere>> {
    let asking = sqlx::query!(
        r#"select (array_agg(trouble order by trouble_since))[1] as "trouble: WorkerTrouble",
                  (array_agg(refusal order by trouble_since))[1] as refusal
           from workers
           where stopped_at is null and seen_at > now() - make_interval(secs => $1)
           having bool_and(coalesce(
               (trouble in ('relay_refuses_sender', 'relay_turns_away') or refusal is not null)
                   and trouble_since < now() - make_interval(secs => $2), false))"#,
        seconds(SILENCE),
        seconds(lasting),
    );
    let row = within(asking.fetch_optional(db)).await?;
    Ok(row.and_then(|row| {
        Some(RefusedEverywhere {
            trouble: row.trouble?,
            refusal: row.refusal,
        })
    }))
}

/// The running batches of the bulk lane that were not resumed within this time.
pub async fn running(db: &Db, resumed_before: Duration) -> StoreResult<Vec<Running>> {
    let reading = sqlx::query_as!(
        Running,
        r#"select id as batch, resumed_at, 0::bigint as "unknown!", 0::bigint as "policy!"
           from batches
           where finished_at is null and state = 'running' and lane = 'bulk'
             and coalesce(resumed_at, '-infinity') < now() - make_interval(secs => $1)"#,
        seconds(resumed_before),
    );
    within(reading.fetch_all(db)).await
}

/// Pauses a batch, if it is unchanged since `seen`, and records that. Returns whether it did: not if an
/// administrator has paused or resumed it meanwhile, or if nothing is left to hold back.
pub async fn pause(db: &Db, seen: &Running, cause: PauseCause, words: &str, details: Value) -> StoreResult<bool> {
    let mut transaction = begin(db).await?;
    let pausing = sqlx::query!(
        "update batches set state = 'paused', paused_at = now(), brake = $3, reason = $4
         where id = $1 and state = 'running' and resumed_at is not distinct from $2
           and exists (
               select from batch_states where batch_id = $1 and state in ('waiting', 'queued', 'retrying'))",
        seen.batch,
        seen.resumed_at,
        cause.as_str(),
        words,
    );
    if within(pausing.execute(&mut *transaction)).await?.rows_affected() == 0 {
        return Ok(false);
    }
    AuditEntry::new(&Actor::beckon(), Action::BatchBraked)
        .subject("batch", seen.batch)
        .details(details)
        .record(&mut transaction)
        .await?;
    commit(transaction).await?;
    Ok(true)
}

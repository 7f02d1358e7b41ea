//! What becomes due with time: lost jobs, vanished workers, expired mails, finished batches.
//!
//! Each statement skips locked rows and does a bounded amount of work, so that none holds up the others. Those
//! that only the holder of the lease may run name its epoch.

use super::dispatcher_lease::DispatcherLease;
use super::{Db, StoreResult, despite_deadlocks, seconds, within};
use crate::batch::Lane;
use std::time::Duration;
use time::OffsetDateTime;
use uuid::Uuid;

/// Maximum number of groups of claims ended per statement.
const MAX_CLAIMS: i64 = 50;

/// Maximum number of changes of counts added up per statement.
const MAX_CHANGES: i64 = 1_000;

/// Maximum number of batches closed per statement.
const MAX_FINISHED: i64 = 200;

/// Maximum number of deliveries of a stopped batch checked per statement.
const MAX_CANCELLED: i64 = 5_000;

/// The result of [`end_useless`].
#[derive(Clone, Copy, Debug)]
pub struct Swept {
    /// Number of deliveries checked.
    pub looked_at: i64,
    /// Number of deliveries ended.
    pub ended: i64,
}

/// Starts batches whose hold has ended. One whose row is locked starts a moment later.
pub async fn start_held(db: &Db, lease: DispatcherLease) -> StoreResult<u64> {
    let starting = sqlx::query!(
        "with turn as materialized (select from dispatcher where epoch = $1 for share)
         update batches set state = 'running'
         where exists (select from turn) and id in (
             select id from batches
             where finished_at is null and state = 'held' and start_at <= now()
             for no key update skip locked)",
        lease.epoch,
    );
    Ok(within(starting.execute(db)).await?.rows_affected())
}

/// Makes all queued deliveries due again: a new connection does not prove that the broker still has their
/// jobs, and the claim drops duplicates.
pub async fn requeue_all(db: &Db, lease: DispatcherLease) -> StoreResult<u64> {
    take_back_from(db, Some(lease), false).await
}

/// Makes published deliveries of paused batches wait again. Workers drop their jobs. The dispatcher calls it
/// too, for what it was publishing at the moment of the pause.
pub async fn take_back(db: &Db) -> StoreResult<u64> {
    take_back_from(db, None, true).await
}

/// Moves cursors back before everything published but not claimed, and makes later attempts due.
async fn take_back_from(db: &Db, lease: Option<DispatcherLease>, only_paused: bool) -> StoreResult<u64> {
    let taking = || async {
        let epoch = lease.map(|lease| lease.epoch);
        let taking = sqlx::query_file!("src/store/take_back.sql", epoch, only_paused);
        within(taking.fetch_one(db)).await
    };
    Ok(u64::try_from(despite_deadlocks(taking).await?.n).unwrap_or_default())
}

/// Makes first attempts due again that were published longer ago than `queue_lease` and not claimed: their jobs are
/// lost. Later attempts then become due by themselves.
pub async fn requeue_lost(db: &Db, lease: DispatcherLease, queue_lease: Duration) -> StoreResult<u64> {
    let requeueing = || async {
        let requeueing = sqlx::query!(
            "with turn as materialized (
                 select from dispatcher where epoch = $1 for share
             ), lost as (
                 delete from published_ranges
                 where published_at < now() - make_interval(secs => $2) and exists (select from turn)
                 returning batch_id, first_id, through_id
             )
             update deliveries d set retry_at = now()
             from lost
             where d.batch_id = lost.batch_id and d.id between lost.first_id and lost.through_id
               and d.state = 'waiting' and d.retry_at is null",
            lease.epoch,
            seconds(queue_lease),
        );
        within(requeueing.execute(db)).await
    };
    Ok(despite_deadlocks(requeueing).await?.rows_affected())
}

/// The time in Postgres, if a lane has published deliveries that are not known to be claimed.
pub async fn time_if_unclaimed(db: &Db, lane: Lane) -> StoreResult<Option<OffsetDateTime>> {
    let asking = sqlx::query_scalar!(
        r#"select now() as "now!"
           where exists (
               select from batch_progress p join published_ranges r on r.batch_id = p.batch_id where p.lane = $1)
              or exists (
               select from batch_progress p
               cross join lateral (
                   select from batch_counts where batch_id = p.batch_id and state = 'queued' and count > 0
                   union all
                   select from count_changes where batch_id = p.batch_id and state = 'queued' and count > 0
               ) c
               where p.lane = $1 and p.next_retry_at is not null)"#,
        lane as _,
    );
    within(asking.fetch_optional(db)).await
}

/// Makes a lane's deliveries due again that were published before the given time and not claimed: their jobs
/// are lost. `queue_lease` is how long a later attempt counts as queued.
pub async fn requeue_unclaimed(
    db: &Db,
    lease: DispatcherLease,
    lane: Lane,
    published_before: OffsetDateTime,
    queue_lease: Duration,
) -> StoreResult<u64> {
    let requeueing = || async {
        let requeueing = sqlx::query_file!(
            "src/store/requeue_unclaimed.sql",
            lease.epoch,
            lane as _,
            published_before,
            seconds(queue_lease),
        );
        within(requeueing.fetch_one(db)).await
    };
    Ok(u64::try_from(despite_deadlocks(requeueing).await?.n).unwrap_or_default())
}

/// Ends attempts whose worker vanished. It is unknown how far they came, so they are unsure, and the delivery
/// is due again at once. After `max_attempts` attempts it fails instead.
///
/// Leases that end later than the longest one (`BECKON_LEASE`, at most ten minutes) start again: the clock of Postgres
/// went back.
pub async fn end_expired_leases(db: &Db, lease: DispatcherLease, max_attempts: i32) -> StoreResult<u64> {
    let ending = || async {
        let ending = sqlx::query_file!("src/store/lost_workers.sql", max_attempts, lease.epoch, MAX_CLAIMS);
        within(ending.fetch_one(db)).await
    };
    Ok(u64::try_from(despite_deadlocks(ending).await?.n).unwrap_or_default())
}

/// Ends deliveries that are no longer needed: mails that expired before their first attempt, and the rest of
/// stopped batches. Checks up to `most` deliveries of each such batch, or of `only` this one, and continues
/// there the next time. Mails do not age while their batch is held or paused.
pub async fn end_useless(db: &Db, only: Option<Uuid>, most: i64) -> StoreResult<Swept> {
    let ending = || async {
        let ending = sqlx::query_file_as!(Swept, "src/store/end_unneeded.sql", most, only);
        within(ending.fetch_one(db)).await
    };
    despite_deadlocks(ending).await
}

/// Cancels the remaining deliveries of a stopped batch and returns how many. The dispatcher cancels deliveries that are
/// locked at this moment.
pub async fn cancel_rest(db: &Db, batch: Uuid) -> StoreResult<i64> {
    let mut cancelled = 0;
    loop {
        let swept = end_useless(db, Some(batch), MAX_CANCELLED).await?;
        cancelled += swept.ended;
        if swept.looked_at < MAX_CANCELLED {
            return Ok(cancelled);
        }
    }
}

/// Adds pending changes to the counts of unfinished batches. Sent mails are kept for a minute first, because
/// they give the batch's rate. Uses short statements, because the publishers need the same rows.
pub async fn add_up(db: &Db, lease: DispatcherLease) -> StoreResult<u64> {
    let mut added = 0;
    loop {
        let some = add_some(db, lease).await?;
        added += some;
        if some < u64::try_from(MAX_CHANGES).unwrap_or_default() {
            return Ok(added);
        }
    }
}

async fn add_some(db: &Db, lease: DispatcherLease) -> StoreResult<u64> {
    let adding = sqlx::query!(
        r#"with turn as materialized (
               select from dispatcher where epoch = $1 for share
           ), taken as (
               delete from count_changes
               where exists (select from turn) and ctid = any(array(
                   select ctid from count_changes
                   where state <> 'sent' or changed_at < now() - interval '1 minute'
                   limit $2))
               returning batch_id, state, reason, count, unsure
           ), summed as (
               select batch_id, state, reason, sum(count) as count, sum(unsure) as unsure
               from taken where batch_id in (select batch_id from batch_progress)
               group by batch_id, state, reason
           ), progressed as (
               update batch_progress p set unended = p.unended + s.count
               from (
                   select batch_id, sum(count)::integer as count from summed where not has_ended(state)
                   group by batch_id having sum(count) <> 0
               ) s
               where p.batch_id = s.batch_id
           ), counted as (
               insert into batch_counts as c (batch_id, state, reason, count, unsure)
               select batch_id, state, reason, count, unsure from summed
               on conflict (batch_id, state, reason)
               do update set count = c.count + excluded.count, unsure = c.unsure + excluded.unsure
           )
           select count(*) as "n!" from taken"#,
        lease.epoch,
        MAX_CHANGES,
    );
    Ok(u64::try_from(within(adding.fetch_one(db)).await?.n).unwrap_or_default())
}

/// A batch that has finished according to its counts.
#[derive(Clone, Copy, Debug)]
pub struct Finished {
    /// The batch.
    pub batch: Uuid,
    /// Whether it is closed. Otherwise some of its deliveries have not ended, despite its counts.
    pub is_closed: bool,
    /// Whether its counts agreed with its deliveries. Anything else is a bug.
    pub is_consistent: bool,
}

/// Closes batches whose last delivery has ended, and stores their final counts. That includes paused ones,
/// which have nothing left to resume. One whose row is locked is closed a moment later.
pub async fn finish(db: &Db) -> StoreResult<Vec<Finished>> {
    let mut finished = Vec::new();
    loop {
        let finishing = sqlx::query_file!("src/store/finish.sql", MAX_FINISHED);
        let some = within(finishing.fetch_all(db)).await?;
        let closed = some.iter().filter(|row| row.is_finished).count();
        let is_last = i64::try_from(closed).is_ok_and(|n| n < MAX_FINISHED);
        finished.extend(some.into_iter().map(|row| Finished {
            batch: row.id,
            is_closed: row.is_finished,
            is_consistent: row.is_consistent,
        }));
        if is_last {
            return Ok(finished);
        }
    }
}

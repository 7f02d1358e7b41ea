//! What the dispatcher publishes: reading due deliveries and recording what was published.
//!
//! First attempts are published in the order of the deliveries' ids, and a cursor, one row per batch, records
//! the position (`batch_progress.published_through`), so publishing writes no delivery. What was published
//! but not claimed is a range of ids (`published_ranges`) that can be published again. Later attempts, and
//! deliveries that were given back, have a due time of their own (`deliveries.retry_at`).

use super::dispatcher_lease::DispatcherLease;
use super::primary::{self, Primary};
use super::{
    Db, StoreError, StoreResult, Transaction, begin, commit, despite_deadlocks, seconds, timeout_error, within,
};
use crate::batch::Lane;
use crate::job::Job;
use sqlx::postgres::{PgListener, PgPoolOptions};
use std::time::Duration;
use time::OffsetDateTime;
use uuid::Uuid;

/// The channel on which Postgres notifies of new work.
const WAKE: &str = "beckon_work";

/// How long a listener may receive nothing before it checks its connection.
const MAX_QUIET: Duration = Duration::from_secs(10);

/// Timeout for that check.
const SILENCE_CHECKED_FOR: Duration = Duration::from_secs(5);

/// Maximum number of batches per caller that are read in one round. Further ones wait until one of these has
/// nothing left to publish.
const MAX_BATCHES: i64 = 100;

/// A delivery that is due.
#[derive(Clone, Debug)]
pub struct Due {
    /// The delivery.
    pub delivery: Uuid,
    /// Number of attempts that have begun.
    pub attempt: i32,
    /// Since when it is due, if it was attempted or given back before. Identifies this publication, see
    /// [`mark_published`].
    pub retry_at: Option<OffsetDateTime>,
    /// Whether it is too late for an attempt.
    pub is_late: bool,
    /// Its batch.
    pub batch: Uuid,
    /// The caller who created the batch.
    pub caller: String,
    /// The position of the batch's cursor.
    pub published_through: Uuid,
    /// The trace that it belongs to.
    pub trace_id: String,
}

impl Due {
    /// The job for its next attempt.
    pub const fn job(&self) -> Job {
        Job {
            delivery: self.delivery,
            attempt: self.attempt + 1,
        }
    }
}

/// What is due in a lane.
#[derive(Debug, Default)]
pub struct DueRound {
    /// Deliveries in publishing order.
    pub due: Vec<Due>,
    /// Batches that were expected to have due deliveries but have none.
    pub idle: Vec<Uuid>,
}

/// The last batch served for each caller. The caller's next round continues after it.
#[derive(Debug, Default)]
pub struct LastServed {
    /// The callers.
    pub callers: Vec<String>,
    /// The batch of each caller.
    pub batches: Vec<Uuid>,
    /// The last caller served.
    pub last: String,
}

/// Listens for notifications of work, on a separate connection. A missed one costs a poll interval, never a
/// mail.
pub async fn listen(db: &Db) -> StoreResult<PgListener> {
    // Not a connection of `db`: sqlx unsubscribes a dropped listener's connection before it returns it to its
    // pool. A silent connection would occupy a place there for as long as TCP retries.
    let options = db.connect_options().as_ref().clone();
    let primary = Primary::known_at(&options);
    let own = PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(SILENCE_CHECKED_FOR)
        .after_connect(move |connection, _| {
            let primary = primary.clone();
            Box::pin(async move { primary.check(connection).await })
        });
    let mut listener = PgListener::connect_with(&own.connect_lazy_with(options)).await?;
    within(listener.listen(WAKE)).await?;
    Ok(listener)
}

/// Waits for the next notification.
///
/// A listener that receives nothing for `MAX_QUIET` notifies itself. That detects a connection dropped by a
/// firewall, which TCP does not notice while nothing is sent, and a pooler that does not forward
/// notifications. It also keeps the firewall from dropping the connection.
///
/// # Errors
///
/// The listener receives nothing, or the address of Postgres leads to another server: drop it and [`listen`] again.
pub async fn next_notification(listener: &mut PgListener) -> StoreResult<()> {
    tokio::select! {
        notified = notification_or_check(listener) => notified,
        () = primary::next_move() => Err(primary::moved()),
    }
}

async fn notification_or_check(listener: &mut PgListener) -> StoreResult<()> {
    if let Ok(received) = tokio::time::timeout(MAX_QUIET, listener.try_recv()).await {
        received?;
        return Ok(());
    }
    let notified_by_itself = async {
        sqlx::query!("select pg_notify('beckon_work', '')")
            .execute(&mut *listener)
            .await?;
        listener.try_recv().await
    };
    match tokio::time::timeout(SILENCE_CHECKED_FOR, notified_by_itself).await {
        Ok(received) => received.map(drop).map_err(Into::into),
        Err(_) => Err(StoreError::Unavailable(timeout_error())),
    }
}

/// Number of a lane's deliveries that were published but not claimed. Reads about one second's work, which is
/// what the dispatcher publishes ahead, and deletes published ranges in which nothing is left to claim.
pub async fn queued(db: &Db, lease: DispatcherLease, lane: Lane) -> StoreResult<i64> {
    let counting = || async {
        let counting = sqlx::query_file_scalar!("src/store/queued.sql", lane as _, lease.epoch);
        within(counting.fetch_one(db)).await
    };
    despite_deadlocks(counting).await
}

/// Up to `most` due deliveries of a lane. Callers take turns, and so do each caller's batches, so that a
/// single email does not wait behind another caller's hundred thousand. The cost is the same for ten thousand
/// open batches as for one.
pub async fn due(db: &Db, lane: Lane, most: i64, served: &LastServed) -> StoreResult<DueRound> {
    let reading = sqlx::query_file!(
        "src/store/fair_share.sql",
        lane as _,
        most,
        MAX_BATCHES,
        &served.callers,
        &served.batches,
        served.last,
    );
    let mut round = DueRound::default();
    for row in within(reading.fetch_all(db)).await? {
        let (Some(delivery), Some(attempt)) = (row.delivery, row.attempt) else {
            round.idle.push(row.batch);
            continue;
        };
        round.due.push(Due {
            delivery,
            attempt,
            retry_at: row.retry_at,
            is_late: row.is_late,
            batch: row.batch,
            caller: row.caller,
            published_through: row.published_through,
            trace_id: row.trace_id,
        });
    }
    Ok(round)
}

/// The result of a round.
#[derive(Debug, Default)]
pub struct Round<'a> {
    /// Published, in the order of [`due`].
    pub published: Vec<&'a Due>,
    /// Refused by the broker, and due again at once.
    pub refused: Vec<&'a Due>,
    /// Batches whose state may have changed.
    pub batches: Vec<Uuid>,
}

/// Records what was published.
///
/// A first attempt moves its batch's cursor. A later one is marked as queued until `queue_lease` from now. One that
/// a worker has claimed meanwhile keeps its state, even if it was already given back: its due time then
/// differs from the published one, and its job is spent.
pub async fn mark_published(
    db: &Db,
    lease: DispatcherLease,
    round: &Round<'_>,
    queue_lease: Duration,
) -> StoreResult<()> {
    despite_deadlocks(|| mark_once(db, lease, round, queue_lease)).await
}

async fn mark_once(db: &Db, lease: DispatcherLease, round: &Round<'_>, queue_lease: Duration) -> StoreResult<()> {
    let mut transaction = begin(db).await?;
    let holding = sqlx::query!("select epoch from dispatcher where epoch = $1 for share", lease.epoch);
    if within(holding.fetch_optional(&mut *transaction)).await?.is_none() {
        return Ok(());
    }
    mark_retries(&mut transaction, round, queue_lease).await?;
    postpone(&mut transaction, round).await?;
    // An attempt that is put off at this moment is either seen by the last statement, or waits for this lock
    // and is recorded afterwards. Deliveries are locked first, as everywhere else.
    let locking = sqlx::query!(
        "select batch_id from batch_progress where batch_id = any($1) order by batch_id for no key update",
        &round.batches,
    );
    within(locking.fetch_all(&mut *transaction)).await?;
    move_cursors(&mut transaction, round).await?;
    let refreshing = sqlx::query!(
        "update batch_progress p set has_more = now.has_more, next_retry_at = now.next_retry_at
         from (
             select q.batch_id, more.id is not null as has_more,
                    (select min(retry_at) from deliveries
                     where batch_id = q.batch_id and retry_at is not null) as next_retry_at
             from batch_progress q
             left join lateral (
                 -- As in fair_share.sql.
                 select id from deliveries
                 where (batch_id, id) > (q.batch_id, q.published_through) and batch_id <= q.batch_id
                   and id > q.published_through and state = 'waiting' and retry_at is null
                 order by batch_id, id limit 1
             ) more on true
             where q.batch_id = any($1)
         ) now
         where p.batch_id = now.batch_id
           and (p.has_more, p.next_retry_at) is distinct from (now.has_more, now.next_retry_at)",
        &round.batches,
    );
    within(refreshing.execute(&mut *transaction)).await?;
    commit(transaction).await
}

/// Moves the cursors of batches whose first attempts were published.
async fn move_cursors(transaction: &mut Transaction, round: &Round<'_>) -> StoreResult<()> {
    let first = |due: &&&Due| due.retry_at.is_none();
    let all = || round.published.iter().chain(&round.refused).filter(first);
    let batches: Vec<Uuid> = all().map(|due| due.batch).collect();
    let after: Vec<Uuid> = all().map(|due| due.published_through).collect();
    let ids: Vec<Uuid> = all().map(|due| due.delivery).collect();
    if batches.is_empty() {
        return Ok(());
    }
    let moving = sqlx::query!(
        "with went as (
             select batch_id, after_id, (array_agg(id order by id))[1] as first_id,
                    (array_agg(id order by id desc))[1] as through_id
             from unnest($1::uuid[], $2::uuid[], $3::uuid[]) as went (batch_id, after_id, id)
             group by batch_id, after_id
         ), moved as (
             update batch_progress p set published_through = w.through_id
             from went w
             -- A pause or a new session has set it back meanwhile, and these jobs do not count.
             where p.batch_id = w.batch_id and p.published_through = w.after_id and p.is_running
             returning p.batch_id, w.after_id, w.first_id, w.through_id
         )
         insert into published_ranges (batch_id, after_id, first_id, through_id)
         select batch_id, after_id, first_id, through_id from moved",
        &batches,
        &after,
        &ids,
    );
    within(moving.execute(&mut **transaction)).await?;
    Ok(())
}

/// Gives first attempts that the broker refused a due time of their own, so that the cursor can pass them.
async fn postpone(transaction: &mut Transaction, round: &Round<'_>) -> StoreResult<()> {
    let first = round.refused.iter().filter(|due| due.retry_at.is_none());
    let refused: Vec<Uuid> = first.map(|due| due.delivery).collect();
    if refused.is_empty() {
        return Ok(());
    }
    let putting_off = sqlx::query!(
        "update deliveries set retry_at = now() where id = any($1) and state::text = 'waiting' and retry_at is null",
        &refused,
    );
    within(putting_off.execute(&mut **transaction)).await?;
    Ok(())
}

async fn mark_retries(transaction: &mut Transaction, round: &Round<'_>, queue_lease: Duration) -> StoreResult<()> {
    let retries = || round.published.iter().filter(|due| due.retry_at.is_some());
    let ids: Vec<Uuid> = retries().map(|due| due.delivery).collect();
    let attempts: Vec<i32> = retries().map(|due| due.attempt).collect();
    let times: Vec<OffsetDateTime> = retries().filter_map(|due| due.retry_at).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let marking = sqlx::query!(
        // States are compared as text, so that each row is found by its own id.
        "update deliveries d
         set state = 'queued', moved_at = now(), retry_at = now() + make_interval(secs => $4)
         from unnest($1::uuid[], $2::integer[], $3::timestamptz[]) as due (id, attempt, retry_at)
         where d.id = due.id and d.attempt = due.attempt and d.retry_at = due.retry_at
           and d.state::text in ('waiting', 'queued', 'retrying')
           and exists (select from batch_progress where batch_id = d.batch_id and is_running)",
        &ids,
        &attempts,
        &times,
        seconds(queue_lease),
    );
    within(marking.execute(&mut **transaction)).await?;
    Ok(())
}

/// Ends deliveries that are due but too late for an attempt.
pub async fn end_late(db: &Db, lease: DispatcherLease, late: &[Due]) -> StoreResult<u64> {
    let ids: Vec<Uuid> = late.iter().map(|due| due.delivery).collect();
    let attempts: Vec<i32> = late.iter().map(|due| due.attempt).collect();
    let ending = || async {
        let ending = sqlx::query!(
            "with turn as materialized (select from dispatcher where epoch = $3 for share)
             update deliveries d
             set state = 'expired', reason = case when d.attempt = 0 then 'stale' else coalesce(d.reason, 'gave_up') end,
                 moved_at = now(), trouble_at = now(), retry_at = null
             from unnest($1::uuid[], $2::integer[]) as late (id, attempt)
             where exists (select from turn)
               and d.id = late.id and d.attempt = late.attempt and d.state::text in ('waiting', 'queued', 'retrying')",
            &ids,
            &attempts,
            lease.epoch,
        );
        within(ending.execute(db)).await
    };
    Ok(despite_deadlocks(ending).await?.rows_affected())
}

/// Makes jobs due again that a worker received and could not claim for lack of room. Has no effect on a
/// delivery that has changed meanwhile.
pub async fn make_due_again(db: &Db, jobs: &[Job]) -> StoreResult<()> {
    let ids: Vec<Uuid> = jobs.iter().map(|job| job.delivery).collect();
    let attempts: Vec<i32> = jobs.iter().map(|job| job.attempt).collect();
    let giving_back = || async {
        let giving_back = sqlx::query!(
            "update deliveries d
             set state = case when d.attempt = 0 then 'waiting' else 'retrying' end::delivery_state,
                 moved_at = now(), retry_at = now()
             from (
                 select id, attempt from unnest($1::uuid[], $2::integer[]) as job (id, attempt) order by id
             ) job
             where d.id = job.id and d.attempt = job.attempt - 1
               and (d.state::text = 'queued' or (d.state::text = 'waiting' and d.retry_at is null)
                    -- Published and not marked yet: due at another time than that, it is not marked.
                    or (d.state::text in ('waiting', 'retrying') and d.retry_at <= now()))",
            &ids,
            &attempts,
        );
        within(giving_back.execute(db)).await
    };
    despite_deadlocks(giving_back).await?;
    Ok(())
}

//! What the dispatcher reads and writes: what is due, what was published, what was lost.

use super::dispatcher_lease::Turn;
use super::{Db, StoreError, StoreResult, despite_deadlocks, seconds, silent, within};
use crate::batch::Lane;
use crate::job::Job;
use sqlx::postgres::{PgListener, PgPoolOptions};
use std::time::Duration;
use time::OffsetDateTime;
use uuid::Uuid;

/// The channel on which Postgres says that there is new work.
const WAKE: &str = "beckon_work";

/// How long a listener may hear nothing before it checks that it still can.
const QUIET_MOST: Duration = Duration::from_secs(10);

/// How long that check may take.
const SILENCE_CHECKED_FOR: Duration = Duration::from_secs(5);

/// A delivery that is due.
#[derive(Clone, Debug)]
pub struct Due {
    /// Which.
    pub delivery: Uuid,
    /// How many attempts have begun.
    pub attempt: i32,
    /// Since when. With it a delivery is known again, see [`mark_queued`].
    pub due_at: OffsetDateTime,
    /// Its batch,
    pub batch: Uuid,
    /// and the trace that one belongs to.
    pub trace_id: String,
}

impl Due {
    /// The job that asks for its next attempt.
    pub const fn job(&self) -> Job {
        Job {
            delivery: self.delivery,
            attempt: self.attempt + 1,
        }
    }
}

/// Listens for notifications that there is work, on a connection of its own. A missed one costs a poll
/// interval, never a mail.
pub async fn listen(db: &Db) -> StoreResult<PgListener> {
    // Not one of `db`'s: sqlx unsubscribes a dropped listener's connection before it returns it to its
    // pool, which on a connection that went silent would take a place there for as long as TCP retries.
    let options = db.connect_options().as_ref().clone();
    let own = PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(SILENCE_CHECKED_FOR);
    let mut listener = PgListener::connect_with(&own.connect_lazy_with(options)).await?;
    within(listener.listen(WAKE)).await?;
    Ok(listener)
}

/// Waits for the next notification.
///
/// A listener that hears nothing for `QUIET_MOST` notifies itself. That finds a connection that a
/// firewall has forgotten, which TCP alone does not notice while nothing is sent on it, and a pooler
/// that passes no notifications on; it also keeps the firewall from forgetting it.
///
/// # Errors
///
/// When the listener is deaf: drop it and [`listen`] again.
pub async fn heard(listener: &mut PgListener) -> StoreResult<()> {
    if let Ok(received) = tokio::time::timeout(QUIET_MOST, listener.try_recv()).await {
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
        Err(_) => Err(StoreError::Unavailable(silent())),
    }
}

/// Starts batches whose hold is over. One whose row is locked starts a moment later.
pub async fn start_held(db: &Db, turn: Turn) -> StoreResult<u64> {
    let starting = sqlx::query!(
        "with turn as materialized (select from dispatcher where epoch = $1 for share)
         update batches set state = 'running'
         where exists (select from turn) and id in (
             select id from batches
             where finished_at is null and state = 'held' and start_at <= now()
             for no key update skip locked)",
        turn.epoch,
    );
    let done = within(starting.execute(db)).await?;
    Ok(done.rows_affected())
}

/// How many jobs of a lane lie in the queue unclaimed.
pub async fn queued(db: &Db, lane: Lane) -> StoreResult<i64> {
    let counting = sqlx::query!(
        r#"select count(*) as "n!"
           from deliveries d join batches b on b.id = d.batch_id
           where d.state = 'queued' and b.lane = $1"#,
        lane as _,
    );
    Ok(within(counting.fetch_one(db)).await?.n)
}

/// Up to `most` due deliveries of a lane, in turns: the first of every batch, then the second of
/// every batch, so that nobody waits behind somebody else's hundred thousand. The batches after
/// `last`, which was served last, come first: there may be room for fewer mails than there are
/// batches.
pub async fn due(db: &Db, lane: Lane, most: i64, last: Uuid) -> StoreResult<Vec<Due>> {
    let reading = sqlx::query_as!(
        Due,
        r#"select d.id as delivery, d.attempt, d.due_at, b.id as batch, b.trace_id
           from batches b
           cross join lateral (
               select id, attempt, due_at, row_number() over (order by due_at, id) as turn
               from (
                   select id, attempt, due_at from deliveries
                   where batch_id = b.id and state in ('waiting', 'retrying') and due_at <= now()
                     -- What a sweep will end is not begun first.
                     and (attempt > 0 or b.stale_at is null or b.stale_at > now())
                     and (give_up_at is null or give_up_at + b.paused_for > now())
                   order by due_at, id
                   limit $2
               ) first
           ) d
           where b.finished_at is null and b.state = 'running' and b.lane = $1
           order by d.turn, b.id <= $3, b.id
           limit $2"#,
        lane as _,
        most,
        last,
    );
    within(reading.fetch_all(db)).await
}

/// Marks as queued what the broker confirmed. One that a worker has claimed meanwhile stays so,
/// also when it has been given back already: then it is due at another time than it was
/// published for, and its job is spent.
pub async fn mark_queued(db: &Db, turn: Turn, published: &[&Due], lease: Duration) -> StoreResult<u64> {
    let ids: Vec<Uuid> = published.iter().map(|due| due.delivery).collect();
    let attempts: Vec<i32> = published.iter().map(|due| due.attempt).collect();
    let due_at: Vec<OffsetDateTime> = published.iter().map(|due| due.due_at).collect();
    let marking = || async {
        let marking = sqlx::query!(
            // States are compared as text, so that nobody reads the index of all that is due.
            "with turn as materialized (select from dispatcher where epoch = $5 for share),
         found as materialized (
             select due.id, due.attempt, due.due_at
             from unnest($1::uuid[], $2::integer[], $3::timestamptz[]) as due (id, attempt, due_at)
             cross join lateral (select batch_id from deliveries where id = due.id offset 0) d
             cross join lateral (select from batches where id = d.batch_id and state = 'running' offset 0) b
             order by due.id
         )
         update deliveries d
         set state = 'queued', moved_at = now(), lease_until = now() + make_interval(secs => $4)
         from found
         where exists (select from turn)
           and d.id = found.id and d.attempt = found.attempt and d.due_at = found.due_at
           and d.state::text in ('waiting', 'retrying')",
            &ids,
            &attempts,
            &due_at,
            seconds(lease),
            turn.epoch,
        );
        within(marking.execute(db)).await
    };
    Ok(despite_deadlocks(marking).await?.rows_affected())
}

/// Makes everything in the queues due again: after a new connection nothing proves that the
/// broker still has it, and a copy too many is dropped by the claim.
pub async fn requeue_all(db: &Db, turn: Turn) -> StoreResult<u64> {
    requeue(db, turn, true).await
}

/// Makes due again what lay in a queue past its lease: its job is lost.
pub async fn requeue_lost(db: &Db, turn: Turn) -> StoreResult<u64> {
    requeue(db, turn, false).await
}

async fn requeue(db: &Db, turn: Turn, also_within_lease: bool) -> StoreResult<u64> {
    let requeueing = || async {
        let requeueing = sqlx::query!(
            "with turn as materialized (select from dispatcher where epoch = $2 for share)
             update deliveries
             set state = case when attempt = 0 then 'waiting' else 'retrying' end::delivery_state,
                 moved_at = now(), lease_until = null
             where exists (select from turn) and state = 'queued' and ($1 or lease_until < now())",
            also_within_lease,
            turn.epoch,
        );
        within(requeueing.execute(db)).await
    };
    Ok(despite_deadlocks(requeueing).await?.rows_affected())
}

/// Makes jobs due again that a worker received and could not claim for want of room. One whose
/// delivery has moved on meanwhile changes nothing.
pub async fn give_back(db: &Db, jobs: &[Job]) -> StoreResult<()> {
    let ids: Vec<Uuid> = jobs.iter().map(|job| job.delivery).collect();
    let attempts: Vec<i32> = jobs.iter().map(|job| job.attempt).collect();
    let giving_back = || async {
        let giving_back = sqlx::query!(
            "with found as materialized (
                 select job.id, job.attempt
                 from unnest($1::uuid[], $2::integer[]) as job (id, attempt)
                 cross join lateral (select from deliveries where id = job.id offset 0) d
                 order by job.id
             )
             update deliveries d
             set state = case when d.attempt = 0 then 'waiting' else 'retrying' end::delivery_state,
                 moved_at = now(), lease_until = null
             from found
             where d.id = found.id and d.attempt = found.attempt - 1 and d.state::text = 'queued'",
            &ids,
            &attempts,
        );
        within(giving_back.execute(db)).await
    };
    despite_deadlocks(giving_back).await?;
    Ok(())
}

/// Ends attempts whose worker vanished: nobody knows how far it came, so they are unsure, and the
/// delivery is due again at once. Past `attempts_most` attempts it has failed instead.
pub async fn end_vanished(db: &Db, turn: Turn, attempts_most: i32) -> StoreResult<u64> {
    let ending = sqlx::query!(
        r#"with turn as materialized (
               select from dispatcher where epoch = $2 for share
           ), vanished as (
               select d.id, d.attempt, d.cancel_reason, b.state as batch_state
               from deliveries d join batches b on b.id = d.batch_id
               where exists (select from turn) and d.state = 'sending' and d.lease_until < now()
               order by d.lease_until
               limit 5000
               for update of d skip locked
           ), moved as (
               update deliveries d
               set state = case when v.batch_state = 'stopped' or v.cancel_reason is not null then 'cancelled'
                                when d.attempt >= $1 then 'failed'
                                else 'retrying' end::delivery_state,
                   reason = case when v.batch_state = 'stopped' then 'stopped'
                                 when v.cancel_reason is not null then v.cancel_reason
                                 when d.attempt >= $1 then 'too_many_attempts'
                                 else 'worker_vanished' end,
                   due_at = now(), moved_at = now(), unsure = true, lease_until = null, lease_token = null
               from vanished v
               where d.id = v.id
               returning d.id, d.attempt
           ), ended as (
               update attempts a
               set ended_at = now(), verdict = 'unsure', phase = 'unknown', reply = 'the worker vanished'
               from moved
               where a.delivery_id = moved.id and a.n = moved.attempt and a.ended_at is null
               returning 1
           )
           select count(*) as "n!" from moved"#,
        attempts_most,
        turn.epoch,
    );
    let row = within(ending.fetch_one(db)).await?;
    Ok(u64::try_from(row.n).unwrap_or_default())
}

/// Ends what is of no use any more: mails too old to be worth their first try, and whatever is
/// left of stopped batches. Up to `most` of each. While a batch is held or paused its mails do not get
/// older.
pub async fn end_useless(db: &Db, most: i64) -> StoreResult<u64> {
    let ending = sqlx::query!(
        "with useless as (
             select d.id,
                    case when b.state = 'stopped' then 'cancelled' else 'expired' end::delivery_state as state,
                    case when b.state = 'stopped' then 'stopped' else 'stale' end as reason
             from batches b
             cross join lateral (
                 select id from deliveries
                 where batch_id = b.id
                   and (state in ('waiting', 'retrying') or (state = 'queued' and b.state = 'stopped'))
                   and (b.state = 'stopped' or attempt = 0)
                 limit $1
                 for update skip locked
             ) d
             where b.finished_at is null
               and (b.state = 'stopped'
                    or b.stale_at < case b.state when 'running' then now() when 'paused' then b.paused_at end)
         )
         update deliveries d
         set state = useless.state, reason = useless.reason, moved_at = now(), lease_until = null
         from useless where d.id = useless.id",
        most,
    );
    Ok(within(ending.execute(db)).await?.rows_affected())
}

/// Ends up to `most` deliveries that were begun and are too old to be tried again. Most are ended
/// when their last attempt is settled; these waited for a relay that was away. The time that their
/// batch was paused does not count.
pub async fn end_given_up(db: &Db, most: i64) -> StoreResult<u64> {
    let ending = sqlx::query!(
        "update deliveries
         set state = 'expired', reason = coalesce(reason, 'gave_up'), moved_at = now()
         where id in (
             select d.id from deliveries d
             where d.state in ('waiting', 'retrying') and d.give_up_at < now()
               and exists (
                   select from batches b
                   where b.id = d.batch_id
                     and d.give_up_at + b.paused_for < case b.state when 'paused' then b.paused_at else now() end)
             limit $1
             for update of d skip locked)",
        most,
    );
    Ok(within(ending.execute(db)).await?.rows_affected())
}

/// Closes batches whose last delivery has ended, and counts them for good. A paused one too: there is
/// nothing left to resume. One whose row is locked is closed a moment later.
pub async fn finish(db: &Db) -> StoreResult<Vec<Uuid>> {
    let finishing = sqlx::query!(
        "update batches b
         set finished_at = now(),
             state = case when b.state = 'stopped' then b.state else 'finished' end,
             reason = case when b.state = 'stopped' then b.reason end,
             brake = null, paused_at = null,
             final_counts = (
                 select coalesce(jsonb_agg(jsonb_build_object(
                            'state', state, 'reason', reason, 'count', n, 'unsure', unsure)), '[]')
                 from (select state, reason, count(*) as n, count(*) filter (where unsure) as unsure
                       from deliveries where batch_id = b.id group by state, reason) alike)
         where b.id in (
             select id from batches
             where finished_at is null and state <> 'held'
               and not exists (
                   select from deliveries d
                   where d.batch_id = batches.id and d.state in ('waiting', 'retrying'))
               and id not in (select batch_id from deliveries where state in ('queued', 'sending'))
             order by id
             for no key update skip locked)
         returning b.id",
    );
    let finished = within(finishing.fetch_all(db)).await?;
    Ok(finished.into_iter().map(|row| row.id).collect())
}

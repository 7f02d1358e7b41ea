//! The months in which mails lie, made ahead of time and dropped when their details are not kept any
//! longer, as the rejected rows of imports are.
//!
//! A month that is missing would refuse every batch, so there is room for two more than the present
//! one, and a process that cannot make them has weeks to be heard. Both steps need locks that
//! everybody who sends has an interest in: they wait a moment for them, no longer, and come again.

use super::{Db, StoreResult, Transaction, begin, commit, seconds, within};
use std::time::Duration;
use time::{Date, OffsetDateTime};

/// For how many months after the present one there is room.
pub const AHEAD: i32 = 2;

/// Rows that are forgotten at a time, so that none holds locks for long.
const GROUP: i64 = 10_000;

/// Imports whose rejected rows are dropped at a time; each may have some ten thousand.
const IMPORTS: i64 = 10;

/// Makes the months that are missing; returns for how many after the present one there is room.
pub async fn make(db: &Db) -> StoreResult<i64> {
    let missing = sqlx::query_scalar!(
        r#"select month::date as "month!"
           from generate_series(
               date_trunc('month', now() at time zone 'UTC'),
               date_trunc('month', now() at time zone 'UTC') + make_interval(months => $1), '1 month') as m (month)
           where month::date not in (select months())
           order by month"#,
        AHEAD,
    )
    .fetch_all(db)
    .await?;
    for month in missing {
        let mut transaction = impatient(db).await?;
        within(sqlx::query!("select make_month($1)", month).fetch_one(&mut *transaction)).await?;
        commit(transaction).await?;
    }
    let ahead = sqlx::query_scalar!(
        r#"select count(*) as "n!" from months() as m (month)
           where month > date_trunc('month', now() at time zone 'UTC')"#
    );
    within(ahead.fetch_one(db)).await
}

/// Drops the months that ended longer ago than `kept`, with the names of who was left out then and the
/// passwords of then that nobody used; returns their first days. One with mails of a batch that has not
/// finished stays as a whole: the batch's totals are counted from them.
pub async fn drop(db: &Db, kept: Duration) -> StoreResult<Vec<Date>> {
    let old = sqlx::query!(
        r#"select month as "month!", month::timestamp at time zone 'UTC' as "beginning!",
                  (month + interval '1 month') at time zone 'UTC' as "ending!"
           from months() as m (month)
           where (month + interval '1 month') at time zone 'UTC' < now() - make_interval(secs => $1)"#,
        seconds(kept),
    )
    .fetch_all(db)
    .await?;
    let mut dropped = Vec::new();
    for month in old {
        if is_unfinished(db, month.beginning, month.ending).await? {
            continue;
        }
        loop {
            let forgotten = forget_names(db, month.ending).await? + forget_passwords(db, month.ending).await?;
            if forgotten == 0 {
                break;
            }
        }
        let mut transaction = impatient(db).await?;
        within(sqlx::query!("select drop_month($1)", month.month).fetch_one(&mut *transaction)).await?;
        commit(transaction).await?;
        dropped.push(month.month);
    }
    Ok(dropped)
}

/// Drops the rejected rows and the changed values of imports that were stored longer ago than `kept`; returns of how many imports.
pub async fn drop_rejects(db: &Db, kept: Duration) -> StoreResult<u64> {
    let mut dropped = 0;
    loop {
        let dropping = sqlx::query!(
            "with old as materialized (
                 select id from imports
                 where done_at < now() - make_interval(secs => $1) and details_dropped_at is null
                 order by id limit $2
                 for update skip locked
             ), gone as (
                 delete from import_rejects where import_id in (select id from old)
             ), unknown as (
                 delete from import_changes where import_id in (select id from old)
             )
             update imports set details_dropped_at = now() where id in (select id from old)",
            seconds(kept),
            IMPORTS,
        );
        match within(dropping.execute(db)).await?.rows_affected() {
            0 => return Ok(dropped),
            some => dropped += some,
        }
    }
}

/// Whether a batch that has not finished has mails that were written in this time. One that owes none any
/// more counts as well.
async fn is_unfinished(db: &Db, from: OffsetDateTime, before: OffsetDateTime) -> StoreResult<bool> {
    let asked = sqlx::query_scalar!(
        r#"select exists (
               select from batches b
               where b.finished_at is null and b.created_at < $2
                 and exists (select from deliveries d
                             where d.batch_id = b.id
                               and d.id >= uuid_v7_from($1) and d.id < uuid_v7_from($2))) as "is_unfinished!""#,
        from,
        before,
    );
    within(asked.fetch_one(db)).await
}

/// Forgets who some of those were that were left out before a moment; the reasons stay.
async fn forget_names(db: &Db, before: OffsetDateTime) -> StoreResult<u64> {
    let forgetting = sqlx::query!(
        "update left_out set user_id = null, given = null
         where id in (
             select l.id from batches b join left_out l on l.batch_id = b.id
             where b.created_at < $1 and b.finished_at is not null and b.details_dropped_at is null
               and (l.user_id is not null or l.given is not null)
             limit $2)",
        before,
        GROUP,
    );
    Ok(within(forgetting.execute(db)).await?.rows_affected())
}

/// Forgets some passwords that were made before a moment, have ended and were never used.
async fn forget_passwords(db: &Db, before: OffsetDateTime) -> StoreResult<u64> {
    let forgetting = sqlx::query!(
        "delete from credentials
         where id in (
             select id from credentials
             where id < uuid_v7_from($1) and kind = 'generated' and used_at is null and expires_at < now()
             order by id limit $2)",
        before,
        GROUP,
    );
    Ok(within(forgetting.execute(db)).await?.rows_affected())
}

/// A transaction that waits a moment for a lock, because others queue up behind it meanwhile. Two
/// processes that begin at the same time do so one after the other.
async fn impatient(db: &Db) -> StoreResult<Transaction> {
    let mut transaction = begin(db).await?;
    sqlx::query!("select set_config('lock_timeout', '1s', true), pg_advisory_xact_lock(hashtextextended('months', 0))")
        .fetch_one(&mut *transaction)
        .await?;
    Ok(transaction)
}

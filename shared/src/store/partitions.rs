//! Monthly partitions of mails: created ahead, and dropped once their details are no longer kept, like the
//! rejected rows of imports.
//!
//! A missing month would refuse every batch, so there are partitions for two months after the current one,
//! and a process that cannot create them has weeks to raise an alert. Both steps need locks that affect all
//! sending: they wait briefly for them and retry later.

use super::{Db, StoreResult, Transaction, begin, commit, seconds, within};
use std::time::Duration;
use time::{Date, OffsetDateTime};

/// Number of months after the current one with a partition.
pub const AHEAD: i32 = 2;

/// Maximum number of rows cleared per statement, so that no statement holds locks for long.
const GROUP: i64 = 10_000;

/// Maximum number of imports per statement whose rejected rows are dropped; each may have some ten thousand.
const IMPORTS: i64 = 10;

/// Creates missing partitions. Returns for how many months after the current one there are partitions.
pub async fn make(db: &Db) -> StoreResult<i64> {
    let reading = sqlx::query_scalar!(
        r#"select month::date as "month!"
           from generate_series(
               date_trunc('month', now() at time zone 'UTC'),
               date_trunc('month', now() at time zone 'UTC') + make_interval(months => $1), '1 month') as m (month)
           where month::date not in (select months())
           order by month"#,
        AHEAD,
    );
    let missing = within(reading.fetch_all(db)).await?;
    for month in missing {
        let mut transaction = begin_with_lock_timeout(db).await?;
        within(sqlx::query!("select make_month($1)", month).fetch_one(&mut *transaction)).await?;
        commit(transaction).await?;
    }
    let ahead = sqlx::query_scalar!(
        r#"select count(*) as "n!" from months() as m (month)
           where month > date_trunc('month', now() at time zone 'UTC')"#
    );
    within(ahead.fetch_one(db)).await
}

/// Drops the months that ended longer ago than `kept`, with the names of users left out then and the unused
/// passwords of that time. Returns their first days. A month with mails of an unfinished batch is kept as a
/// whole: the batch's totals are counted from them.
pub async fn drop(db: &Db, kept: Duration) -> StoreResult<Vec<Date>> {
    let reading = sqlx::query!(
        r#"select month as "month!", month::timestamp at time zone 'UTC' as "beginning!",
                  (month + interval '1 month') at time zone 'UTC' as "ending!"
           from months() as m (month)
           where (month + interval '1 month') at time zone 'UTC' < now() - make_interval(secs => $1)"#,
        seconds(kept),
    );
    let old = within(reading.fetch_all(db)).await?;
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
        let mut transaction = begin_with_lock_timeout(db).await?;
        within(sqlx::query!("select drop_month($1)", month.month).fetch_one(&mut *transaction)).await?;
        commit(transaction).await?;
        dropped.push(month.month);
    }
    Ok(dropped)
}

/// Drops the rejected rows and the changed values of imports that were stored longer ago than `kept`. Returns
/// the number of imports.
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

/// Whether an unfinished batch has mails written in this period, even if none is still owed.
async fn is_unfinished(db: &Db, from: OffsetDateTime, before: OffsetDateTime) -> StoreResult<bool> {
    let checking = sqlx::query_scalar!(
        r#"select exists (
               select from batches b
               where b.finished_at is null and b.created_at < $2
                 and exists (select from deliveries d
                             where d.batch_id = b.id
                               and d.id >= uuid_v7_from($1) and d.id < uuid_v7_from($2))) as "is_unfinished!""#,
        from,
        before,
    );
    within(checking.fetch_one(db)).await
}

/// Clears the identities of some users who were left out before a given time; the reasons are kept.
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

/// Deletes some passwords that were created before a given time, have expired and were never used.
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

/// A transaction with a short lock timeout, because other transactions queue behind it. Two processes that
/// begin at the same time run one after the other.
async fn begin_with_lock_timeout(db: &Db) -> StoreResult<Transaction> {
    let mut transaction = begin(db).await?;
    let locking = sqlx::query!(
        "select set_config('lock_timeout', '1s', true), pg_advisory_xact_lock(hashtextextended('months', 0))"
    );
    within(locking.fetch_one(&mut *transaction)).await?;
    Ok(transaction)
}

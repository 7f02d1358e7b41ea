//! The months in which mails lie, made ahead of time and dropped when their details are not kept any
//! longer.
//!
//! A month that is missing would refuse every batch, so there is room for two more than the present
//! one, and a process that cannot make them has weeks to be heard. Both steps need locks that
//! everybody who sends has an interest in: they wait a moment for them, no longer, and come again.

use super::{Db, StoreResult, Transaction, begin, commit, seconds, within};
use std::time::Duration;
use time::Date;

/// For how many months after the present one there is room.
pub const AHEAD: i32 = 2;

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

/// Drops the months that ended longer ago than `kept`; returns their first days. One of which a mail
/// is still owed stays as a whole.
pub async fn drop(db: &Db, kept: Duration) -> StoreResult<Vec<Date>> {
    let old = sqlx::query_scalar!(
        r#"select month as "month!" from months() as m (month)
           where (month + interval '1 month') at time zone 'UTC' < now() - make_interval(secs => $1)"#,
        seconds(kept),
    )
    .fetch_all(db)
    .await?;
    let mut dropped = Vec::new();
    for month in old {
        let mut transaction = impatient(db).await?;
        let dropping = sqlx::query_scalar!(r#"select drop_month($1) as "is_dropped!""#, month);
        let is_dropped = within(dropping.fetch_one(&mut *transaction)).await?;
        commit(transaction).await?;
        if is_dropped {
            dropped.push(month);
        }
    }
    Ok(dropped)
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

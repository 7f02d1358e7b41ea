//! People as a set.
//!
//! A page of a list looks at one person after the other until it is full, which is quick where most
//! match. How many match, who they are, and a page for which few match are questions about everybody:
//! here the tables are read once as a whole and joined.

use super::users::UserFilter;
use super::{Db, StoreResult, Transaction, begin, commit, within};
use std::time::Duration;
use uuid::Uuid;

/// A statement about everybody who matches a filter. Sets are built once and joined, where a list of
/// fifty looks at one person after the other.
macro_rules! everybody {
    ($before:literal, $after:literal, $filter:expr $(, $argument:expr)*) => {
        sqlx::query!(
            $before
                + r#"
            from users u
            left join last_sent invited
                on $3::boolean is not null and invited.kind = 'invite' and invited.user_id = u.id
            left join (
                select distinct d.user_id from deliveries d
                where $5::boolean is not null and d.state in ('failed', 'expired')
                  and not exists (select from deliveries l where l.user_id = d.user_id and l.id > d.id)
            ) failed on failed.user_id = u.id
            left join blocked_addresses blocked on $5 is not null and blocked.email_key = u.email_key
            left join import_users i
                on i.import_id = $2 and i.user_id = u.id and ($6::import_effect is null or i.effect = $6)
            where ($1::text is null or u.search like lower($1))
              and ($2::uuid is null or i.user_id is not null)
              and ($3 is null or $3 = (invited.user_id is not null))
              and ($4::boolean is null or $4 = (u.signed_in_at is not null))
              and ($5 is null or $5 = (failed.user_id is not null or blocked.email_key is not null))"#
                + $after,
            $filter.pattern(),
            $filter.import,
            $filter.invited,
            $filter.signed_in,
            $filter.failed,
            $filter.effect as _
            $(, $argument)*
        )
    };
}
pub(super) use everybody;

/// How many match.
pub async fn count(db: &Db, filter: &UserFilter) -> StoreResult<i64> {
    let mut transaction = as_sets(db).await?;
    let counting = everybody!(r#"select count(*) as "n!""#, "", filter);
    let row = within(counting.fetch_one(&mut *transaction)).await?;
    commit(transaction).await?;
    Ok(row.n)
}

/// Begins a reading of very many rows. Everywhere else a statement finds few rows by their ids, and
/// connections are set up for that (see [`super::connect`]); here tables are read as a whole and
/// joined by hashing, which is four times as fast for a hundred thousand people.
pub(super) async fn as_sets(db: &Db) -> StoreResult<Transaction> {
    let mut transaction = begin(db).await?;
    sqlx::query!(
        "select set_config('enable_nestloop', 'off', true) as nestloop,
                set_config('enable_seqscan', 'on', true) as seqscan,
                set_config('work_mem', '64MB', true) as memory"
    )
    .fetch_one(&mut *transaction)
    .await?;
    Ok(transaction)
}

/// How many match, if that can be told in `time`: a page does not wait for a number that it can do
/// without.
pub async fn count_within(db: &Db, filter: &UserFilter, time: Duration) -> StoreResult<Option<i64>> {
    let mut transaction = as_sets(db).await?;
    until_a_timeout(&mut transaction, time).await?;
    let counted = everybody!(r#"select count(*) as "n!""#, "", filter)
        .fetch_one(&mut *transaction)
        .await;
    let Some(row) = unless_it_timed_out(counted)? else {
        return Ok(None);
    };
    commit(transaction).await?;
    Ok(Some(row.n))
}

/// Has each further statement of a transaction ended after a while.
pub(super) async fn until_a_timeout(transaction: &mut Transaction, time: Duration) -> StoreResult<()> {
    let milliseconds = i64::try_from(time.as_millis()).unwrap_or(1_000).to_string();
    sqlx::query!("select set_config('statement_timeout', $1, true)", milliseconds)
        .fetch_one(&mut **transaction)
        .await?;
    Ok(())
}

/// What a statement found; nothing when it was ended for its time.
pub(super) fn unless_it_timed_out<T>(answer: sqlx::Result<T>) -> StoreResult<Option<T>> {
    match answer {
        Ok(found) => Ok(Some(found)),
        // 57014: query_canceled.
        Err(sqlx::Error::Database(fault)) if fault.code().as_deref() == Some("57014") => Ok(None),
        Err(fault) => Err(fault.into()),
    }
}

/// The ids of a page of those who match: before or after a user, the nearest first.
pub async fn page(
    db: &Db,
    filter: &UserFilter,
    before: Option<Uuid>,
    after: Option<Uuid>,
    limit: i64,
) -> StoreResult<Vec<Uuid>> {
    let mut transaction = as_sets(db).await?;
    let ids: Vec<Uuid> = if let Some(after) = after {
        let reading = everybody!(
            "select u.id",
            "and u.id > $7 order by u.id limit $8",
            filter,
            after,
            limit
        );
        let rows = within(reading.fetch_all(&mut *transaction)).await?;
        rows.into_iter().map(|row| row.id).collect()
    } else {
        let reading = everybody!(
            "select u.id",
            "and ($7::uuid is null or u.id < $7) order by u.id desc limit $8",
            filter,
            before,
            limit
        );
        let rows = within(reading.fetch_all(&mut *transaction)).await?;
        rows.into_iter().map(|row| row.id).collect()
    };
    commit(transaction).await?;
    Ok(ids)
}

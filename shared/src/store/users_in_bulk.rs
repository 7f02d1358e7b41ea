//! Queries on all users as a set.
//!
//! A page of a list checks one user after the other until it is full, which is fast if most match. Counting
//! the matching users, listing their ids, and pages with few matches concern all users: here the tables are
//! read once as a whole and joined.

use super::users::matching::users_matching;
use super::{Db, StoreResult, Transaction, begin, commit, within};
use crate::user_filter::UserFilter;
use serde::Deserialize;
use sqlx::{Acquire as _, PgConnection};
use std::time::Duration;
use uuid::Uuid;

/// Number of matching users.
pub async fn count(db: &Db, filter: &UserFilter) -> StoreResult<i64> {
    let mut transaction = as_sets(db).await?;
    let counting = users_matching!(query() r#"select count(*) as "n!" from users u"#, "", "", filter);
    let row = within(counting.fetch_one(&mut *transaction)).await?;
    commit(transaction).await?;
    Ok(row.n)
}

/// Begins a transaction for reading very many rows. Elsewhere a statement finds few rows by their ids, and
/// connections are configured for that (see [`super::connect`]); here tables are read as a whole and joined
/// by hashing, which is four times as fast for a hundred thousand users.
pub(super) async fn as_sets(db: &Db) -> StoreResult<Transaction> {
    let mut transaction = begin(db).await?;
    read_as_sets(&mut transaction).await?;
    Ok(transaction)
}

async fn read_as_sets(connection: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!(
        "select set_config('enable_nestloop', 'off', true) as nestloop,
                set_config('enable_seqscan', 'on', true) as seqscan,
                set_config('work_mem', '64MB', true) as memory"
    )
    .fetch_one(connection)
    .await?;
    Ok(())
}

/// The ids of all matching users, as `transaction` sees them.
pub(super) async fn ids(transaction: &mut Transaction, filter: &UserFilter) -> StoreResult<Vec<Uuid>> {
    // The settings for reading whole tables end with the savepoint.
    let mut reading = (&mut **transaction).begin().await?;
    read_as_sets(&mut reading).await?;
    let rows = users_matching!(query() "select u.id from users u", "", "order by u.id", filter);
    let rows = within(rows.fetch_all(&mut *reading)).await?;
    reading.rollback().await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

/// Number of matching users, or `None` if counting takes longer than `time`: a page does not wait for an
/// optional number.
pub async fn count_within(db: &Db, filter: &UserFilter, time: Duration) -> StoreResult<Option<i64>> {
    let mut transaction = as_sets(db).await?;
    set_statement_timeout(&mut transaction, time).await?;
    let counting = users_matching!(query() r#"select count(*) as "n!" from users u"#, "", "", filter);
    let counted = within(counting.fetch_one(&mut *transaction)).await;
    let Some(row) = none_if_timed_out(counted)? else {
        return Ok(None);
    };
    commit(transaction).await?;
    Ok(Some(row.n))
}

/// Sets a timeout for each further statement of a transaction.
pub(super) async fn set_statement_timeout(transaction: &mut Transaction, time: Duration) -> StoreResult<()> {
    let milliseconds = i64::try_from(time.as_millis()).unwrap_or(1_000).to_string();
    let setting = sqlx::query!("select set_config('statement_timeout', $1, true)", milliseconds);
    within(setting.fetch_one(&mut **transaction)).await?;
    Ok(())
}

/// The result of a statement, or `None` if it timed out.
pub(super) fn none_if_timed_out<T>(answer: StoreResult<T>) -> StoreResult<Option<T>> {
    match answer {
        Ok(found) => Ok(Some(found)),
        // 57014: query_canceled.
        Err(fault) if fault.code().as_deref() == Some("57014") => Ok(None),
        Err(fault) => Err(fault),
    }
}

/// The ids of a page of matching users: before or after a user, the nearest first.
pub async fn page(
    db: &Db,
    filter: &UserFilter,
    before: Option<Uuid>,
    after: Option<Uuid>,
    limit: i64,
) -> StoreResult<Vec<Uuid>> {
    let mut transaction = as_sets(db).await?;
    let ids: Vec<Uuid> = if let Some(after) = after {
        let reading = users_matching!(
            query() "select u.id from users u",
            "",
            "and u.id > $2 order by u.id limit $3",
            filter,
            after,
            limit
        );
        let rows = within(reading.fetch_all(&mut *transaction)).await?;
        rows.into_iter().map(|row| row.id).collect()
    } else {
        let reading = users_matching!(
            query() "select u.id from users u",
            "",
            "and ($2::uuid is null or u.id < $2) order by u.id desc limit $3",
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

crate::named_enum! {
    /// An order of users other than the one in which they were added.
    #[derive(Clone, Copy, Debug, Eq, PartialEq, Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub enum UserOrder {
        /// By last name, then first name; users without a name come last.
        LastName = "last_name",
        /// By their latest invite, newest first; users without one come last.
        Invited = "invited",
    }
}

/// Where a page begins.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PageEdge {
    /// After this user.
    After(Uuid),
    /// Before this user, nearest first.
    Before(Uuid),
}

impl PageEdge {
    const fn user(self) -> Uuid {
        match self {
            Self::After(user) | Self::Before(user) => user,
        }
    }
}

/// A statement about a page in an order: `$2` is the order and `$3` the user at its edge.
macro_rules! sorted {
    ($after:literal, $filter:expr, $order:expr, $edge:expr, $limit:expr) => {
        users_matching!(
            query()
            "with keys as (
                 select k.id, k.is_last, k.number, k.text
                 from (
                     select p.id,
                            case $2::text when 'invited' then s.sent_at is null
                                          else trim(p.last_name || p.first_name) = '' end as is_last,
                            case $2 when 'invited' then coalesce(-extract(epoch from s.sent_at)::float8, 0)
                                    else 0 end as number,
                            case $2 when 'invited' then '' else lower(trim(p.last_name || ' ' || p.first_name)) end as text
                     from users p left join last_sent s on s.user_id = p.id and s.kind = 'invite'
                 ) k
             )
             select u.id from users u join keys k on k.id = u.id",
            "",
            $after,
            $filter,
            $order.as_str(),
            $edge,
            $limit
        )
    };
}

/// The ids of a page of matching users in an order.
pub(super) async fn sorted_page(
    db: &Db,
    filter: &UserFilter,
    order: UserOrder,
    from: Option<PageEdge>,
    limit: i64,
) -> StoreResult<Vec<Uuid>> {
    let mut transaction = as_sets(db).await?;
    let ids: Vec<Uuid> = if let Some(PageEdge::Before(edge)) = from {
        let reading = sorted!(
            "and (k.is_last, k.number, k.text, u.id) < (select is_last, number, text, id from keys where id = $3)
             order by k.is_last desc, k.number desc, k.text desc, u.id desc limit $4",
            filter,
            order,
            edge,
            limit
        );
        let rows = within(reading.fetch_all(&mut *transaction)).await?;
        rows.into_iter().map(|row| row.id).collect()
    } else {
        let edge = from.map(PageEdge::user);
        let reading = sorted!(
            "and ($3::uuid is null or (k.is_last, k.number, k.text, u.id)
                  > (select is_last, number, text, id from keys where id = $3))
             order by k.is_last, k.number, k.text, u.id limit $4",
            filter,
            order,
            edge,
            limit
        );
        let rows = within(reading.fetch_all(&mut *transaction)).await?;
        rows.into_iter().map(|row| row.id).collect()
    };
    commit(transaction).await?;
    Ok(ids)
}

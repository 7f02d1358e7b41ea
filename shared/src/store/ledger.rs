//! Pages of the ledger, filtered by outcome and by user.
//!
//! Pages use a keyset cursor, so the thousandth costs as much as the first, and a row that moves between
//! pages is not shown twice.

use super::cursor::PageCursor;
use super::deliveries::{Delivery, deliveries};
use super::users::matching::pattern;
use super::{Db, StoreResult, Transaction, begin, within};
use crate::delivery::DeliveryState;
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

/// Which deliveries of a batch to list. Unset or empty parts match everything.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct DeliveryFilter {
    /// The states.
    pub states: Vec<DeliveryState>,
    /// The reasons.
    pub reasons: Vec<String>,
    /// Only mails that may have been received twice, in any state.
    pub only_unsure: bool,
    /// Part of the user's name, or of a current or former address.
    pub search: Option<String>,
    /// The key of such an address, which is found without reading the whole batch.
    pub email_key: Option<String>,
}

impl DeliveryFilter {
    fn state_names(&self) -> Vec<String> {
        self.states.iter().map(|state| state.as_str().to_owned()).collect()
    }

    fn pattern(&self) -> Option<String> {
        self.search.as_deref().and_then(pattern)
    }
}

macro_rules! filtered {
    ($batch:expr, $filter:expr, $people:expr; $($rest:literal)+; $($argument:expr),*) => {
        deliveries!(
            "where d.batch_id = $1
               and ($2::text[] = '{}'
                    or shown_state(d.batch_id, d.id, d.state, d.retry_at) = any($2::text[]::delivery_state[]))
               and ($3::text[] = '{}' or d.reason = any($3))
               and (not $4::boolean or d.unsure)
               and ($5::text is null or lower(d.test_address) like lower($5)
                    or case when $7::uuid[] is null
                            then u.search like lower($5)
                                 or d.user_id in (select user_id from former_addresses where lower(email) like lower($5))
                            else d.user_id = any($7) end)
               and ($6::text is null or d.user_id = any(array(
                   select id from users where email_key = $6
                   union
                   select user_id from former_addresses where email_key = $6))) "
            $($rest)+;
            $batch,
            &$filter.state_names(),
            &$filter.reasons,
            $filter.only_unsure,
            $filter.pattern(),
            $filter.email_key,
            $people.as_deref(),
            $($argument),*
        )
    };
}

/// The users that match a search, unless there are too many. Finding a user among all and then their mail is
/// far faster than looking up the user of each mail in a large batch.
async fn people(db: &Db, filter: &DeliveryFilter) -> StoreResult<Option<Vec<Uuid>>> {
    let Some(pattern) = filter.pattern() else {
        return Ok(None);
    };
    let reading = sqlx::query_scalar!(
        r#"select id as "id!" from users where search like lower($1)
           union
           select user_id from former_addresses where lower(email) like lower($1)
           limit $2"#,
        pattern,
        MAX_PEOPLE + 1
    );
    let ids = within(reading.fetch_all(db)).await?;
    let are_few = i64::try_from(ids.len()).is_ok_and(|n| n <= MAX_PEOPLE);
    Ok(are_few.then_some(ids))
}

/// A transaction whose statements get the order of their rows from an index. A table filled a minute ago has
/// no statistics, and Postgres would sort a whole batch for its first fifty rows.
async fn in_order(db: &Db) -> StoreResult<Transaction> {
    let mut transaction = begin(db).await?;
    within(sqlx::query!("select set_config('enable_sort', 'off', true)").fetch_one(&mut *transaction)).await?;
    Ok(transaction)
}

/// Deliveries of a batch in the order of selection. Call it only in a task that is never dropped.
pub async fn list(
    db: &Db,
    batch: Uuid,
    filter: &DeliveryFilter,
    cursor: PageCursor<Uuid>,
    limit: i64,
) -> StoreResult<Vec<Delivery>> {
    let people = people(db, filter).await?;
    if let PageCursor::Before(before) = cursor {
        let found = filtered!(batch, filter, people; "and d.id < $8 order by d.id desc limit $9"; before, limit);
        let mut transaction = in_order(db).await?;
        return within(found.fetch_all(&mut *transaction)).await;
    }
    let found = filtered!(
        batch, filter, people;
        "and ($8::uuid is null or d.id > $8) order by d.id limit $9";
        cursor.after(),
        limit
    );
    let mut transaction = in_order(db).await?;
    within(found.fetch_all(&mut *transaction)).await
}

/// Deliveries of a batch that had trouble, the latest trouble first. Of the filter's states only those of
/// trouble apply.
pub async fn trouble(
    db: &Db,
    batch: Uuid,
    filter: &DeliveryFilter,
    cursor: PageCursor<(OffsetDateTime, Uuid)>,
    limit: i64,
) -> StoreResult<Vec<Delivery>> {
    let people = people(db, filter).await?;
    // Both use the index `deliveries_trouble`.
    if let PageCursor::Before((trouble_at, id)) = cursor {
        let found = filtered!(
            batch, filter, people;
            "and d.trouble_at is not null and d.state in ('retrying', 'failed', 'suppressed', 'expired')
             and (d.trouble_at, d.id) > ($8, $9)
             order by d.trouble_at, d.id limit $10";
            trouble_at,
            id,
            limit
        );
        let mut transaction = in_order(db).await?;
        return within(found.fetch_all(&mut *transaction)).await;
    }
    let (trouble_at, id) = cursor.after().unzip();
    let found = filtered!(
        batch, filter, people;
        "and d.trouble_at is not null and d.state in ('retrying', 'failed', 'suppressed', 'expired')
         and ($8::timestamptz is null or (d.trouble_at, d.id) < ($8, $9::uuid))
         order by d.trouble_at desc, d.id desc limit $10";
        trouble_at,
        id,
        limit
    );
    let mut transaction = in_order(db).await?;
    within(found.fetch_all(&mut *transaction)).await
}

/// All mails ever owed to a user, newest first, older than the delivery `before`.
pub async fn of_user(db: &Db, user: Uuid, before: Option<Uuid>, limit: i64) -> StoreResult<Vec<Delivery>> {
    let found = deliveries!(
        "where d.user_id = $1 and ($2::uuid is null or d.id < $2) order by d.id desc limit $3";
        user,
        before,
        limit
    );
    within(found.fetch_all(db)).await
}

/// Maximum number of users in a search for mails. A search that matches more is too short.
pub const MAX_PEOPLE: i64 = 200;

/// Mails to users whose name, or current or former address, contains `search`, newest first, older than the
/// delivery `before`.
pub async fn to_people(db: &Db, search: &str, before: Option<Uuid>, limit: i64) -> StoreResult<Vec<Delivery>> {
    let found = deliveries!(
        "where d.user_id in (
             select id from users
             where search like lower($1)
                or id in (select user_id from former_addresses where lower(email) like lower($1))
             order by id desc
             limit $2)
           and ($3::uuid is null or d.id < $3)
         order by d.id desc limit $4";
        pattern(search).unwrap_or_default(),
        MAX_PEOPLE,
        before,
        limit
    );
    within(found.fetch_all(db)).await
}

/// A line of a batch's report: a user's imported data and the outcome of their mail.
#[derive(Clone, Debug)]
pub struct ReportLine {
    /// The delivery, as cursor for paging.
    pub id: Uuid,
    /// The address that it was or will be sent to.
    pub email: String,
    /// First name, or empty.
    pub first_name: String,
    /// Last name, or empty.
    pub last_name: String,
    /// The other merge fields: an object of strings.
    pub fields: Value,
    /// The state of the mail.
    pub state: DeliveryState,
    /// The reason for its state.
    pub reason: Option<String>,
    /// When it entered this state.
    pub moved_at: OffsetDateTime,
    /// Number of attempts that have begun.
    pub attempts: i32,
    /// Whether it may have been received twice.
    pub unsure: bool,
    /// The relay's words at the last attempt that was refused or deferred.
    pub reply: Option<String>,
}

/// Lines of a batch's report, after the delivery `after`.
pub async fn report(db: &Db, batch: Uuid, after: Option<Uuid>, limit: i64) -> StoreResult<Vec<ReportLine>> {
    let reading = sqlx::query_as!(
        ReportLine,
        r#"select d.id, coalesce(former.email, u.email, d.test_address, '') as "email!",
                  coalesce(u.first_name, '') as "first_name!",
                  coalesce(u.last_name, '') as "last_name!", coalesce(u.fields, '{}') as "fields!",
                  shown_state(d.batch_id, d.id, d.state, d.retry_at) as "state!: DeliveryState", d.reason, d.moved_at, d.attempt as attempts, d.unsure,
                  a.reply as "reply?"
           from deliveries d
           left join users u on u.id = d.user_id
           left join lateral former_address_of(d.user_id, d.id, d.attempt, d.state, d.moved_at) former on true
           -- A sent email needs no correction, and looking up the reply is the most expensive part of the report.
           left join lateral (
               select reply from attempts where delivery_id = d.id and n = d.attempt and d.state <> 'sent' offset 0
           ) a on true
           where d.batch_id = $1 and ($2::uuid is null or d.id > $2)
           order by d.id
           limit $3"#,
        batch,
        after,
        limit,
    );
    within(reading.fetch_all(db)).await
}

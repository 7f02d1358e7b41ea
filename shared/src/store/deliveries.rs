//! The ledger's lines, for reading.

use super::users::pattern;
use super::{Db, StoreResult};
use crate::batch::BatchState;
use crate::delivery::DeliveryState;
use crate::system_email::SystemEmailKind;
use time::OffsetDateTime;
use uuid::Uuid;

/// One line of the ledger.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Its id.
    pub id: Uuid,
    /// Its batch,
    pub batch: Uuid,
    /// where that one stands,
    pub batch_state: BatchState,
    /// and which system email it sends.
    pub kind: SystemEmailKind,
    /// The person, as long as they exist.
    pub user: Option<Uuid>,
    /// Their address as typed; of a test mail, the address it goes to.
    pub email: Option<String>,
    /// Their first name, or empty.
    pub first_name: Option<String>,
    /// Their last name, or empty.
    pub last_name: Option<String>,
    /// Where it stands.
    pub state: DeliveryState,
    /// Why.
    pub reason: Option<String>,
    /// How many attempts have begun.
    pub attempts: i32,
    /// When it is due, while it waits.
    pub due_at: Option<OffsetDateTime>,
    /// Since when it is in this state.
    pub moved_at: OffsetDateTime,
    /// When the relay took it.
    pub sent_at: Option<OffsetDateTime>,
    /// Whether the person may have it twice.
    pub unsure: bool,
}

macro_rules! deliveries {
    ($rest:literal, $($argument:expr),*) => {
        sqlx::query_as!(
            Delivery,
            r#"select d.id, d.batch_id as batch, b.state as "batch_state: BatchState",
                      b.kind as "kind: SystemEmailKind",
                      u.id as "user?", coalesce(u.email, d.test_address) as email,
                      u.first_name as "first_name?", u.last_name as "last_name?",
                      d.state as "state: DeliveryState", d.reason, d.attempt as attempts,
                      case when d.state in ('waiting', 'retrying') then greatest(d.due_at, b.start_at) end as due_at,
                      d.moved_at, d.sent_at, d.unsure
               from deliveries d join batches b on b.id = d.batch_id left join users u on u.id = d.user_id "# + $rest,
            $($argument),*
        )
    };
}

/// Deliveries of a batch, after the delivery `after`.
pub async fn of_batch(
    db: &Db,
    batch: Uuid,
    state: Option<DeliveryState>,
    after: Option<Uuid>,
    limit: i64,
) -> StoreResult<Vec<Delivery>> {
    let found = deliveries!(
        "where d.batch_id = $1 and ($2::delivery_state is null or d.state = $2) and ($3::uuid is null or d.id > $3)
         order by d.id
         limit $4",
        batch,
        state as _,
        after,
        limit
    );
    Ok(found.fetch_all(db).await?)
}

/// One delivery.
pub async fn find(db: &Db, id: Uuid) -> StoreResult<Option<Delivery>> {
    Ok(deliveries!("where d.id = $1", id).fetch_optional(db).await?)
}

/// Which deliveries of a batch to list. Parts that are absent or empty match everything.
#[derive(Clone, Debug, Default)]
pub struct DeliveryFilter {
    /// In one of these states.
    pub states: Vec<DeliveryState>,
    /// For this reason.
    pub reason: Option<String>,
    /// Part of the person's address or name,
    pub search: Option<String>,
    /// or the identity of their address, which is found without reading the whole batch.
    pub email_key: Option<String>,
}

impl DeliveryFilter {
    fn state_names(&self) -> Vec<String> {
        self.states.iter().map(|state| state.as_str().to_owned()).collect()
    }
}

/// Deliveries of a batch in the order in which their people were chosen, after the delivery
/// `after`.
pub async fn list(
    db: &Db,
    batch: Uuid,
    filter: &DeliveryFilter,
    after: Option<Uuid>,
    limit: i64,
) -> StoreResult<Vec<Delivery>> {
    let found = deliveries!(
        "where d.batch_id = $1
           and ($2::text[] = '{}' or d.state = any($2::text[]::delivery_state[]))
           and ($3::text is null or d.reason = $3)
           and ($4::text is null
                or u.email ilike $4 or u.first_name || ' ' || u.last_name ilike $4 or d.test_address ilike $4)
           and ($5::text is null or d.user_id = (select id from users where email_key = $5))
           and ($6::uuid is null or d.id > $6)
         order by d.id
         limit $7",
        batch,
        &filter.state_names(),
        filter.reason,
        filter.search.as_deref().and_then(pattern),
        filter.email_key,
        after,
        limit
    );
    Ok(found.fetch_all(db).await?)
}

/// Deliveries of a batch in which something went wrong, the newest trouble first, after one that
/// moved at a time and has an id. Of the filter's states only those of trouble count.
pub async fn trouble(
    db: &Db,
    batch: Uuid,
    filter: &DeliveryFilter,
    after: Option<(OffsetDateTime, Uuid)>,
    limit: i64,
) -> StoreResult<Vec<Delivery>> {
    let (moved_at, id) = after.unzip();
    let found = deliveries!(
        // The states of the index `deliveries_trouble`, by which they are found.
        "where d.batch_id = $1 and d.state in ('retrying', 'failed', 'suppressed', 'expired')
           and ($2::text[] = '{}' or d.state = any($2::text[]::delivery_state[]))
           and ($3::text is null or d.reason = $3)
           and ($4::text is null
                or u.email ilike $4 or u.first_name || ' ' || u.last_name ilike $4 or d.test_address ilike $4)
           and ($5::text is null or d.user_id = (select id from users where email_key = $5))
           and ($6::timestamptz is null or (d.moved_at, d.id) < ($6, $7::uuid))
         order by d.moved_at desc, d.id desc
         limit $8",
        batch,
        &filter.state_names(),
        filter.reason,
        filter.search.as_deref().and_then(pattern),
        filter.email_key,
        moved_at,
        id,
        limit
    );
    Ok(found.fetch_all(db).await?)
}

/// All mails that were ever owed to somebody, newest first, older than the delivery `before`.
pub async fn of_user(db: &Db, user: Uuid, before: Option<Uuid>, limit: i64) -> StoreResult<Vec<Delivery>> {
    let found = deliveries!(
        "where d.user_id = $1 and ($2::uuid is null or d.id < $2) order by d.id desc limit $3",
        user,
        before,
        limit
    );
    Ok(found.fetch_all(db).await?)
}

/// Somebody who was chosen and got no delivery.
#[derive(Clone, Debug)]
pub struct LeftOut {
    /// For paging.
    pub id: i64,
    /// The person, if we know one.
    pub user: Option<Uuid>,
    /// Their address, or what was given.
    pub email: Option<String>,
    /// Why.
    pub reason: String,
}

/// Who was left out of a batch, after the line `after`.
pub async fn left_out(db: &Db, batch: Uuid, after: i64, limit: i64) -> StoreResult<Vec<LeftOut>> {
    let left_out = sqlx::query_as!(
        LeftOut,
        r#"select l.id, u.id as "user?", coalesce(u.email, l.given) as email, l.reason
           from left_out l left join users u on u.id = l.user_id
           where l.batch_id = $1 and l.id > $2 order by l.id limit $3"#,
        batch,
        after,
        limit,
    )
    .fetch_all(db)
    .await?;
    Ok(left_out)
}

/// The users of a batch's deliveries that ended (or not) in one of these states.
pub async fn users_in_states(db: &Db, batch: Uuid, states: &[DeliveryState]) -> StoreResult<Vec<Uuid>> {
    let states: Vec<String> = states.iter().map(|state| state.as_str().to_owned()).collect();
    let rows = sqlx::query!(
        r#"select user_id as "user!" from deliveries
           where batch_id = $1 and user_id is not null and state = any($2::text[]::delivery_state[])
           order by id"#,
        batch,
        &states,
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| row.user).collect())
}

//! The ledger's lines, for reading.

use super::{Db, StoreResult};
use crate::delivery::DeliveryState;
use time::OffsetDateTime;
use uuid::Uuid;

/// One line of the ledger.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Its id.
    pub id: Uuid,
    /// Its batch.
    pub batch: Uuid,
    /// The person, as long as they exist.
    pub user: Option<Uuid>,
    /// Their address as typed; of a test mail, the address it goes to.
    pub email: Option<String>,
    /// Where it stands.
    pub state: DeliveryState,
    /// Why.
    pub reason: Option<String>,
    /// How many attempts have begun.
    pub attempts: i32,
    /// When it is due, while it waits.
    pub due_at: Option<OffsetDateTime>,
    /// When the relay took it.
    pub sent_at: Option<OffsetDateTime>,
    /// Whether the person may have it twice.
    pub unsure: bool,
}

/// Deliveries of a batch, after the delivery `after`.
pub async fn of_batch(
    db: &Db,
    batch: Uuid,
    state: Option<DeliveryState>,
    after: Option<Uuid>,
    limit: i64,
) -> StoreResult<Vec<Delivery>> {
    let deliveries = sqlx::query_as!(
        Delivery,
        r#"select d.id, d.batch_id as batch, u.id as "user?", coalesce(u.email, d.test_address) as email,
                  d.state as "state: DeliveryState", d.reason, d.attempt as attempts,
                  case when d.state in ('waiting', 'retrying') then d.due_at end as due_at, d.sent_at, d.unsure
           from deliveries d left join users u on u.id = d.user_id
           where d.batch_id = $1 and ($2::delivery_state is null or d.state = $2) and ($3::uuid is null or d.id > $3)
           order by d.id
           limit $4"#,
        batch,
        state as _,
        after,
        limit,
    )
    .fetch_all(db)
    .await?;
    Ok(deliveries)
}

/// One delivery.
pub async fn find(db: &Db, id: Uuid) -> StoreResult<Option<Delivery>> {
    let delivery = sqlx::query_as!(
        Delivery,
        r#"select d.id, d.batch_id as batch, u.id as "user?", coalesce(u.email, d.test_address) as email,
                  d.state as "state: DeliveryState", d.reason, d.attempt as attempts,
                  case when d.state in ('waiting', 'retrying') then d.due_at end as due_at, d.sent_at, d.unsure
           from deliveries d left join users u on u.id = d.user_id
           where d.id = $1"#,
        id,
    )
    .fetch_optional(db)
    .await?;
    Ok(delivery)
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

//! Reads deliveries, the lines of the ledger.

use super::cursor::PageCursor;
use super::{Db, StoreResult, Transaction, until_moved, within};
use crate::batch::BatchState;
use crate::delivery::DeliveryState;
use crate::system_email::SystemEmailKind;
use time::OffsetDateTime;
use uuid::Uuid;

/// A line of the ledger.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Its id.
    pub id: Uuid,
    /// Its batch.
    pub batch: Uuid,
    /// The state of the batch.
    pub batch_state: BatchState,
    /// The system email of the batch.
    pub kind: SystemEmailKind,
    /// The user, while they exist.
    pub user: Option<Uuid>,
    /// The address, as typed, that it was or will be sent to.
    pub email: Option<String>,
    /// The user's current address, if it differs.
    pub corrected_to: Option<String>,
    /// First name, or empty.
    pub first_name: Option<String>,
    /// Last name, or empty.
    pub last_name: Option<String>,
    /// Its state.
    pub state: DeliveryState,
    /// The reason for its state.
    pub reason: Option<String>,
    /// Number of attempts that have begun.
    pub attempts: i32,
    /// When it is due, while it waits.
    pub due_at: Option<OffsetDateTime>,
    /// When it entered this state.
    pub moved_at: OffsetDateTime,
    /// When it last had trouble.
    pub trouble_at: Option<OffsetDateTime>,
    /// When the relay accepted it.
    pub sent_at: Option<OffsetDateTime>,
    /// Whether it may have been received twice.
    pub unsure: bool,
    /// When its address was blocked, if that is why it was not sent.
    pub blocked_at: Option<OffsetDateTime>,
}

/// A query on deliveries that includes their users.
macro_rules! deliveries {
    ($($rest:literal)+; $($argument:expr),*) => {
        sqlx::query_as!(
            crate::store::deliveries::Delivery,
            r#"select d.id, d.batch_id as batch, b.state as "batch_state: crate::batch::BatchState",
                      b.kind as "kind: crate::system_email::SystemEmailKind",
                      u.id as "user?", coalesce(former.email, u.email, d.test_address) as email,
                      case when former.email is not null then u.email end as corrected_to,
                      u.first_name as "first_name?", u.last_name as "last_name?",
                      shown_state(d.batch_id, d.id, d.state, d.retry_at) as "state!: crate::delivery::DeliveryState",
                      d.reason, d.attempt as attempts,
                      case when shown_state(d.batch_id, d.id, d.state, d.retry_at) in ('waiting', 'retrying')
                           then greatest(d.retry_at, b.start_at) end as due_at,
                      d.moved_at, d.trouble_at, d.sent_at, d.unsure,
                      case when d.state = 'suppressed' then (
                          select blocked_at from blocked_addresses
                          where email_key = coalesce(former.email_key, u.email_key)
                      ) end as blocked_at
               from deliveries d join batches b on b.id = d.batch_id left join users u on u.id = d.user_id
               left join lateral former_address_of(d.user_id, d.id, d.attempt, d.state, d.moved_at) former on true "#
                $(+ $rest)+,
            $($argument),*
        )
    };
}

pub(super) use deliveries;

/// Deliveries of a batch, after the delivery `after`.
pub async fn of_batch(
    db: &Db,
    batch: Uuid,
    state: Option<DeliveryState>,
    after: Option<Uuid>,
    limit: i64,
) -> StoreResult<Vec<Delivery>> {
    let found = deliveries!(
        "where d.batch_id = $1 and ($2::delivery_state is null or shown_state(d.batch_id, d.id, d.state, d.retry_at) = $2) and ($3::uuid is null or d.id > $3)
         order by d.id
         limit $4";
        batch,
        state as _,
        after,
        limit
    );
    within(found.fetch_all(db)).await
}

/// The delivery with this id.
pub async fn find(db: &Db, id: Uuid) -> StoreResult<Option<Delivery>> {
    within(deliveries!("where d.id = $1"; id).fetch_optional(db)).await
}

/// A selected user without a delivery.
#[derive(Clone, Debug)]
pub struct LeftOut {
    /// Cursor for paging.
    pub id: i64,
    /// The user, if known.
    pub user: Option<Uuid>,
    /// Their address at that time, or the one given.
    pub email: Option<String>,
    /// Their first and last name.
    pub name: Option<String>,
    /// The reason.
    pub reason: String,
    /// Whether the reason was a blocked address that is still blocked.
    pub is_blocked: bool,
}

macro_rules! left_out {
    ($rest:literal; $($argument:expr),*) => {
        sqlx::query_as!(
            LeftOut,
            r#"select l.id, u.id as "user?", coalesce(former.email, u.email, l.given) as email,
                      u.first_name || ' ' || u.last_name as "name?", l.reason,
                      l.reason = 'address_blocked'
                          and exists (
                              select from blocked_addresses
                              where email_key = coalesce(former.email_key, u.email_key)) as "is_blocked!"
               from left_out l join batches b on b.id = l.batch_id left join users u on u.id = l.user_id
               left join lateral former_address(l.user_id, b.created_at) former on true
               where l.batch_id = $1 "#
                + $rest,
            $($argument),*
        )
    };
}

/// The users left out of a batch, in the order of selection.
pub async fn left_out(db: &Db, batch: Uuid, cursor: PageCursor<i64>, limit: i64) -> StoreResult<Vec<LeftOut>> {
    if let PageCursor::Before(before) = cursor {
        let found = left_out!("and l.id < $2 order by l.id desc limit $3"; batch, before, limit);
        return within(found.fetch_all(db)).await;
    }
    let after = cursor.after().unwrap_or_default();
    let found = left_out!("and l.id > $2 order by l.id limit $3"; batch, after, limit);
    within(found.fetch_all(db)).await
}

/// Makes a mail that waits for a retry due now, and wakes the dispatcher.
pub async fn retry_now(transaction: &mut Transaction, id: Uuid) -> StoreResult<bool> {
    let hurrying = sqlx::query!(
        r#"with hurried as (
               update deliveries set retry_at = now()
               where id = $1 and state in ('waiting', 'retrying') and retry_at > now() returning id
           )
           select count(*) as "n!", pg_notify('beckon_work', '') is null as told from hurried"#,
        id,
    );
    Ok(within(hurrying.fetch_one(&mut **transaction)).await?.n > 0)
}

/// Cancels a mail that no worker has claimed. The claim drops its queued job.
pub async fn withdraw(transaction: &mut Transaction, id: Uuid) -> StoreResult<bool> {
    let withdrawing = sqlx::query!(
        "update deliveries set state = 'cancelled', reason = 'withdrawn', moved_at = now(), retry_at = null
         where id = $1 and state in ('waiting', 'queued', 'retrying')",
        id,
    );
    Ok(within(withdrawing.execute(&mut **transaction)).await?.rows_affected() > 0)
}

/// The users of a batch's deliveries in any of these states.
pub async fn users_in_states(db: &Db, batch: Uuid, states: &[DeliveryState]) -> StoreResult<Vec<Uuid>> {
    let states: Vec<String> = states.iter().map(|state| state.as_str().to_owned()).collect();
    let reading = sqlx::query_scalar!(
        r#"select user_id as "user!" from deliveries
           where batch_id = $1 and user_id is not null
             and shown_state(batch_id, id, state, retry_at) = any($2::text[]::delivery_state[])
           order by id"#,
        batch,
        &states,
    );
    until_moved(reading.fetch_all(db)).await
}

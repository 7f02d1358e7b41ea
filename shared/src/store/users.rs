//! Users.

pub mod added;
mod changed;
mod export;
pub mod lock;
pub mod mails;
pub(crate) mod matching;

pub use export::export;

use super::audit::{Action, Actor, AuditEntry};
use super::users_in_bulk::{self, none_if_timed_out, set_statement_timeout};
pub use super::users_in_bulk::{PageEdge, UserOrder};
use super::{Db, StoreResult, begin, commit, despite_deadlocks, until_moved, within};
use crate::batch::BatchState;
use crate::user_filter::UserFilter;
use serde_json::Value;
use std::time::Duration;
use time::OffsetDateTime;
use uuid::Uuid;

pub use changed::{Change, Changed, Ended, change};
use matching::users_matching;

/// A user, with their latest invite and password.
#[derive(Clone, Debug)]
pub struct User {
    /// The id.
    pub id: Uuid,
    /// Address as typed.
    pub email: String,
    /// First name, or empty.
    pub first_name: String,
    /// Last name, or empty.
    pub last_name: String,
    /// Language tag, or empty.
    pub language: String,
    /// Other merge fields: an object of strings.
    pub fields: Value,
    /// When they were first imported.
    pub created_at: OffsetDateTime,
    /// When they first signed in.
    pub signed_in_at: Option<OffsetDateTime>,
    /// The state of the latest invite.
    pub invite_state: Option<crate::delivery::DeliveryState>,
    /// The reason for it.
    pub invite_reason: Option<String>,
    /// The state of its batch.
    pub invite_batch_state: Option<BatchState>,
    /// Its delivery.
    pub invite: Option<Uuid>,
    /// The address it was sent to, if it is not their current one.
    pub invite_former_email: Option<String>,
    /// When it was sent.
    pub invite_sent_at: Option<OffsetDateTime>,
    /// Whether they have chosen a password.
    pub has_chosen: bool,
    /// When the latest mailed password expires or expired.
    pub password_expires_at: Option<OffsetDateTime>,
    /// Whether it has expired.
    pub password_has_expired: bool,
    /// Since when their address is blocked.
    pub blocked_at: Option<OffsetDateTime>,
    /// Since when they can neither sign in nor be sent a password.
    pub locked_at: Option<OffsetDateTime>,
}

impl User {
    /// Their name, or their address if they have none.
    pub fn called(&self) -> String {
        let name = format!("{} {}", self.first_name, self.last_name).trim().to_owned();
        if name.is_empty() { self.email.clone() } else { name }
    }
}

/// A statement about the users who match a filter, continued after the condition.
///
/// `offset 0` makes Postgres look up related rows by user. Otherwise it may read a whole batch or import for each
/// of fifty users, as long as it has no statistics of a table that is minutes old.
macro_rules! matching {
    ($filter:expr, $rest:literal $(, $argument:expr)*) => {
        users_matching!(
            query_as(User,)
            r#"select u.id, u.email, u.first_name, u.last_name, u.language, u.fields, u.created_at, u.signed_in_at,
                      invite.id as "invite?", invite.reason as "invite_reason?", former.email as "invite_former_email?",
                      -- Of an invite whose details are gone, it is known that it was sent.
                      coalesce(invite.state, case when got.sent_at is not null then 'sent'::delivery_state end)
                          as "invite_state?: crate::delivery::DeliveryState",
                      coalesce(invite.batch_state, case when got.sent_at is not null then 'finished'::batch_state end)
                          as "invite_batch_state?: BatchState",
                      case when invite.id is null then got.sent_at else invite.sent_at end as "invite_sent_at?",
                      coalesce(access.has_chosen, false) as "has_chosen!",
                      access.expires_at as "password_expires_at?",
                      coalesce(access.expires_at <= now(), false) as "password_has_expired!",
                      blocked.blocked_at as "blocked_at?",
                      u.locked_at
               from users u
               left join blocked_addresses blocked on blocked.email_key = u.email_key
               left join lateral (
                   select d.id, shown_state(d.batch_id, d.id, d.state, d.retry_at) as state, d.reason, d.attempt,
                          d.moved_at, d.sent_at, b.state as batch_state
                   from (select * from deliveries where user_id = u.id order by id desc offset 0) d
                   cross join lateral (select kind, state from batches where id = d.batch_id offset 0) b
                   where b.kind = 'invite'
                   order by d.id desc
                   limit 1
               ) invite on true
               left join lateral former_address_of(u.id, invite.id, invite.attempt, invite.state, invite.moved_at) former
                   on true
               left join last_sent got on got.user_id = u.id and got.kind = 'invite'
               left join lateral (
                   select bool_or(c.kind = 'chosen') as has_chosen, max(c.expires_at) as expires_at
                   from credentials c
                   where c.user_id = u.id
               ) access on true"#,
            "offset 0",
            $rest,
            $filter
            $(, $argument)*
        )
    };
}

/// A page of users in order of creation (to the millisecond), after the user `after`.
pub async fn list(db: &Db, filter: &UserFilter, after: Option<Uuid>, limit: i64) -> StoreResult<Vec<User>> {
    let rows = matching!(
        filter,
        "and ($2::uuid is null or u.id > $2) order by u.id limit $3",
        after,
        limit
    );
    within(rows.fetch_all(db)).await
}

/// How long a page checks users one by one before it reads whole tables.
const LOOKING: Duration = Duration::from_millis(100);

/// A page of users, nearest first: before or after a user, or the newest. If few of very many users match, so that
/// checking them one by one takes too long, whole tables are read instead.
pub async fn page(
    db: &Db,
    filter: &UserFilter,
    before: Option<Uuid>,
    after: Option<Uuid>,
    limit: i64,
) -> StoreResult<Vec<User>> {
    let mut transaction = begin(db).await?;
    set_statement_timeout(&mut transaction, LOOKING).await?;
    let looking = if after.is_some() {
        let rows = matching!(filter, "and u.id > $2 order by u.id limit $3", after, limit);
        within(rows.fetch_all(&mut *transaction)).await
    } else {
        let rows = matching!(
            filter,
            "and ($2::uuid is null or u.id < $2) order by u.id desc limit $3",
            before,
            limit
        );
        within(rows.fetch_all(&mut *transaction)).await
    };
    if let Some(found) = none_if_timed_out(looking)? {
        commit(transaction).await?;
        return Ok(found);
    }
    drop(transaction);
    let ids = users_in_bulk::page(db, filter, before, after, limit).await?;
    in_order(db, &ids).await
}

/// A page of users in an order other than the one in which they were added.
///
/// # Errors
///
/// If Postgres is unavailable.
pub async fn sorted_page(
    db: &Db,
    filter: &UserFilter,
    order: UserOrder,
    from: Option<PageEdge>,
    limit: i64,
) -> StoreResult<Vec<User>> {
    let ids = users_in_bulk::sorted_page(db, filter, order, from, limit).await?;
    in_order(db, &ids).await
}

/// The users with these ids, in this order.
async fn in_order(db: &Db, ids: &[Uuid]) -> StoreResult<Vec<User>> {
    let mut found = within(matching!(&UserFilter::default(), "and u.id = any($2)", ids).fetch_all(db)).await?;
    found.sort_by_key(|user| ids.iter().position(|id| *id == user.id));
    Ok(found)
}

/// The user with this id.
pub async fn find(db: &Db, id: Uuid) -> StoreResult<Option<User>> {
    let row = matching!(&UserFilter::default(), "and u.id = $2", id);
    within(row.fetch_optional(db)).await
}

/// The user with this normalised address.
pub async fn by_address(db: impl sqlx::PgExecutor<'_>, email_key: &str) -> StoreResult<Option<Uuid>> {
    let reading = sqlx::query_scalar!("select id from users where email_key = $1", email_key);
    within(reading.fetch_optional(db)).await
}

/// Up to `most` of these ids that belong to no user, in the given order.
pub async fn unknown(db: impl sqlx::PgExecutor<'_>, ids: &[Uuid], most: i64) -> StoreResult<Vec<Uuid>> {
    let reading = sqlx::query_scalar!(
        r#"select given.id as "id!"
           from unnest($1::uuid[]) with ordinality as given (id, n)
           where not exists (select from users where id = given.id)
           order by given.n
           limit $2"#,
        ids,
        most,
    );
    within(reading.fetch_all(db)).await
}

/// The users among these who match.
pub async fn matching_ids(db: &Db, filter: &UserFilter, ids: &[Uuid]) -> StoreResult<Vec<Uuid>> {
    let rows = matching!(filter, "and u.id = any($2)", ids);
    Ok(within(rows.fetch_all(db))
        .await?
        .into_iter()
        .map(|user| user.id)
        .collect())
}

/// The user with this normalised address.
pub async fn find_by_key(db: &Db, email_key: &str) -> StoreResult<Option<User>> {
    match by_address(db, email_key).await? {
        Some(id) => find(db, id).await,
        None => Ok(None),
    }
}

/// Deletes a user and everything that identifies them, and records that `actor` did.
///
/// Their pending mails are cancelled. The ledger keeps their lines with an id that leads nowhere, so that its totals
/// stay. Rejected rows and stored responses are found by the address, and by a former one unless another user has it
/// now. The block of their address is deleted as well: after another import, one more mail to it may fail.
///
/// Their address stays on do-not-mail lists as a digest, so that it is not mailed if they are imported again.
///
/// A file that is uploaded and not stored yet is not searched. It is discarded after a week. If it is stored before
/// that, it adds the user again.
pub async fn delete(db: &Db, id: Uuid, actor: &Actor) -> StoreResult<bool> {
    despite_deadlocks(|| erase(db, id, actor)).await
}

async fn erase(db: &Db, id: Uuid, actor: &Actor) -> StoreResult<bool> {
    let mut transaction = begin(db).await?;
    let erasing = sqlx::query_file!("src/store/users/erase.sql", id);
    let row = until_moved(erasing.fetch_one(&mut *transaction)).await?;
    if row.n == 0 {
        return Ok(false);
    }
    AuditEntry::new(actor, Action::UserDeleted)
        .subject("user", id)
        .record(&mut transaction)
        .await?;
    commit(transaction).await?;
    // A worker that was recording an outcome waited for the rows above and has written the relay's reply after that.
    // A worker that begins now finds no user and writes none.
    let changing = sqlx::query!(
        "update attempts a set reply = null
         from deliveries d
         where a.delivery_id = d.id and d.user_id = $1 and a.reply is not null",
        id,
    );
    until_moved(changing.execute(db)).await?;
    Ok(true)
}

/// The names of all imported merge fields.
pub async fn field_names(db: &Db) -> StoreResult<Vec<String>> {
    within(sqlx::query_scalar!("select name from merge_fields order by name").fetch_all(db)).await
}

/// Records that these merge fields exist.
pub async fn record_fields(db: &Db, names: &[String]) -> StoreResult<()> {
    let adding = sqlx::query!(
        "insert into merge_fields (name) select unnest($1::text[]) on conflict do nothing",
        names
    );
    within(adding.execute(db)).await?;
    Ok(())
}

//! Ending passwords, and the password mails that would bring further ones.
//!
//! A transaction that ends passwords first writes the row that [`store`](super::store) locks, which is
//! a user, a batch or a delivery, and then, in a later statement, deletes verifiers.

use crate::store::{StoreResult, Transaction, batches};
use uuid::Uuid;

/// Why password mails that are owed to a user are cancelled.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CancelReason {
    /// The user chose a password of their own.
    Superseded,
    /// Their mailed passwords were revoked.
    Revoked,
    /// The user was locked.
    UserLocked,
    /// The user has another address.
    AddressChanged,
}

impl CancelReason {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Superseded, Self::Revoked, Self::UserLocked, Self::AddressChanged];

    /// The delivery's reason, as stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Superseded => "superseded",
            Self::Revoked => "revoked",
            Self::UserLocked => "user_locked",
            Self::AddressChanged => "address_changed",
        }
    }
}

/// How many mails were cancelled.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Cancelled {
    /// Those that no worker had.
    pub cancelled: i64,
    /// Those that a worker had in hand. They are cancelled when the attempt ends; if the mail server
    /// had taken the mail by then, it is sent and its password does not work.
    pub in_hand: i64,
}

/// Cancels the password mails that are owed to these users.
///
/// A worker that has one in hand stores no verifier for it from now on. One that it stored before
/// is visible to the next statement of this transaction.
pub async fn cancel_owed(
    transaction: &mut Transaction,
    users: &[Uuid],
    reason: CancelReason,
) -> StoreResult<Cancelled> {
    let cancelled = sqlx::query_as!(
        Cancelled,
        r#"with owed as materialized (
               select d.id
               from deliveries d
               cross join lateral (
                   select from batches where id = d.batch_id and kind = 'password_reset' offset 0
               ) b
               where d.user_id = any($1) and d.state::text in ('waiting', 'queued', 'sending', 'retrying')
               -- In one order for all, so that nobody waits in a circle.
               order by d.id
               for no key update of d
           ), moved as (
               update deliveries d
               set state = case when d.state = 'sending' then d.state else 'cancelled' end,
                   reason = case when d.state = 'sending' then d.reason else $2 end,
                   cancel_reason = case when d.state = 'sending' then $2 end,
                   moved_at = case when d.state = 'sending' then d.moved_at else now() end,
                   retry_at = null
               from owed
               where d.id = owed.id and d.state::text in ('waiting', 'queued', 'sending', 'retrying')
               returning d.cancel_reason is not null as is_in_hand
           )
           select count(*) filter (where not is_in_hand) as "cancelled!",
                  count(*) filter (where is_in_hand) as "in_hand!"
           from moved"#,
        users,
        reason.as_str(),
    )
    .fetch_one(&mut **transaction)
    .await?;
    Ok(cancelled)
}

/// Whose mailed passwords to end.
#[derive(Clone, Copy, Debug)]
pub enum Scope<'a> {
    /// Those mailed by this batch.
    Batch(Uuid),
    /// Those of these users.
    Users(&'a [Uuid]),
}

impl Scope<'_> {
    /// As a statement takes it: a batch, or users.
    const fn parts(&self) -> (Option<Uuid>, &[Uuid]) {
        match self {
            Self::Batch(batch) => (Some(*batch), &[]),
            Self::Users(users) => (None, users),
        }
    }
}

/// How a revocation went.
#[derive(Clone, Copy, Debug, Default)]
pub struct Revoked {
    /// Passwords that stop working now.
    pub revoked: i64,
    /// Passwords that stay: mailed ones that were used before, and those that the users chose. Of a batch, the
    /// ones chosen since its mail.
    pub already_used: i64,
    /// Mails to these users that were owed.
    pub mails: Cancelled,
    /// Whether this stopped the batch.
    pub has_stopped_batch: bool,
}

/// Ends mailed passwords, and what would bring further ones: a batch that has not finished is
/// stopped, with `stop_reason` for people, and password mails owed to these users are cancelled.
/// Mailed passwords that were used stay unless `include_used`.
pub async fn revoke(
    transaction: &mut Transaction,
    scope: Scope<'_>,
    include_used: bool,
    stop_reason: &str,
) -> StoreResult<Revoked> {
    let (batch, users) = scope.parts();
    let has_stopped_batch = match batch {
        Some(batch) => batches::stop(transaction, batch, stop_reason).await?,
        None => false,
    };
    let mails = cancel_owed(transaction, users, CancelReason::Revoked).await?;
    let row = sqlx::query!(
        r#"with meant as materialized (
               select id, used_at from credentials
               where kind = 'generated' and (batch_id = $1 or user_id = any($2)) and expires_at > now()
               order by id
               for update
           ), removed as (
               delete from credentials c using meant
               where c.id = meant.id and (meant.used_at is null or $3)
           )
           select count(*) filter (where used_at is null or $3) as "revoked!",
                  count(*) filter (where used_at is not null and not $3) as "already_used!"
           from meant"#,
        batch,
        users,
        include_used,
    )
    .fetch_one(&mut **transaction)
    .await?;
    Ok(Revoked {
        revoked: row.revoked,
        already_used: row.already_used + chosen(&mut **transaction, scope).await?,
        mails,
        has_stopped_batch,
    })
}

/// How many users in this scope have a password of their own; of a batch, those who chose it after its mail.
pub(super) async fn chosen(db: impl sqlx::PgExecutor<'_>, scope: Scope<'_>) -> StoreResult<i64> {
    let (batch, users) = scope.parts();
    let row = sqlx::query!(
        r#"select (select count(*) from credentials where kind = 'chosen' and user_id = any($2))
                  + (select count(distinct d.user_id)
                     from deliveries d join credentials c on c.user_id = d.user_id
                     where d.batch_id = $1 and c.kind = 'chosen' and c.created_at >= d.sent_at) as "n!""#,
        batch,
        users,
    )
    .fetch_one(db)
    .await?;
    Ok(row.n)
}

/// Ends the mailed passwords of a user; returns how many worked until now.
pub async fn end_generated(transaction: &mut Transaction, user: Uuid) -> StoreResult<i64> {
    end(transaction, user, false).await
}

/// Ends all passwords of a user, the one they chose among them; returns how many worked until now.
pub async fn end_all(transaction: &mut Transaction, user: Uuid) -> StoreResult<i64> {
    end(transaction, user, true).await
}

async fn end(transaction: &mut Transaction, user: Uuid, also_chosen: bool) -> StoreResult<i64> {
    let row = sqlx::query!(
        r#"with meant as materialized (
               select id, expires_at from credentials
               where user_id = $1 and (kind = 'generated' or $2)
               order by id
               for update
           ), removed as (
               delete from credentials c using meant where c.id = meant.id
           )
           select count(*) filter (where expires_at is null or expires_at > now()) as "n!" from meant"#,
        user,
        also_chosen,
    )
    .fetch_one(&mut **transaction)
    .await?;
    Ok(row.n)
}

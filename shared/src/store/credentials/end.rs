//! Ending passwords, and the password mails that would bring further ones.
//!
//! A transaction that ends passwords first writes the row that [`store`](super::store) locks, which is a
//! user, a batch or a delivery, and deletes verifiers in a later statement.

use crate::store::{StoreResult, Transaction, batches, until_moved, within};
use uuid::Uuid;

crate::named_enum! {
    /// Why password mails owed to a user are cancelled.
    #[derive(Clone, Copy, Debug, Eq, PartialEq)]
    pub enum CancelReason {
        /// The user chose a password.
        Superseded = "superseded",
        /// Their mailed passwords were revoked.
        Revoked = "revoked",
        /// The user was locked.
        UserLocked = "user_locked",
        /// The user's address was changed.
        AddressChanged = "address_changed",
    }
}

/// Number of cancelled mails.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Cancelled {
    /// Those that no worker had claimed.
    pub cancelled: i64,
    /// Those that a worker had claimed. They are cancelled when the attempt ends. If the relay has accepted
    /// the mail by then, it is sent and its password does not work.
    pub in_hand: i64,
}

/// Cancels the password mails owed to these users.
///
/// From now on a worker that has claimed one stores no verifier for it. One stored before is visible to the
/// next statement of this transaction.
pub async fn cancel_owed(
    transaction: &mut Transaction,
    users: &[Uuid],
    reason: CancelReason,
) -> StoreResult<Cancelled> {
    let cancelling = sqlx::query_as!(
        Cancelled,
        r#"with owed as materialized (
               select d.id
               from deliveries d
               cross join lateral (
                   select from batches where id = d.batch_id and kind = 'password_reset' offset 0
               ) b
               where d.user_id = any($1) and d.state::text in ('waiting', 'queued', 'sending', 'retrying')
               -- The same order everywhere, so that statements cannot deadlock.
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
    );
    until_moved(cancelling.fetch_one(&mut **transaction)).await
}

/// The mailed passwords to end.
#[derive(Clone, Copy, Debug)]
pub enum Scope<'a> {
    /// Those mailed by this batch.
    Batch(Uuid),
    /// Those of these users.
    Users(&'a [Uuid]),
}

impl Scope<'_> {
    /// The parameters of a statement: a batch, or users.
    const fn parts(&self) -> (Option<Uuid>, &[Uuid]) {
        match self {
            Self::Batch(batch) => (Some(*batch), &[]),
            Self::Users(users) => (None, users),
        }
    }
}

/// The result of a revocation.
#[derive(Clone, Copy, Debug, Default)]
pub struct Revoked {
    /// Passwords that were valid until now.
    pub revoked: i64,
    /// Passwords that remain: mailed ones that were used before, and those that users chose. For a batch, the
    /// ones chosen since its mail.
    pub already_used: i64,
    /// The mails owed to these users.
    pub mails: Cancelled,
    /// Whether this stopped the batch.
    pub has_stopped_batch: bool,
}

/// Ends mailed passwords and whatever would bring further ones: an unfinished batch is stopped, with
/// `stop_reason` shown on pages, and password mails owed to these users are cancelled. Mailed passwords that
/// were used remain unless `include_used`, which also forgets the clients of the users who had used one.
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
    let revoking = sqlx::query!(
        r#"with meant as materialized (
               select id, user_id, used_at from credentials
               where kind = 'generated' and (batch_id = $1 or user_id = any($2)) and expires_at > now()
               order by id
               for update
           ), removed as (
               delete from credentials c using meant
               where c.id = meant.id and (meant.used_at is null or $3)
           ), forgotten as (
               delete from known_clients k using meant
               where $3 and meant.used_at is not null and k.user_id = meant.user_id
           )
           select count(*) filter (where used_at is null or $3) as "revoked!",
                  count(*) filter (where used_at is not null and not $3) as "already_used!"
           from meant"#,
        batch,
        users,
        include_used,
    );
    let row = until_moved(revoking.fetch_one(&mut **transaction)).await?;
    Ok(Revoked {
        revoked: row.revoked,
        already_used: row.already_used + chosen(&mut **transaction, scope).await?,
        mails,
        has_stopped_batch,
    })
}

/// Number of users in this scope with a chosen password; for a batch, of those who chose it after its mail.
pub(super) async fn chosen(db: impl sqlx::PgExecutor<'_>, scope: Scope<'_>) -> StoreResult<i64> {
    let (batch, users) = scope.parts();
    let reading = sqlx::query!(
        r#"select (select count(*) from credentials where kind = 'chosen' and user_id = any($2))
                  + (select count(distinct d.user_id)
                     from deliveries d join credentials c on c.user_id = d.user_id
                     where d.batch_id = $1 and c.kind = 'chosen' and c.created_at >= d.sent_at) as "n!""#,
        batch,
        users,
    );
    Ok(until_moved(reading.fetch_one(db)).await?.n)
}

/// Ends the mailed passwords of a user. Returns how many were valid until now.
pub async fn end_generated(transaction: &mut Transaction, user: Uuid) -> StoreResult<i64> {
    end(transaction, user, false).await
}

/// Ends all passwords of a user, including the chosen one. Returns how many were valid until now.
pub async fn end_all(transaction: &mut Transaction, user: Uuid) -> StoreResult<i64> {
    end(transaction, user, true).await
}

async fn end(transaction: &mut Transaction, user: Uuid, also_chosen: bool) -> StoreResult<i64> {
    let ending = sqlx::query!(
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
    );
    Ok(within(ending.fetch_one(&mut **transaction)).await?.n)
}

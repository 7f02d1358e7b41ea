//! The verifiers that passwords are checked against.

mod end;

use super::{Db, StoreResult, Transaction, despite_deadlocks, seconds, within};
use std::time::Duration;
use time::OffsetDateTime;
use uuid::Uuid;

pub use end::{CancelReason, Cancelled, Revoked, Scope, cancel_owed, end_all, end_generated, revoke};

/// A verifier to be stored before its password is mailed.
#[derive(Clone, Debug)]
pub struct NewCredential {
    /// The user.
    pub user: Uuid,
    /// The key of the address that the mail goes to.
    pub email_key: String,
    /// The delivery that carries the password.
    pub delivery: Uuid,
    /// Its attempt.
    pub attempt: i32,
    /// Its batch.
    pub batch: Uuid,
    /// The token of the claim, without which nothing is stored.
    pub token: Uuid,
    /// The verifier, a PHC string.
    pub verifier: String,
    /// How long it is valid, unless settling the outcome extends it.
    pub lifetime: Duration,
}

/// Stores a group of verifiers and returns the deliveries for which it did. The mails of the others must not
/// be sent: the claim was lost, or the password was ended before it existed, because the batch was stopped,
/// the mail was cancelled (see [`cancel_owed`]), the user was locked or has another address.
///
/// # No verifier outlives what ends it
///
/// The statement locks the rows it checks until it commits: the user and the batch with `for key share`, the
/// delivery with `for share`. Every transaction that ends passwords writes the same row first (`for update`
/// on the user or the batch, an update of the delivery) and deletes verifiers in a *later* statement. So
/// either this statement locks first, and the other transaction waits for its commit and then sees and
/// deletes what was stored here; or the other transaction writes first, and this statement waits, rereads the
/// row and stores nothing. Both lock users or batches before deliveries, those by id, and deliveries before
/// credentials, so they do not deadlock.
pub async fn store(db: &Db, group: &[NewCredential]) -> StoreResult<Vec<Uuid>> {
    let users: Vec<Uuid> = group.iter().map(|one| one.user).collect();
    let email_keys: Vec<String> = group.iter().map(|one| one.email_key.clone()).collect();
    let deliveries: Vec<Uuid> = group.iter().map(|one| one.delivery).collect();
    let attempts: Vec<i32> = group.iter().map(|one| one.attempt).collect();
    let batches: Vec<Uuid> = group.iter().map(|one| one.batch).collect();
    let tokens: Vec<Uuid> = group.iter().map(|one| one.token).collect();
    let verifiers: Vec<String> = group.iter().map(|one| one.verifier.clone()).collect();
    let lifetimes: Vec<f64> = group.iter().map(|one| seconds(one.lifetime)).collect();
    let storing = || async {
        let storing = sqlx::query_scalar!(
            r#"with one as materialized (
               select one.*
               from unnest($1::uuid[], $2::uuid[], $3::integer[], $4::uuid[], $5::uuid[], $6::text[], $7::float8[],
                           $8::text[])
                    as one (user_id, delivery, attempt, batch, token, verifier, lifetime, email_key)
               order by user_id
           ), open_batch as materialized (
               select id from batches where id = any($4) and state <> 'stopped' order by id for key share
           ), known as materialized (
               select one.*
               from one
               -- Each by its id: a join would compare every one with every user.
               cross join lateral (
                   select from users
                   where id = one.user_id and email_key = one.email_key and locked_at is null
                   for key share
               ) person
           ), held as materialized (
               select known.*
               from known
               join open_batch on open_batch.id = known.batch
               join deliveries d on d.id = known.delivery and d.state::text = 'sending'
                    and d.attempt = known.attempt and d.lease_token = known.token and d.cancel_reason is null
               order by d.id
               for share of d
           )
           insert into credentials (user_id, kind, verifier, delivery_id, attempt, batch_id, expires_at)
           select user_id, 'generated', verifier, delivery, attempt, batch, now() + make_interval(secs => lifetime)
           from held
           -- From a statement whose answer was lost before its mail was given back. No mail carries
           -- that password.
           on conflict (delivery_id, attempt) where kind = 'generated'
           do update set verifier = excluded.verifier, expires_at = excluded.expires_at
           returning delivery_id as "delivery!""#,
            &users,
            &deliveries,
            &attempts,
            &batches,
            &tokens,
            &verifiers,
            &lifetimes,
            &email_keys,
        );
        within(storing.fetch_all(db)).await
    };
    despite_deadlocks(storing).await
}

/// A verifier that may match.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The id.
    pub id: Uuid,
    /// The user.
    pub user: Uuid,
    /// Whether Beckon generated the password.
    pub is_generated: bool,
    /// The PHC string.
    pub verifier: String,
    /// When it expires; `None` for a chosen one.
    pub expires_at: Option<OffsetDateTime>,
}

/// Maximum number of verifiers compared per user. No user has more than 25: a chosen password, one less
/// than a batch allows, and one for each of a mail's twenty attempts, any of which may have arrived without
/// our knowing.
const MAX_CANDIDATES: i64 = 30;

/// The valid verifiers of the user with this address: the chosen one first, then generated ones, newest
/// first. A locked user has none.
pub async fn live(db: &Db, email_key: &str) -> StoreResult<Vec<Candidate>> {
    let reading = sqlx::query_as!(
        Candidate,
        r#"select c.id, c.user_id as user, c.kind = 'generated' as "is_generated!", c.verifier, c.expires_at
           from users u join credentials c on c.user_id = u.id
           where u.email_key = $1 and u.locked_at is null and (c.expires_at is null or c.expires_at > now())
           order by c.kind, c.created_at desc, c.id desc
           limit $2"#,
        email_key,
        MAX_CANDIDATES,
    );
    within(reading.fetch_all(db)).await
}

/// Records that a password was verified, and the user's first sign-in. Returns whether it was still valid:
/// not if the password was ended or replaced after `proof` was read.
///
/// The user's other mailed passwords stay valid until the user chooses a password.
pub async fn record_use(db: &Db, proof: &Candidate) -> StoreResult<bool> {
    let noting = || async {
        let using = sqlx::query!(
            r#"with used as (
                   update credentials set used_at = coalesce(used_at, now())
                   where id = $1 and verifier = $2 and (expires_at is null or expires_at > now())
                   returning user_id
               ), signed_in as (
                   update users u set signed_in_at = now() from used
                   where u.id = used.user_id and u.signed_in_at is null
               )
               select count(*) as "n!" from used"#,
            proof.id,
            proof.verifier,
        );
        let row = within(using.fetch_one(db)).await?;
        Ok(row.n > 0)
    };
    despite_deadlocks(noting).await
}

/// Sets the password that a user chose in place of all others, provided that the one they signed in with is
/// still valid. Password mails still owed to them are cancelled: a user with a chosen password needs none.
///
/// Of two concurrent choices one wins: the first deletes or replaces the proof of the second. So the
/// passwords read together with `proof` are all that the new one must be compared with; any that a worker
/// stores meanwhile is random, and ends here.
///
/// Takes effect when the transaction is committed, which must not happen if this returns false.
pub async fn choose(transaction: &mut Transaction, proof: &Candidate, verifier: &str) -> StoreResult<bool> {
    // A lock of the user waits for this, so that it sees the new verifier and deletes it.
    let locking = sqlx::query!(
        "select id from users where id = $1 and locked_at is null for key share",
        proof.user
    );
    let user = within(locking.fetch_optional(&mut **transaction)).await?;
    if user.is_none() {
        return Ok(false);
    }
    cancel_owed(transaction, &[proof.user], CancelReason::Superseded).await?;
    let proving = sqlx::query!(
        r#"with theirs as materialized (
               select id, verifier, expires_at from credentials where user_id = $1 order by id for update
           )
           select count(*) filter (
                      where id = $2 and verifier = $3 and (expires_at is null or expires_at > now())) as "n!"
           from theirs"#,
        proof.user,
        proof.id,
        proof.verifier,
    );
    let proven = within(proving.fetch_one(&mut **transaction)).await?;
    if proven.n == 0 {
        return Ok(false);
    }
    let storing = sqlx::query!(
        "with removed as (
             delete from credentials where user_id = $1 and kind = 'generated'
         )
         insert into credentials (user_id, kind, verifier, used_at) values ($1, 'chosen', $2, now())
         on conflict (user_id) where kind = 'chosen'
         do update set verifier = excluded.verifier, created_at = now(), used_at = now()",
        proof.user,
        verifier,
    );
    within(storing.execute(&mut **transaction)).await?;
    Ok(true)
}

/// The passwords mailed by a batch, by what happened to them.
#[derive(Clone, Copy, Debug)]
pub struct OfBatch {
    /// Valid and not used yet.
    pub unused: i64,
    /// Valid and used.
    pub used: i64,
    /// Replaced by a password that the user chose.
    pub replaced: i64,
}

/// Counts the passwords mailed by a batch, by what happened to them.
pub async fn of_batch(db: &Db, batch: Uuid) -> StoreResult<OfBatch> {
    let reading = sqlx::query!(
        r#"select count(*) filter (where used_at is null) as "unused!",
                  count(*) filter (where used_at is not null) as "used!"
           from credentials
           where kind = 'generated' and batch_id = $1 and expires_at > now()"#,
        batch,
    );
    let row = within(reading.fetch_one(db)).await?;
    Ok(OfBatch {
        unused: row.unused,
        used: row.used,
        replaced: end::chosen(db, Scope::Batch(batch)).await?,
    })
}

/// Number of valid mailed passwords of a user.
pub async fn of_user(db: &Db, user: Uuid) -> StoreResult<i64> {
    let reading = sqlx::query!(
        r#"select count(*) as "n!" from credentials where kind = 'generated' and user_id = $1 and expires_at > now()"#,
        user,
    );
    Ok(within(reading.fetch_one(db)).await?.n)
}

//! What passwords are checked against.

use super::{Db, StoreResult, Transaction, despite_deadlocks, seconds, within};
use std::time::Duration;
use time::OffsetDateTime;
use uuid::Uuid;

/// A verifier to store before its password is mailed.
#[derive(Clone, Debug)]
pub struct NewCredential {
    /// Whose.
    pub user: Uuid,
    /// The delivery whose mail carries the password,
    pub delivery: Uuid,
    /// its attempt,
    pub attempt: i32,
    /// its batch,
    pub batch: Uuid,
    /// and the token of the claim, without which nothing is stored.
    pub token: Uuid,
    /// The verifier, a PHC string.
    pub verifier: String,
    /// How long it lives from now, unless settled otherwise.
    pub lifetime: Duration,
}

/// Stores a group of verifiers; returns the deliveries whose claim still held. For the others no
/// mail may be sent.
pub async fn store(db: &Db, group: &[NewCredential]) -> StoreResult<Vec<Uuid>> {
    let users: Vec<Uuid> = group.iter().map(|one| one.user).collect();
    let deliveries: Vec<Uuid> = group.iter().map(|one| one.delivery).collect();
    let attempts: Vec<i32> = group.iter().map(|one| one.attempt).collect();
    let batches: Vec<Uuid> = group.iter().map(|one| one.batch).collect();
    let tokens: Vec<Uuid> = group.iter().map(|one| one.token).collect();
    let verifiers: Vec<String> = group.iter().map(|one| one.verifier.clone()).collect();
    let lifetimes: Vec<f64> = group.iter().map(|one| seconds(one.lifetime)).collect();
    let storing = || async {
        let storing = sqlx::query!(
            r#"insert into credentials (user_id, kind, verifier, delivery_id, attempt, batch_id, expires_at)
           select u.id, 'generated', one.verifier, one.delivery, one.attempt, one.batch,
                  now() + make_interval(secs => one.lifetime)
           from unnest($1::uuid[], $2::uuid[], $3::integer[], $4::uuid[], $5::uuid[], $6::text[], $7::float8[])
                as one (user_id, delivery, attempt, batch, token, verifier, lifetime)
           join users u on u.id = one.user_id
           join deliveries d on d.id = one.delivery and d.state = 'sending'
                and d.attempt = one.attempt and d.lease_token = one.token
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
        );
        within(storing.fetch_all(db)).await
    };
    let rows = despite_deadlocks(storing).await?;
    Ok(rows.into_iter().map(|row| row.delivery).collect())
}

/// A verifier that may match.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Its id.
    pub id: Uuid,
    /// Whose.
    pub user: Uuid,
    /// Whether Beckon made the password.
    pub is_generated: bool,
    /// The PHC string.
    pub verifier: String,
    /// When it stops working; none for a chosen one.
    pub expires_at: Option<OffsetDateTime>,
}

/// Verifiers that are compared for one person at most. Nobody has more: a chosen password, as many
/// unused ones as a batch allows less one, and one for each of a mail's twenty attempts, any of
/// which may have arrived without our knowing, are 25.
const CANDIDATES_MOST: i64 = 30;

/// The verifiers that work now for the person with this address: the chosen one first, then
/// generated ones, newest first.
pub async fn live(db: &Db, email_key: &str) -> StoreResult<Vec<Candidate>> {
    let candidates = sqlx::query_as!(
        Candidate,
        r#"select c.id, c.user_id as user, c.kind = 'generated' as "is_generated!", c.verifier, c.expires_at
           from users u join credentials c on c.user_id = u.id
           where u.email_key = $1 and (c.expires_at is null or c.expires_at > now())
           order by c.kind, c.created_at desc, c.id desc
           limit $2"#,
        email_key,
        CANDIDATES_MOST,
    )
    .fetch_all(db)
    .await?;
    Ok(candidates)
}

/// Notes that a password was verified: the first sign-in of the person, and, for a generated one,
/// the end of all others that were mailed. Returns whether it still worked.
pub async fn note_use(db: &Db, id: Uuid) -> StoreResult<bool> {
    let row = sqlx::query!(
        r#"with used as (
               update credentials set used_at = coalesce(used_at, now())
               where id = $1 and (expires_at is null or expires_at > now())
               returning id, user_id, kind
           ), others as (
               delete from credentials c using used
               where c.user_id = used.user_id and used.kind = 'generated'
                 and c.kind = 'generated' and c.id <> used.id
           ), signed_in as (
               update users u set signed_in_at = now() from used
               where u.id = used.user_id and u.signed_in_at is null
           )
           select count(*) as "n!" from used"#,
        id,
    )
    .fetch_one(db)
    .await?;
    Ok(row.n > 0)
}

/// Sets the password a person chose, in the place of every other one they had, provided the
/// credential they proved themselves with still works. Password mails still owed to them are
/// cancelled: nobody should get a password for an account that has its own.
pub async fn choose(db: &Db, proof: Uuid, verifier: &str) -> StoreResult<bool> {
    let row = sqlx::query!(
        r#"with proof as (
               select id, user_id from credentials
               where id = $1 and (expires_at is null or expires_at > now())
               for update
           ), removed as (
               delete from credentials c using proof where c.user_id = proof.user_id and c.kind = 'generated'
           ), kept as (
               insert into credentials (user_id, kind, verifier, used_at)
               select user_id, 'chosen', $2, now() from proof
               on conflict (user_id) where kind = 'chosen'
               do update set verifier = excluded.verifier, created_at = now(), used_at = now()
               returning user_id
           ), superseded as (
               update deliveries d
               set state = 'cancelled', reason = 'superseded', moved_at = now(), lease_until = null
               from kept, batches b
               where d.user_id = kept.user_id and b.id = d.batch_id and b.kind = 'password_reset'
                 and d.state in ('waiting', 'queued', 'retrying')
           )
           select count(*) as "n!" from kept"#,
        proof,
        verifier,
    )
    .fetch_one(db)
    .await?;
    Ok(row.n > 0)
}

/// How a revocation went.
#[derive(Clone, Copy, Debug)]
pub struct Revoked {
    /// Passwords that stop working now.
    pub revoked: i64,
    /// Passwords that were used before, and stay.
    pub already_used: i64,
}

/// How many passwords of a batch work now: those that nobody has used yet, which a revocation would
/// end, and those that were used.
pub async fn of_batch(db: &Db, batch: Uuid) -> StoreResult<(i64, i64)> {
    let row = sqlx::query!(
        r#"select count(*) filter (where used_at is null) as "unused!",
                  count(*) filter (where used_at is not null) as "used!"
           from credentials
           where kind = 'generated' and batch_id = $1 and expires_at > now()"#,
        batch,
    )
    .fetch_one(db)
    .await?;
    Ok((row.unused, row.used))
}

/// Ends the unused passwords of a batch, or of some users.
pub async fn revoke(transaction: &mut Transaction, batch: Option<Uuid>, users: &[Uuid]) -> StoreResult<Revoked> {
    let row = sqlx::query_as!(
        Revoked,
        r#"with meant as (
               select id, used_at from credentials
               where kind = 'generated' and (batch_id = $1 or user_id = any($2)) and expires_at > now()
           ), removed as (
               delete from credentials c using meant where c.id = meant.id and meant.used_at is null
               returning 1
           )
           select (select count(*) from removed) as "revoked!",
                  (select count(*) from meant where used_at is not null) as "already_used!""#,
        batch,
        users,
    )
    .fetch_one(&mut **transaction)
    .await?;
    Ok(row)
}

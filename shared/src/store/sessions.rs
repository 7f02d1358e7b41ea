//! Who is signed in to the console.
//!
//! A session ends when nobody used it for [`IDLE`], [`LONGEST`] after it began, when its owner
//! signs out or is disabled, and when they get another password.
//!
//! A session begins, and its password is confirmed, only while the verifier that was checked is still the
//! owner's and the owner is enabled. Both are part of the statement that writes, because hashing takes long
//! enough for a reset to come between.

use super::administrators::lock_access;
use super::{Db, StoreResult, Transaction, seconds, within};
use std::time::Duration;
use time::OffsetDateTime;
use uuid::Uuid;

/// Unused for so long, a session ends: a lunch fits, an evening does not (NIST SP 800-63B-4,
/// 2.2.3: an hour at most at AAL2).
pub const IDLE: Duration = Duration::from_hours(1);

/// However much it is used, a session ends after a working day.
pub const LONGEST: Duration = Duration::from_hours(12);

/// How long an entered password counts for what hands out access: creating a key or an administrator.
pub const RECENT: Duration = Duration::from_mins(10);

/// A session that has not ended, with its owner.
#[derive(Clone, Debug)]
pub struct Session {
    /// Who is signed in.
    pub administrator: Uuid,
    /// What they are called.
    pub name: String,
    /// Their address as typed.
    pub email: String,
    /// Whether they must choose a password of their own first.
    pub must_choose: bool,
    /// Whether it was last seen more than a minute ago, so that its use is to be noted again.
    pub is_use_due: bool,
    /// Whether the password was entered within [`RECENT`].
    pub is_recently_authenticated: bool,
}

/// Begins a session for an administrator whose password was checked against `verifier`.
///
/// Returns whether it began: it does not when they were disabled or got another password meanwhile.
pub async fn begin(
    transaction: &mut Transaction,
    administrator: Uuid,
    verifier: &str,
    digest: &[u8],
) -> StoreResult<bool> {
    let done = sqlx::query!(
        "with owner as (
             update administrators set signed_in_at = now()
             where id = $1 and verifier = $2 and disabled_at is null
             returning id
         )
         insert into sessions (digest, administrator_id, authenticated_at) select $3, id, now() from owner",
        administrator,
        verifier,
        digest,
    )
    .execute(&mut **transaction)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// A session whose owner enters their password again.
#[derive(Clone, Copy, Debug)]
pub struct Confirmation<'c> {
    /// Whose session.
    pub administrator: Uuid,
    /// What it is stored under.
    pub digest: &'c [u8],
    /// What it is stored under from now on.
    pub new_digest: &'c [u8],
    /// What the password was checked against.
    pub verifier: &'c str,
}

/// Notes that the password was entered again, and gives the session another token (ASVS 5.0, 7.2.4).
///
/// Returns whether the session goes on: it does not when it ended meanwhile, or its owner was disabled or
/// got another password.
pub async fn confirm(transaction: &mut Transaction, confirmation: Confirmation<'_>) -> StoreResult<bool> {
    let done = sqlx::query!(
        "update sessions set digest = $3, authenticated_at = now(), seen_at = now()
         where digest = $2 and administrator_id = $1
           and exists (select from administrators where id = $1 and verifier = $4 and disabled_at is null)",
        confirmation.administrator,
        confirmation.digest,
        confirmation.new_digest,
        confirmation.verifier,
    )
    .execute(&mut **transaction)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// The session of this token's digest, unless it has ended.
pub async fn find(db: &Db, digest: &[u8]) -> StoreResult<Option<Session>> {
    let session = sqlx::query_as!(
        Session,
        r#"select a.id as administrator, a.name, a.email, a.must_choose,
                  s.seen_at < now() - interval '1 minute' as "is_use_due!",
                  coalesce(s.authenticated_at, s.created_at) > now() - make_interval(secs => $4)
                      as "is_recently_authenticated!"
           from sessions s join administrators a on a.id = s.administrator_id
           where s.digest = $1 and a.disabled_at is null
             and s.seen_at > now() - make_interval(secs => $2)
             and s.created_at > now() - make_interval(secs => $3)"#,
        digest,
        seconds(IDLE),
        seconds(LONGEST),
        seconds(RECENT),
    )
    .fetch_optional(db)
    .await?;
    Ok(session)
}

/// Whether a session may go on to hand out access. Nobody else changes who has access until the transaction
/// ends, so the session does not end meanwhile because its owner is disabled or gets another password.
pub async fn holds(transaction: &mut Transaction, digest: &[u8]) -> StoreResult<bool> {
    lock_access(transaction).await?;
    let row = sqlx::query!(
        r#"select exists (
               select from sessions s join administrators a on a.id = s.administrator_id
               where s.digest = $1 and a.disabled_at is null) as "holds!""#,
        digest,
    )
    .fetch_one(&mut **transaction)
    .await?;
    Ok(row.holds)
}

/// Notes that a session is used.
pub async fn note_use(db: &Db, digest: &[u8]) -> StoreResult<()> {
    sqlx::query!("update sessions set seen_at = now() where digest = $1", digest)
        .execute(db)
        .await?;
    Ok(())
}

/// Ends a session; returns whether there was one.
pub async fn end(transaction: &mut Transaction, digest: &[u8]) -> StoreResult<bool> {
    let done = sqlx::query!("delete from sessions where digest = $1", digest)
        .execute(&mut **transaction)
        .await?;
    Ok(done.rows_affected() > 0)
}

/// A session of somebody's, as they see it.
#[derive(Clone, Debug)]
pub struct Place {
    /// When they signed in there.
    pub created_at: OffsetDateTime,
    /// When it was last used, to the minute.
    pub seen_at: OffsetDateTime,
    /// Whether it is the one that asks.
    pub is_this: bool,
}

/// Where somebody is signed in: the latest `most` of their sessions that have not ended.
pub async fn of(db: &Db, administrator: Uuid, digest: &[u8], most: i64) -> StoreResult<Vec<Place>> {
    let places = sqlx::query_as!(
        Place,
        r#"select created_at, seen_at, digest = $2 as "is_this!"
           from sessions
           where administrator_id = $1
             and seen_at > now() - make_interval(secs => $3)
             and created_at > now() - make_interval(secs => $4)
           order by digest = $2 desc, seen_at desc
           limit $5"#,
        administrator,
        digest,
        seconds(IDLE),
        seconds(LONGEST),
        most,
    )
    .fetch_all(db)
    .await?;
    Ok(places)
}

/// Ends all sessions of somebody's but this one; returns how many.
pub async fn end_others(transaction: &mut Transaction, administrator: Uuid, digest: &[u8]) -> StoreResult<u64> {
    let done = sqlx::query!(
        "delete from sessions where administrator_id = $1 and digest <> $2",
        administrator,
        digest,
    )
    .execute(&mut **transaction)
    .await?;
    Ok(done.rows_affected())
}

/// Forgets up to `most` sessions that have ended; returns how many.
pub async fn forget(db: &Db, most: i64) -> StoreResult<u64> {
    let forgetting = sqlx::query!(
        "delete from sessions
         where digest in (
             select digest from sessions
             where seen_at < now() - make_interval(secs => $1) or created_at < now() - make_interval(secs => $2)
             limit $3
             for update skip locked)",
        seconds(IDLE),
        seconds(LONGEST),
        most,
    );
    Ok(within(forgetting.execute(db)).await?.rows_affected())
}

//! Sessions of the console.
//!
//! A session ends when it was unused for [`IDLE`], [`LONGEST`] after it began, when its owner signs out or is
//! disabled, and when their password changes.
//!
//! A session only begins, and its password is only confirmed, while the verifier that was checked is still
//! current and its owner is enabled. The writing statement checks both, because hashing takes long enough for
//! a reset to happen in between.

use super::administrators::lock_access;
use super::{Db, StoreResult, Transaction, seconds, within};
use std::time::Duration;
use time::OffsetDateTime;
use uuid::Uuid;

/// How long an unused session lasts: a lunch break, but not an evening (NIST SP 800-63B-4, 2.2.3: at most an
/// hour at AAL2).
pub const IDLE: Duration = Duration::from_hours(1);

/// Maximum length of a session: a working day, however much it is used.
pub const LONGEST: Duration = Duration::from_hours(12);

/// How long an entered password is sufficient for granting access: creating a key or an administrator.
pub const RECENT: Duration = Duration::from_mins(10);

/// A valid session, with its owner.
#[derive(Clone, Debug)]
pub struct Session {
    /// The administrator's id.
    pub administrator: Uuid,
    /// Their name.
    pub name: String,
    /// Their address as typed.
    pub email: String,
    /// Whether they must choose a password first.
    pub must_choose: bool,
    /// Whether it was last seen more than a minute ago, so that its use has to be recorded again.
    pub is_use_due: bool,
    /// Whether the password was entered within [`RECENT`].
    pub is_recently_authenticated: bool,
}

/// Begins a session for an administrator whose password was checked against `verifier`.
///
/// Returns whether it began: not if they were disabled or their password changed meanwhile.
pub async fn begin(
    transaction: &mut Transaction,
    administrator: Uuid,
    verifier: &str,
    digest: &[u8],
) -> StoreResult<bool> {
    let beginning = sqlx::query!(
        "with owner as (
             update administrators set signed_in_at = now()
             where id = $1 and verifier = $2 and disabled_at is null
             returning id
         )
         insert into sessions (digest, administrator_id, authenticated_at) select $3, id, now() from owner",
        administrator,
        verifier,
        digest,
    );
    Ok(within(beginning.execute(&mut **transaction)).await?.rows_affected() > 0)
}

/// A session whose owner confirms their password.
#[derive(Clone, Copy, Debug)]
pub struct Confirmation<'c> {
    /// The administrator's id.
    pub administrator: Uuid,
    /// The current digest of its token.
    pub digest: &'c [u8],
    /// The new digest of its token.
    pub new_digest: &'c [u8],
    /// The verifier that the password was checked against.
    pub verifier: &'c str,
}

/// Records that the password was confirmed, and replaces the session's token (ASVS 5.0, 7.2.4).
///
/// Returns whether the session continues: not if it ended meanwhile, or its owner was disabled or their
/// password changed.
pub async fn confirm(transaction: &mut Transaction, confirmation: Confirmation<'_>) -> StoreResult<bool> {
    let changing = sqlx::query!(
        "update sessions set digest = $3, authenticated_at = now(), seen_at = now()
         where digest = $2 and administrator_id = $1
           and exists (select from administrators where id = $1 and verifier = $4 and disabled_at is null)",
        confirmation.administrator,
        confirmation.digest,
        confirmation.new_digest,
        confirmation.verifier,
    );
    Ok(within(changing.execute(&mut **transaction)).await?.rows_affected() > 0)
}

/// The session with this token digest, unless it has ended.
pub async fn find(db: &Db, digest: &[u8]) -> StoreResult<Option<Session>> {
    let reading = sqlx::query_as!(
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
    );
    within(reading.fetch_optional(db)).await
}

/// Whether a session may grant access. Access is locked until the transaction ends, so the session does not
/// end meanwhile because its owner is disabled or their password changes.
pub async fn holds(transaction: &mut Transaction, digest: &[u8]) -> StoreResult<bool> {
    lock_access(transaction).await?;
    let reading = sqlx::query!(
        r#"select exists (
               select from sessions s join administrators a on a.id = s.administrator_id
               where s.digest = $1 and a.disabled_at is null) as "holds!""#,
        digest,
    );
    Ok(within(reading.fetch_one(&mut **transaction)).await?.holds)
}

/// Records that a session is used.
pub async fn record_use(db: &Db, digest: &[u8]) -> StoreResult<()> {
    within(sqlx::query!("update sessions set seen_at = now() where digest = $1", digest).execute(db)).await?;
    Ok(())
}

/// Ends a session. Returns whether there was one.
pub async fn end(transaction: &mut Transaction, digest: &[u8]) -> StoreResult<bool> {
    let deleting = sqlx::query!("delete from sessions where digest = $1", digest);
    Ok(within(deleting.execute(&mut **transaction)).await?.rows_affected() > 0)
}

/// A session as shown to its administrator.
#[derive(Clone, Debug)]
pub struct SessionSummary {
    /// When they signed in.
    pub created_at: OffsetDateTime,
    /// When it was last used, to the minute.
    pub seen_at: OffsetDateTime,
    /// Whether it is the current session.
    pub is_this: bool,
}

/// The latest `most` valid sessions of an administrator.
pub async fn of(db: &Db, administrator: Uuid, digest: &[u8], most: i64) -> StoreResult<Vec<SessionSummary>> {
    let reading = sqlx::query_as!(
        SessionSummary,
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
    );
    within(reading.fetch_all(db)).await
}

/// Ends all sessions of an administrator except this one. Returns how many.
pub async fn end_others(transaction: &mut Transaction, administrator: Uuid, digest: &[u8]) -> StoreResult<u64> {
    let deleting = sqlx::query!(
        "delete from sessions where administrator_id = $1 and digest <> $2",
        administrator,
        digest,
    );
    Ok(within(deleting.execute(&mut **transaction)).await?.rows_affected())
}

/// Deletes up to `most` ended sessions. Returns how many.
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

//! Keys that programs call the API with. Only their digests are kept.

use super::administrators::lock_access;
use super::{Db, StoreResult, Transaction};
use crate::name::look_alike;
use std::time::Duration;
use time::OffsetDateTime;
use uuid::Uuid;

/// A key, without what makes it one.
#[derive(Clone, Debug)]
pub struct ApiKey {
    /// Its id.
    pub id: Uuid,
    /// What it was named when it was made; the audit trail says `key <name>`.
    pub name: String,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When it last called, to the minute.
    pub last_used_at: Option<OffsetDateTime>,
    /// Whether that was more than a minute ago, so that its use is to be noted again.
    pub is_use_due: bool,
    /// Until when it works; none for always.
    pub expires_at: Option<OffsetDateTime>,
    /// Whether that is over.
    pub is_expired: bool,
    /// Whether it may read the audit log.
    pub may_read_audit_log: bool,
}

/// A key to make.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// What it is called; the audit log says `key <name>`.
    pub name: String,
    /// What is kept of it.
    pub digest: Vec<u8>,
    /// Who makes it: the name,
    pub created_by: String,
    /// and the id where it is an administrator.
    pub created_by_id: Option<Uuid>,
    /// How long it works; none for ever.
    pub expires_after: Option<Duration>,
    /// Whether it may read the audit log.
    pub may_read_audit_log: bool,
}

/// How creating a key went.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Created {
    /// It works now.
    Done(Uuid),
    /// The name of another key that works is the same or looks the same.
    NameTaken(String),
}

/// Keeps a new key's digest.
pub async fn create(transaction: &mut Transaction, new: &NewKey) -> StoreResult<Created> {
    lock_access(transaction).await?;
    let working = sqlx::query!(
        "select name from api_keys where revoked_at is null and (expires_at is null or expires_at > now())"
    )
    .fetch_all(&mut **transaction)
    .await?;
    if let Some(name) = look_alike(&new.name, working.iter().map(|key| key.name.as_str())) {
        return Ok(Created::NameTaken(name.to_owned()));
    }
    let row = sqlx::query!(
        "insert into api_keys (name, digest, created_by, created_by_id, expires_at, may_read_audit_log)
         values ($1, $2, $3, $4, now() + make_interval(secs => $5), $6) returning id",
        new.name,
        new.digest,
        new.created_by,
        new.created_by_id,
        new.expires_after.map(|duration| duration.as_secs_f64()) as Option<f64>,
        new.may_read_audit_log,
    )
    .fetch_one(&mut **transaction)
    .await?;
    Ok(Created::Done(row.id))
}

/// A key as a list shows it.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its id.
    pub id: Uuid,
    /// What it was named.
    pub name: String,
    /// When it was made,
    pub created_at: OffsetDateTime,
    /// and by whom.
    pub created_by: String,
    /// When it last called, to the minute.
    pub last_used_at: Option<OffsetDateTime>,
    /// Since when it no longer works.
    pub revoked_at: Option<OffsetDateTime>,
    /// Until when it works; none for always.
    pub expires_at: Option<OffsetDateTime>,
    /// How that stands now.
    pub expiry: Expiry,
    /// Whether it may read the audit log.
    pub may_read_audit_log: bool,
}

/// How near the end of a key is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Expiry {
    /// Far away, or there is none.
    Far,
    /// Within [`NEAR`].
    Near,
    /// Over.
    Over,
}

impl From<Option<f64>> for Expiry {
    /// Reads the seconds that are left.
    fn from(left: Option<f64>) -> Self {
        match left {
            Some(left) if left <= 0.0 => Self::Over,
            Some(left) if left < NEAR.as_secs_f64() => Self::Near,
            _ => Self::Far,
        }
    }
}

/// How long before its end a key is shown as about to expire: time to make another and to put it where the
/// program finds it.
pub const NEAR: Duration = Duration::from_hours(30 * 24);

macro_rules! entries {
    ($rest:literal, $($argument:expr),*) => {
        sqlx::query_as!(
            Entry,
            r#"select id, name, created_at, created_by, last_used_at, revoked_at, expires_at,
                      extract(epoch from expires_at - now())::float8 as expiry, may_read_audit_log
               from api_keys "# + $rest,
            $($argument),*
        )
    };
}

/// A page of keys: up to `limit`, newest first, before or after the one of these ids.
pub async fn list(db: &Db, before: Option<Uuid>, after: Option<Uuid>, limit: i64) -> StoreResult<Vec<Entry>> {
    let mut found = entries!(
        "where ($1::uuid is null or id < $1) and ($2::uuid is null or id > $2)
         order by case when $2::uuid is null then id end desc, id
         limit $3",
        before,
        after,
        limit
    )
    .fetch_all(db)
    .await?;
    found.sort_by_key(|entry| std::cmp::Reverse(entry.id));
    Ok(found)
}

/// The key of this id, whether it works or not.
pub async fn find_by_id(db: &Db, id: Uuid) -> StoreResult<Option<Entry>> {
    Ok(entries!("where id = $1", id).fetch_optional(db).await?)
}

/// Ends a key: its next call is refused. Returns whether it worked until now.
pub async fn revoke(transaction: &mut Transaction, id: Uuid) -> StoreResult<bool> {
    let done = sqlx::query!(
        "update api_keys set revoked_at = now() where id = $1 and revoked_at is null",
        id,
    )
    .execute(&mut **transaction)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// The keys that work and that this administrator made, newest first.
///
/// A release that recorded only names made some of them; names of administrators do not change.
pub async fn made_by(db: &Db, administrator: Uuid, name: &str) -> StoreResult<Vec<Entry>> {
    Ok(entries!(
        "where revoked_at is null and (expires_at is null or expires_at > now())
           and (created_by_id = $1 or (created_by_id is null and created_by = $2))
         order by id desc",
        administrator,
        name
    )
    .fetch_all(db)
    .await?)
}

/// A key that was revoked.
#[derive(Clone, Debug)]
pub struct Revoked {
    /// Its id.
    pub id: Uuid,
    /// What it was named.
    pub name: String,
}

/// Revokes the keys that work and that this administrator made, except those in `kept`.
pub async fn revoke_made_by(
    transaction: &mut Transaction,
    administrator: Uuid,
    name: &str,
    kept: &[Uuid],
) -> StoreResult<Vec<Revoked>> {
    let revoked = sqlx::query_as!(
        Revoked,
        "update api_keys set revoked_at = now()
         where revoked_at is null and (expires_at is null or expires_at > now()) and id <> all($3)
           and (created_by_id = $1 or (created_by_id is null and created_by = $2))
         returning id, name",
        administrator,
        name,
        kept,
    )
    .fetch_all(&mut **transaction)
    .await?;
    Ok(revoked)
}

/// The key with this digest, unless it was revoked. It may have expired.
pub async fn find(db: &Db, digest: &[u8]) -> StoreResult<Option<ApiKey>> {
    let key = sqlx::query_as!(
        ApiKey,
        r#"select id, name, created_at, last_used_at, expires_at, may_read_audit_log,
                  (last_used_at is null or last_used_at < now() - interval '1 minute') as "is_use_due!",
                  coalesce(expires_at <= now(), false) as "is_expired!"
           from api_keys where digest = $1 and revoked_at is null"#,
        digest,
    )
    .fetch_optional(db)
    .await?;
    Ok(key)
}

/// Notes that a key was used, once when several find it due at the same moment.
pub async fn note_use(db: &Db, id: Uuid) -> StoreResult<()> {
    sqlx::query!(
        "update api_keys set last_used_at = now()
         where id = $1 and (last_used_at is null or last_used_at < now() - interval '1 minute')",
        id,
    )
    .execute(db)
    .await?;
    Ok(())
}

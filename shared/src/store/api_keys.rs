//! API keys. Only their digests are stored.

use super::administrators::lock_access;
use super::{Db, StoreResult, Transaction, within};
use crate::name::find_lookalike;
use std::time::Duration;
use time::OffsetDateTime;
use uuid::Uuid;

/// An API key, without the secret.
#[derive(Clone, Debug)]
pub struct ApiKey {
    /// The id.
    pub id: Uuid,
    /// The name given at creation; the audit log shows `key <name>`.
    pub name: String,
    /// When it was created.
    pub created_at: OffsetDateTime,
    /// When it was last used, to the minute.
    pub last_used_at: Option<OffsetDateTime>,
    /// Whether that was more than a minute ago, so that its use has to be recorded again.
    pub is_use_due: bool,
    /// When it expires; `None` for never.
    pub expires_at: Option<OffsetDateTime>,
    /// Whether it has expired.
    pub is_expired: bool,
    /// Whether it may read the audit log.
    pub may_read_audit_log: bool,
}

/// A key to create.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// The name; the audit log shows `key <name>`.
    pub name: String,
    /// The digest to store.
    pub digest: Vec<u8>,
    /// The name of its creator.
    pub created_by: String,
    /// The creator's id, if they are an administrator.
    pub created_by_id: Option<Uuid>,
    /// How long it is valid; `None` for ever.
    pub expires_after: Option<Duration>,
    /// Whether it may read the audit log.
    pub may_read_audit_log: bool,
}

/// The result of creating a key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Created {
    /// Created, with this id.
    Done(Uuid),
    /// The name is the same as another valid key's, or looks the same.
    NameTaken(String),
}

/// Stores a new key's digest.
pub async fn create(transaction: &mut Transaction, new: &NewKey) -> StoreResult<Created> {
    lock_access(transaction).await?;
    let reading = sqlx::query!(
        "select name from api_keys where revoked_at is null and (expires_at is null or expires_at > now())"
    );
    let working = within(reading.fetch_all(&mut **transaction)).await?;
    if let Some(name) = find_lookalike(&new.name, working.iter().map(|key| key.name.as_str())) {
        return Ok(Created::NameTaken(name.to_owned()));
    }
    let adding = sqlx::query!(
        "insert into api_keys (name, digest, created_by, created_by_id, expires_at, may_read_audit_log)
         values ($1, $2, $3, $4, now() + make_interval(secs => $5), $6) returning id",
        new.name,
        new.digest,
        new.created_by,
        new.created_by_id,
        new.expires_after.map(|duration| duration.as_secs_f64()) as Option<f64>,
        new.may_read_audit_log,
    );
    let row = within(adding.fetch_one(&mut **transaction)).await?;
    Ok(Created::Done(row.id))
}

/// A key in a list.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The id.
    pub id: Uuid,
    /// The name.
    pub name: String,
    /// When it was created.
    pub created_at: OffsetDateTime,
    /// Who created it.
    pub created_by: String,
    /// When it was last used, to the minute.
    pub last_used_at: Option<OffsetDateTime>,
    /// When it was revoked.
    pub revoked_at: Option<OffsetDateTime>,
    /// When it expires; `None` for never.
    pub expires_at: Option<OffsetDateTime>,
    /// How close its expiry is.
    pub expiry: Expiry,
    /// Whether it may read the audit log.
    pub may_read_audit_log: bool,
}

/// How close the expiry of a key is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Expiry {
    /// More than [`NEAR`] away, or never.
    Far,
    /// Within [`NEAR`].
    Near,
    /// Expired.
    Over,
}

impl From<Option<f64>> for Expiry {
    /// Converts the remaining seconds.
    fn from(left: Option<f64>) -> Self {
        match left {
            Some(left) if left <= 0.0 => Self::Over,
            Some(left) if left < NEAR.as_secs_f64() => Self::Near,
            _ => Self::Far,
        }
    }
}

/// How long before its expiry a key is shown as about to expire: enough time to create another one and deploy
/// it.
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

/// A page of keys: up to `limit`, newest first, before or after the one with the given id.
pub async fn list(db: &Db, before: Option<Uuid>, after: Option<Uuid>, limit: i64) -> StoreResult<Vec<Entry>> {
    let reading = entries!(
        "where ($1::uuid is null or id < $1) and ($2::uuid is null or id > $2)
         order by case when $2::uuid is null then id end desc, id
         limit $3",
        before,
        after,
        limit
    );
    let mut found = within(reading.fetch_all(db)).await?;
    found.sort_by_key(|entry| std::cmp::Reverse(entry.id));
    Ok(found)
}

/// The key with this id, valid or not.
pub async fn find_by_id(db: &Db, id: Uuid) -> StoreResult<Option<Entry>> {
    within(entries!("where id = $1", id).fetch_optional(db)).await
}

/// Revokes a key, so that its next call is refused. Returns whether it was valid until now.
pub async fn revoke(transaction: &mut Transaction, id: Uuid) -> StoreResult<bool> {
    let changing = sqlx::query!(
        "update api_keys set revoked_at = now() where id = $1 and revoked_at is null",
        id,
    );
    Ok(within(changing.execute(&mut **transaction)).await?.rows_affected() > 0)
}

/// The valid keys that this administrator created, newest first.
///
/// Some were created by a release that recorded only names; names of administrators do not change.
pub async fn made_by(db: &Db, administrator: Uuid, name: &str) -> StoreResult<Vec<Entry>> {
    let reading = entries!(
        "where revoked_at is null and (expires_at is null or expires_at > now())
           and (created_by_id = $1 or (created_by_id is null and created_by = $2))
         order by id desc",
        administrator,
        name
    );
    within(reading.fetch_all(db)).await
}

/// A revoked key.
#[derive(Clone, Debug)]
pub struct Revoked {
    /// The id.
    pub id: Uuid,
    /// The name.
    pub name: String,
}

/// Revokes the valid keys that this administrator created, except those in `kept`.
pub async fn revoke_made_by(
    transaction: &mut Transaction,
    administrator: Uuid,
    name: &str,
    kept: &[Uuid],
) -> StoreResult<Vec<Revoked>> {
    let changing = sqlx::query_as!(
        Revoked,
        "update api_keys set revoked_at = now()
         where revoked_at is null and (expires_at is null or expires_at > now()) and id <> all($3)
           and (created_by_id = $1 or (created_by_id is null and created_by = $2))
         returning id, name",
        administrator,
        name,
        kept,
    );
    within(changing.fetch_all(&mut **transaction)).await
}

/// The key with this digest, unless it was revoked. It may have expired.
pub async fn find(db: &Db, digest: &[u8]) -> StoreResult<Option<ApiKey>> {
    let reading = sqlx::query_as!(
        ApiKey,
        r#"select id, name, created_at, last_used_at, expires_at, may_read_audit_log,
                  (last_used_at is null or last_used_at < now() - interval '1 minute') as "is_use_due!",
                  coalesce(expires_at <= now(), false) as "is_expired!"
           from api_keys where digest = $1 and revoked_at is null"#,
        digest,
    );
    within(reading.fetch_optional(db)).await
}

/// Records that a key was used; only once if several requests find that due at the same moment.
pub async fn record_use(db: &Db, id: Uuid) -> StoreResult<()> {
    let changing = sqlx::query!(
        "update api_keys set last_used_at = now()
         where id = $1 and (last_used_at is null or last_used_at < now() - interval '1 minute')",
        id,
    );
    within(changing.execute(db)).await?;
    Ok(())
}

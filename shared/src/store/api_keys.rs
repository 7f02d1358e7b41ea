//! Keys that programs call the API with. Only their digests are kept.

use super::{Db, StoreResult, Transaction};
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
}

/// Keeps a new key's digest.
pub async fn create(transaction: &mut Transaction, name: &str, digest: &[u8], created_by: &str) -> StoreResult<Uuid> {
    let row = sqlx::query!(
        "insert into api_keys (name, digest, created_by) values ($1, $2, $3) returning id",
        name,
        digest,
        created_by,
    )
    .fetch_one(&mut **transaction)
    .await?;
    Ok(row.id)
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
    /// Since when it does not work any more.
    pub revoked_at: Option<OffsetDateTime>,
}

macro_rules! entries {
    ($rest:literal, $($argument:expr),*) => {
        sqlx::query_as!(
            Entry,
            "select id, name, created_at, created_by, last_used_at, revoked_at from api_keys " + $rest,
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

/// The key with this digest, unless it was revoked.
pub async fn find(db: &Db, digest: &[u8]) -> StoreResult<Option<ApiKey>> {
    let key = sqlx::query_as!(
        ApiKey,
        r#"select id, name, created_at, last_used_at,
                  (last_used_at is null or last_used_at < now() - interval '1 minute') as "is_use_due!"
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

//! Keys that programs call the API with. Only their digests are kept.

use super::{Db, StoreResult};
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
pub async fn create(db: &Db, name: &str, digest: &[u8]) -> StoreResult<Uuid> {
    let row = sqlx::query!(
        "insert into api_keys (name, digest) values ($1, $2) returning id",
        name,
        digest
    )
    .fetch_one(db)
    .await?;
    Ok(row.id)
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

//! Versions of system emails. A version never changes; saving creates the next one.

use super::audit::{self, Act, Action, Actor};
use super::{Db, StoreResult, begin, commit};
use crate::system_email::SystemEmailKind;
use serde_json::json;
use time::OffsetDateTime;

/// A version of a system email.
#[derive(Clone, Debug)]
pub struct Version {
    /// The system email.
    pub kind: SystemEmailKind,
    /// Its number, counted from 1, which is the shipped text.
    pub version: i32,
    /// Template of the subject.
    pub subject: String,
    /// Template of the body, Markdown.
    pub body: String,
    /// When it was saved.
    pub created_at: OffsetDateTime,
    /// Who saved it.
    pub created_by: String,
}

/// Stores the shipped text as version 1 if there is none.
pub async fn ensure_shipped(db: &Db, kind: SystemEmailKind, subject: &str, body: &str) -> StoreResult<()> {
    sqlx::query!(
        "insert into system_email_versions (kind, version, subject, body, created_by)
         values ($1, 1, $2, $3, 'Beckon') on conflict do nothing",
        kind as _,
        subject,
        body,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The current version.
pub async fn current(db: &Db, kind: SystemEmailKind) -> StoreResult<Option<Version>> {
    let version = sqlx::query_as!(
        Version,
        r#"select kind as "kind: SystemEmailKind", version, subject, body, created_at, created_by
           from system_email_versions where kind = $1 order by version desc limit 1"#,
        kind as _,
    )
    .fetch_optional(db)
    .await?;
    Ok(version)
}

/// The version with this number.
pub async fn find(db: &Db, kind: SystemEmailKind, version: i32) -> StoreResult<Option<Version>> {
    let version = sqlx::query_as!(
        Version,
        r#"select kind as "kind: SystemEmailKind", version, subject, body, created_at, created_by
           from system_email_versions where kind = $1 and version = $2"#,
        kind as _,
        version,
    )
    .fetch_optional(db)
    .await?;
    Ok(version)
}

/// A version in the history, without its body.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its number, counted from 1, which is the shipped text.
    pub version: i32,
    /// Template of the subject.
    pub subject: String,
    /// When it was saved.
    pub created_at: OffsetDateTime,
    /// Who saved it.
    pub created_by: String,
    /// Number of batches sent with it, without test mails; counted up to [`BATCHES_COUNTED`].
    pub batches: i64,
}

/// Limit for counting batches, so that the history need not count a million. Pages show "more than" beyond it.
pub const BATCHES_COUNTED: i64 = 1_000;

/// A page of versions, newest first, before the version `before`.
pub async fn versions(db: &Db, kind: SystemEmailKind, before: Option<i32>, limit: i64) -> StoreResult<Vec<Entry>> {
    let entries = sqlx::query_as!(
        Entry,
        r#"select v.version, v.subject, v.created_at, v.created_by,
                  (select count(*) from (
                       select from batches b
                       where b.kind = v.kind and b.version = v.version and not b.is_test
                       limit $4) counted) as "batches!"
           from system_email_versions v
           where v.kind = $1 and ($2::integer is null or v.version < $2)
           order by v.version desc
           limit $3"#,
        kind as _,
        before,
        limit,
        BATCHES_COUNTED + 1,
    )
    .fetch_all(db)
    .await?;
    Ok(entries)
}

/// Saves the next version and records that, unless another one was saved after `based_on`.
///
/// Returns the new number, or `None` if the text changed meanwhile.
pub async fn save(
    db: &Db,
    kind: SystemEmailKind,
    based_on: i32,
    subject: &str,
    body: &str,
    actor: &Actor,
) -> StoreResult<Option<i32>> {
    let mut transaction = begin(db).await?;
    let saved = sqlx::query!(
        "insert into system_email_versions (kind, version, subject, body, created_by)
         select $1, max(version) + 1, $3, $4, $5 from system_email_versions where kind = $1
         having max(version) = $2
         on conflict do nothing
         returning version",
        kind as _,
        based_on,
        subject,
        body,
        actor.name,
    )
    .fetch_optional(&mut *transaction)
    .await?;
    let Some(saved) = saved else { return Ok(None) };
    let act = Act {
        actor,
        action: Action::SystemEmailSaved,
        subject: Some(format!("system_email {}", kind.as_str())),
        details: json!({ "version": saved.version }),
    };
    audit::note(&mut transaction, &act).await?;
    commit(transaction).await?;
    Ok(Some(saved.version))
}

/// The time in Postgres, which previews and start times use.
pub async fn now(db: impl sqlx::PgExecutor<'_>) -> StoreResult<OffsetDateTime> {
    let row = sqlx::query!(r#"select now() as "now!""#).fetch_one(db).await?;
    Ok(row.now)
}

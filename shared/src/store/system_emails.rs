//! Versions of system emails. A version never changes; saving creates the next one.
//!
//! Versions of the shared text are counted from 1. Wording for one batch has a negative number, so that it is never the
//! version in use.

use super::audit::{Action, Actor, AuditEntry};
use super::intake_lock::lock_intake;
use super::{Db, StoreResult, Transaction, begin, commit, within};
use crate::system_email::{SystemEmailKind, Texts, Translation};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::types::Json;
use time::OffsetDateTime;

/// A version of a system email.
#[derive(Clone, Debug)]
pub struct Version {
    /// The system email.
    pub kind: SystemEmailKind,
    /// Its number, counted from 1, which is the shipped text; negative for wording of one batch.
    pub version: i32,
    /// For wording of one batch: the version of the shared text that it was written from.
    pub based_on: Option<i32>,
    /// Template of the subject.
    pub subject: String,
    /// Template of the body, Markdown.
    pub body: String,
    /// The language of subject and body; may be empty.
    pub language: String,
    /// The same email in other languages.
    pub translations: Json<Vec<Translation>>,
    /// When it was saved.
    pub created_at: OffsetDateTime,
    /// Who saved it.
    pub created_by: String,
}

/// Stores the shipped text as version 1 if there is none.
pub async fn ensure_shipped(db: &Db, kind: SystemEmailKind, subject: &str, body: &str) -> StoreResult<()> {
    let adding = sqlx::query!(
        "insert into system_email_versions (kind, version, subject, body, language, created_by)
         values ($1, 1, $2, $3, 'en', 'Beckon') on conflict do nothing",
        kind as _,
        subject,
        body,
    );
    within(adding.execute(db)).await?;
    Ok(())
}

/// The current version.
pub async fn current(db: &Db, kind: SystemEmailKind) -> StoreResult<Option<Version>> {
    let reading = sqlx::query_as!(
        Version,
        r#"select kind as "kind: SystemEmailKind", version, based_on, subject, body, language,
                  translations as "translations: Json<Vec<Translation>>", created_at, created_by
           from system_email_versions where kind = $1 order by version desc limit 1"#,
        kind as _,
    );
    within(reading.fetch_optional(db)).await
}

/// The version with this number.
pub async fn find(db: &Db, kind: SystemEmailKind, version: i32) -> StoreResult<Option<Version>> {
    let reading = sqlx::query_as!(
        Version,
        r#"select kind as "kind: SystemEmailKind", version, based_on, subject, body, language,
                  translations as "translations: Json<Vec<Translation>>", created_at, created_by
           from system_email_versions where kind = $1 and version = $2"#,
        kind as _,
        version,
    );
    within(reading.fetch_optional(db)).await
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
    let reading = sqlx::query_as!(
        Entry,
        r#"select v.version, v.subject, v.created_at, v.created_by,
                  (select count(*) from (
                       select from batches b
                       where b.kind = v.kind and b.version = v.version and not b.is_test
                       limit $4) counted) as "batches!"
           from system_email_versions v
           where v.kind = $1 and v.version > 0 and ($2::integer is null or v.version < $2)
           order by v.version desc
           limit $3"#,
        kind as _,
        before,
        limit,
        BATCHES_COUNTED + 1,
    );
    within(reading.fetch_all(db)).await
}

/// Saves the next version and records that, unless another one was saved after `based_on`.
///
/// Returns the new number, or `None` if the text changed meanwhile.
pub async fn save(
    db: &Db,
    kind: SystemEmailKind,
    based_on: i32,
    texts: &Texts,
    actor: &Actor,
) -> StoreResult<Option<i32>> {
    let mut transaction = begin(db).await?;
    let adding = sqlx::query!(
        "insert into system_email_versions (kind, version, subject, body, language, translations, created_by)
         select $1, max(version) + 1, $3, $4, $5, $6, $7 from system_email_versions where kind = $1
         having max(version) = $2
         on conflict do nothing
         returning version",
        kind as _,
        based_on,
        texts.default.subject,
        texts.default.body,
        texts.language,
        Json(&texts.translations) as _,
        actor.name,
    );
    let saved = within(adding.fetch_optional(&mut *transaction)).await?;
    let Some(saved) = saved else { return Ok(None) };
    AuditEntry::new(actor, Action::SystemEmailSaved)
        .subject("system_email", kind.as_str())
        .details(json!({ "version": saved.version }))
        .record(&mut transaction)
        .await?;
    commit(transaction).await?;
    Ok(Some(saved.version))
}

/// Wording for one batch. All its users get it, whatever their language.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Wording {
    /// Template of the subject.
    pub subject: String,
    /// Template of the body, Markdown.
    pub body: String,
    /// The version of the shared text that it was written from.
    pub based_on: i32,
    /// The language of the shared text that it was written from.
    #[serde(default)]
    pub language: String,
}

impl Wording {
    /// The texts of a batch with this wording.
    pub fn texts(&self) -> Texts {
        Texts::untranslated(&self.language, &self.subject, &self.body)
    }
}

impl Version {
    /// Its texts in all languages.
    pub fn texts(&self) -> Texts {
        Texts {
            translations: self.translations.0.clone(),
            ..Texts::untranslated(&self.language, &self.subject, &self.body)
        }
    }

    /// The wording, if this is a version for one batch.
    pub fn wording(self) -> Option<Wording> {
        Some(Wording {
            based_on: self.based_on?,
            subject: self.subject,
            body: self.body,
            language: self.language,
        })
    }
}

/// Stores wording for one batch and returns its version. Equal wording has one version, whose batches and test mails
/// share it.
pub(super) async fn store_wording(
    transaction: &mut Transaction,
    kind: SystemEmailKind,
    wording: &Wording,
    author: &str,
) -> StoreResult<i32> {
    lock_intake(transaction, kind).await?;
    let keeping = sqlx::query!(
        r#"with known as (
               select max(version) as version from system_email_versions
               where kind = $1 and version < 0 and subject = $2 and body = $3 and based_on = $4 and language = $6
           ), added as (
               insert into system_email_versions (kind, version, subject, body, based_on, created_by, language)
               select $1, least(min(version), 0) - 1, $2, $3, $4, $5, $6 from system_email_versions where kind = $1
               having (select version from known) is null
               returning version
           )
           select coalesce((select version from known), (select version from added)) as "version!""#,
        kind as _,
        wording.subject,
        wording.body,
        wording.based_on,
        author,
        wording.language,
    );
    Ok(within(keeping.fetch_one(&mut **transaction)).await?.version)
}

/// The time in Postgres, which previews and start times use.
pub async fn now(db: impl sqlx::PgExecutor<'_>) -> StoreResult<OffsetDateTime> {
    let row = within(sqlx::query!(r#"select now() as "now!""#).fetch_one(db)).await?;
    Ok(row.now)
}

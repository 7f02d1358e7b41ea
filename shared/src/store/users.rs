//! The people.

use super::{Db, StoreResult};
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

/// Which users to list. Parts that are absent match everybody.
#[derive(Clone, Debug, Default)]
pub struct UserFilter {
    /// Part of the address or the name.
    pub search: Option<String>,
    /// Brought in by this import.
    pub import: Option<Uuid>,
    /// Has an invite that was sent.
    pub invited: Option<bool>,
    /// Has signed in.
    pub signed_in: Option<bool>,
}

impl UserFilter {
    /// The search as a pattern for `ilike`.
    pub(super) fn pattern(&self) -> Option<String> {
        self.search.as_deref().and_then(pattern)
    }
}

/// A search as a pattern for `ilike`: the text anywhere, none of its signs special.
pub(super) fn pattern(search: &str) -> Option<String> {
    let search = search.trim();
    let escaped = search.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    (!search.is_empty()).then(|| format!("%{escaped}%"))
}

/// A user, with what mails they got.
#[derive(Clone, Debug)]
pub struct User {
    /// Their id.
    pub id: Uuid,
    /// Address as typed.
    pub email: String,
    /// First name, or empty.
    pub first_name: String,
    /// Last name, or empty.
    pub last_name: String,
    /// Language tag, or empty.
    pub language: String,
    /// Other merge fields: an object of strings.
    pub fields: Value,
    /// When they were first brought in.
    pub created_at: OffsetDateTime,
    /// When a password of theirs was first verified.
    pub signed_in_at: Option<OffsetDateTime>,
    /// The state of the latest invite.
    pub invite_state: Option<crate::delivery::DeliveryState>,
    /// When it was sent.
    pub invite_sent_at: Option<OffsetDateTime>,
    /// Whether they chose a password of their own.
    pub has_chosen: bool,
    /// When the latest mailed password stops or stopped working.
    pub password_expires_at: Option<OffsetDateTime>,
    /// Whether it has stopped by now.
    pub password_has_expired: bool,
}

/// A page of users, in the order they came (to the millisecond), after the user `after`.
pub async fn list(db: &Db, filter: &UserFilter, after: Option<Uuid>, limit: i64) -> StoreResult<Vec<User>> {
    let users = sqlx::query_file_as!(
        User,
        "src/store/users.sql",
        filter.pattern(),
        filter.import,
        filter.invited,
        filter.signed_in,
        after,
        limit,
        None::<Uuid>,
    )
    .fetch_all(db)
    .await?;
    Ok(users)
}

/// One user.
pub async fn find(db: &Db, id: Uuid) -> StoreResult<Option<User>> {
    let user = sqlx::query_file_as!(
        User,
        "src/store/users.sql",
        None::<String>,
        None::<Uuid>,
        None::<bool>,
        None::<bool>,
        None::<Uuid>,
        1_i64,
        Some(id),
    )
    .fetch_optional(db)
    .await?;
    Ok(user)
}

/// What to change of a user; what is absent stays.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// Address as typed and as identity.
    pub email: Option<(String, String)>,
    /// First name.
    pub first_name: Option<String>,
    /// Last name.
    pub last_name: Option<String>,
    /// Language tag.
    pub language: Option<String>,
    /// Merge fields to set; one set to null is removed.
    pub fields: Option<Value>,
}

/// How a change went.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Changed {
    /// It is done.
    Done,
    /// There is no such user.
    Unknown,
    /// The address belongs to somebody else.
    AddressTaken,
}

/// Changes a user.
pub async fn change(db: &Db, id: Uuid, change: &Change) -> StoreResult<Changed> {
    let (email, key) = change.email.clone().unzip();
    let done = sqlx::query!(
        "update users
         set email = coalesce($2, email), email_key = coalesce($3, email_key),
             first_name = coalesce($4, first_name), last_name = coalesce($5, last_name),
             language = coalesce($6, language),
             fields = case when $7::jsonb is null then fields else jsonb_strip_nulls(fields || $7) end,
             updated_at = now()
         where id = $1",
        id,
        email,
        key,
        change.first_name,
        change.last_name,
        change.language,
        change.fields,
    )
    .execute(db)
    .await;
    match done {
        Ok(done) if done.rows_affected() == 0 => Ok(Changed::Unknown),
        Ok(_) => Ok(Changed::Done),
        Err(sqlx::Error::Database(fault)) if fault.is_unique_violation() => Ok(Changed::AddressTaken),
        Err(fault) => Err(fault.into()),
    }
}

/// Removes a user and everything that names them; mails owed to them are cancelled, and the
/// ledger keeps its lines without a name.
pub async fn delete(db: &Db, id: Uuid) -> StoreResult<bool> {
    let row = sqlx::query!(
        r#"with cancelled as (
               update deliveries set state = 'cancelled', reason = 'user_deleted', moved_at = now(), lease_until = null
               where user_id = $1 and state in ('waiting', 'queued', 'retrying')
           ), unlinked as (
               delete from import_users where user_id = $1
           ), gone as (
               delete from users where id = $1 returning 1
           )
           select count(*) as "n!" from gone"#,
        id,
    )
    .fetch_one(db)
    .await?;
    Ok(row.n > 0)
}

/// The names of all custom merge fields.
pub async fn field_names(db: &Db) -> StoreResult<Vec<String>> {
    let rows = sqlx::query!("select name from merge_fields order by name")
        .fetch_all(db)
        .await?;
    Ok(rows.into_iter().map(|row| row.name).collect())
}

/// Notes that these merge fields exist.
pub async fn note_fields(db: &Db, names: &[String]) -> StoreResult<()> {
    sqlx::query!(
        "insert into merge_fields (name) select unnest($1::text[]) on conflict do nothing",
        names
    )
    .execute(db)
    .await?;
    Ok(())
}

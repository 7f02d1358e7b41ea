//! The people who use the console.

use super::{Db, StoreResult, Transaction};
use std::time::Duration;
use time::OffsetDateTime;
use uuid::Uuid;

/// How long a password works that Beckon made for somebody: it is handed over by a person, and what
/// lies in a mail or on a note for weeks is read by others.
pub const FIRST_PASSWORD: Duration = Duration::from_hours(7 * 24);

/// Somebody who may sign in to the console, or could once.
#[derive(Clone, Debug)]
pub struct Administrator {
    /// Their id.
    pub id: Uuid,
    /// Their address as typed.
    pub email: String,
    /// What they are called on every page and in the audit log.
    pub name: String,
    /// Whether their password was made by Beckon and handed over.
    pub must_choose: bool,
    /// When they were added.
    pub created_at: OffsetDateTime,
    /// By whom.
    pub created_by: String,
    /// When they last signed in.
    pub signed_in_at: Option<OffsetDateTime>,
    /// Since when they may not.
    pub disabled_at: Option<OffsetDateTime>,
    /// Until when the password works that Beckon made; none where they chose theirs.
    pub first_password_until: Option<OffsetDateTime>,
    /// Whether that is over.
    pub has_first_password_expired: bool,
}

impl Administrator {
    /// Whether they can sign in with some password.
    pub const fn is_enabled(&self) -> bool {
        self.disabled_at.is_none()
    }
}

/// How adding somebody went.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Added {
    /// They are an administrator now.
    Done(Uuid),
    /// Their address is an administrator's already.
    AddressTaken,
    /// Another administrator is called the same.
    NameTaken,
}

/// How disabling somebody went.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Disabled {
    /// They are out.
    Done,
    /// They were before, or there is nobody of this id.
    Already,
    /// They are the last one who could sign in.
    IsLast,
}

/// Somebody to add.
#[derive(Clone, Debug)]
pub struct NewAdministrator {
    /// Address as typed.
    pub email: String,
    /// Address as identity.
    pub email_key: String,
    /// What they are called.
    pub name: String,
    /// What their password is checked against.
    pub verifier: String,
    /// Whether they must choose their own first.
    pub must_choose: bool,
    /// Who adds them.
    pub created_by: String,
}

macro_rules! administrators {
    ($rest:literal, $($argument:expr),*) => {
        sqlx::query_as!(
            Administrator,
            r#"select id, email, name, must_choose, created_at, created_by, signed_in_at, disabled_at,
                      case when must_choose then password_made_at + make_interval(secs => $1) end
                          as first_password_until,
                      must_choose and password_made_at + make_interval(secs => $1) < now()
                          as "has_first_password_expired!"
               from administrators "# + $rest,
            FIRST_PASSWORD.as_secs_f64(),
            $($argument),*
        )
    };
}

/// Adds somebody.
pub async fn add(transaction: &mut Transaction, new: &NewAdministrator) -> StoreResult<Added> {
    let row = sqlx::query!(
        "insert into administrators (email, email_key, name, verifier, must_choose, password_made_at, created_by)
         values ($1, $2, $3, $4, $5, case when $5 then now() end, $6)
         on conflict do nothing returning id",
        new.email,
        new.email_key,
        new.name,
        new.verifier,
        new.must_choose,
        new.created_by,
    )
    .fetch_optional(&mut **transaction)
    .await?;
    if let Some(row) = row {
        return Ok(Added::Done(row.id));
    }
    let address = sqlx::query!(
        r#"select exists (select from administrators where email_key = $1) as "is_taken!""#,
        new.email_key,
    )
    .fetch_one(&mut **transaction)
    .await?;
    Ok(if address.is_taken {
        Added::AddressTaken
    } else {
        Added::NameTaken
    })
}

/// A page of administrators: up to `limit`, newest first, before or after the one of these ids.
pub async fn list(db: &Db, before: Option<Uuid>, after: Option<Uuid>, limit: i64) -> StoreResult<Vec<Administrator>> {
    let mut found = administrators!(
        "where ($2::uuid is null or id < $2) and ($3::uuid is null or id > $3)
         order by case when $3::uuid is null then id end desc, id
         limit $4",
        before,
        after,
        limit
    )
    .fetch_all(db)
    .await?;
    found.sort_by_key(|one| std::cmp::Reverse(one.id));
    Ok(found)
}

/// The administrator of this id.
pub async fn find(db: &Db, id: Uuid) -> StoreResult<Option<Administrator>> {
    Ok(administrators!("where id = $2", id).fetch_optional(db).await?)
}

/// The administrator with this address.
pub async fn find_by_key(db: &Db, email_key: &str) -> StoreResult<Option<Administrator>> {
    Ok(administrators!("where email_key = $2", email_key)
        .fetch_optional(db)
        .await?)
}

/// Whether there is anybody who could sign in.
pub async fn is_anybody(db: &Db) -> StoreResult<bool> {
    let row = sqlx::query!(r#"select exists (select from administrators where disabled_at is null) as "is!""#)
        .fetch_one(db)
        .await?;
    Ok(row.is)
}

/// What is checked when somebody signs in.
#[derive(Clone, Debug)]
pub struct Lock {
    /// Whose.
    pub id: Uuid,
    /// What they are called.
    pub name: String,
    /// The PHC string.
    pub verifier: String,
    /// Whether Beckon made the password, which then may be typed without its hyphens.
    pub must_choose: bool,
}

/// What to check for this address, unless its owner is disabled or the password they were given has
/// become too old.
pub async fn lock_of(db: &Db, email_key: &str) -> StoreResult<Option<Lock>> {
    let lock = sqlx::query_as!(
        Lock,
        "select id, name, verifier, must_choose from administrators
         where email_key = $1 and disabled_at is null
           and (not must_choose or password_made_at + make_interval(secs => $2) > now())",
        email_key,
        FIRST_PASSWORD.as_secs_f64(),
    )
    .fetch_optional(db)
    .await?;
    Ok(lock)
}

/// Gives somebody another password and ends their sessions; disabled ones may sign in again.
pub async fn renew(transaction: &mut Transaction, id: Uuid, verifier: &str, must_choose: bool) -> StoreResult<bool> {
    let done = sqlx::query!(
        "with ended as (delete from sessions where administrator_id = $1)
         update administrators
         set verifier = $2, must_choose = $3, password_made_at = case when $3 then now() end, disabled_at = null
         where id = $1",
        id,
        verifier,
        must_choose,
    )
    .execute(&mut **transaction)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Keeps somebody out: their sessions end at once.
///
/// Whoever disables somebody waits here for others who do, so that two cannot disable each other and
/// leave nobody.
pub async fn disable(transaction: &mut Transaction, id: Uuid) -> StoreResult<Disabled> {
    let enabled = sqlx::query!("select id from administrators where disabled_at is null order by id for update")
        .fetch_all(&mut **transaction)
        .await?;
    if !enabled.iter().any(|row| row.id == id) {
        return Ok(Disabled::Already);
    }
    if enabled.len() == 1 {
        return Ok(Disabled::IsLast);
    }
    sqlx::query!(
        "with ended as (delete from sessions where administrator_id = $1)
         update administrators set disabled_at = now() where id = $1",
        id,
    )
    .execute(&mut **transaction)
    .await?;
    Ok(Disabled::Done)
}

/// Lets somebody in again, with the password they had. Returns whether they were out.
pub async fn enable(transaction: &mut Transaction, id: Uuid) -> StoreResult<bool> {
    let done = sqlx::query!(
        "update administrators set disabled_at = null where id = $1 and disabled_at is not null",
        id,
    )
    .execute(&mut **transaction)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Gives somebody a password to replace and ends their sessions. Returns whether they are enabled:
/// otherwise nothing happens.
pub async fn give_first_password(transaction: &mut Transaction, id: Uuid, verifier: &str) -> StoreResult<bool> {
    let row = sqlx::query!(
        r#"with renewed as (
               update administrators set verifier = $2, must_choose = true, password_made_at = now()
               where id = $1 and disabled_at is null
               returning id
           ), ended as (
               delete from sessions where administrator_id in (select id from renewed)
           )
           select count(*) as "n!" from renewed"#,
        id,
        verifier,
    )
    .fetch_one(&mut **transaction)
    .await?;
    Ok(row.n > 0)
}

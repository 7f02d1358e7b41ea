//! The people who use the console.

use super::{Db, StoreResult, Transaction};
use time::OffsetDateTime;
use uuid::Uuid;

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
            "select id, email, name, must_choose, created_at, created_by, signed_in_at, disabled_at
             from administrators " + $rest,
            $($argument),*
        )
    };
}

/// Adds somebody; nothing when their address is taken.
pub async fn add(transaction: &mut Transaction, new: &NewAdministrator) -> StoreResult<Option<Uuid>> {
    let row = sqlx::query!(
        "insert into administrators (email, email_key, name, verifier, must_choose, created_by)
         values ($1, $2, $3, $4, $5, $6)
         on conflict (email_key) do nothing returning id",
        new.email,
        new.email_key,
        new.name,
        new.verifier,
        new.must_choose,
        new.created_by,
    )
    .fetch_optional(&mut **transaction)
    .await?;
    Ok(row.map(|row| row.id))
}

/// The administrator with this address.
pub async fn find_by_key(db: &Db, email_key: &str) -> StoreResult<Option<Administrator>> {
    Ok(administrators!("where email_key = $1", email_key)
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

/// What to check for this address, unless its owner is disabled.
pub async fn lock_of(db: &Db, email_key: &str) -> StoreResult<Option<Lock>> {
    let lock = sqlx::query_as!(
        Lock,
        "select id, name, verifier, must_choose from administrators where email_key = $1 and disabled_at is null",
        email_key,
    )
    .fetch_optional(db)
    .await?;
    Ok(lock)
}

/// Gives somebody another password and ends their sessions; disabled ones may sign in again.
pub async fn renew(transaction: &mut Transaction, id: Uuid, verifier: &str, must_choose: bool) -> StoreResult<bool> {
    let done = sqlx::query!(
        "with ended as (delete from sessions where administrator_id = $1)
         update administrators set verifier = $2, must_choose = $3, disabled_at = null where id = $1",
        id,
        verifier,
        must_choose,
    )
    .execute(&mut **transaction)
    .await?;
    Ok(done.rows_affected() > 0)
}

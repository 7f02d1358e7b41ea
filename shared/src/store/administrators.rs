//! The people who use the console.
//!
//! What ends a password ends its sessions as well, in a second statement: the first waits for sign-ins that
//! are under way, and only a later one sees the sessions that they have begun.

use super::{Db, StoreResult, Transaction};
use crate::name::look_alike;
use crate::password::dummy_verifier;
use std::time::Duration;
use time::OffsetDateTime;
use uuid::Uuid;

/// How long a new administrator has to choose a password: what a person hands over and lies in a mail or
/// on a note for weeks is read by others.
pub const FIRST_PASSWORD: Duration = Duration::from_hours(7 * 24);

/// How long the link works with which an administrator chooses another password. They are expected at work,
/// so it is shorter.
pub const RESET_LINK: Duration = Duration::from_hours(24);

/// Somebody who may sign in to the console, or could once.
#[derive(Clone, Debug)]
pub struct Administrator {
    /// Their id.
    pub id: Uuid,
    /// Their address as typed.
    pub email: String,
    /// What they are called on every page and in the audit log.
    pub name: String,
    /// Whether they have no password of their own yet.
    pub must_choose: bool,
    /// When they were added.
    pub created_at: OffsetDateTime,
    /// By whom.
    pub created_by: String,
    /// When they last signed in.
    pub signed_in_at: Option<OffsetDateTime>,
    /// Since when they may not.
    pub disabled_at: Option<OffsetDateTime>,
    /// Until when they can choose a password: with a link, or with the first password that an earlier
    /// release made. None where they have chosen.
    pub can_choose_until: Option<OffsetDateTime>,
    /// Whether that is over.
    pub is_too_late_to_choose: bool,
}

impl Administrator {
    /// Whether they can sign in with some password.
    pub const fn is_enabled(&self) -> bool {
        self.disabled_at.is_none()
    }
}

/// How adding somebody went.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Added {
    /// They are an administrator now.
    Done(Uuid),
    /// Their address is an administrator's already.
    AddressTaken,
    /// The name of another administrator is the same or looks the same.
    NameTaken(String),
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
    /// How they get in.
    pub access: Access,
    /// Who adds them.
    pub created_by: String,
}

/// How a new administrator gets in.
#[derive(Clone, Debug)]
pub enum Access {
    /// With the password that has this verifier.
    Password(String),
    /// With a link in which the token has this digest; they choose a password there.
    Link(Vec<u8>),
}

macro_rules! administrators {
    ($rest:literal, $($argument:expr),*) => {
        sqlx::query_as!(
            Administrator,
            r#"select id, email, name, must_choose, created_at, created_by, signed_in_at, disabled_at,
                      case when must_choose
                           then coalesce(link_expires_at, password_made_at + make_interval(secs => $1)) end
                          as can_choose_until,
                      must_choose and coalesce(link_expires_at, password_made_at + make_interval(secs => $1)) < now()
                          as "is_too_late_to_choose!"
               from administrators "# + $rest,
            FIRST_PASSWORD.as_secs_f64(),
            $($argument),*
        )
    };
}

/// Lets one transaction at a time change who has access: administrators and API keys.
///
/// So names stay unlike each other without a unique index, and whoever is being disabled or signed out hands
/// out no more access.
pub async fn lock_access(transaction: &mut Transaction) -> StoreResult<()> {
    sqlx::query!("select pg_advisory_xact_lock(hashtextextended('access', 0))")
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// Adds an administrator.
pub async fn add(transaction: &mut Transaction, new: &NewAdministrator) -> StoreResult<Added> {
    lock_access(transaction).await?;
    let known = sqlx::query!("select name, email_key from administrators")
        .fetch_all(&mut **transaction)
        .await?;
    if known.iter().any(|one| one.email_key == new.email_key) {
        return Ok(Added::AddressTaken);
    }
    if let Some(name) = look_alike(&new.name, known.iter().map(|one| one.name.as_str())) {
        return Ok(Added::NameTaken(name.to_owned()));
    }
    let (verifier, link) = match &new.access {
        Access::Password(verifier) => (verifier.clone(), None),
        Access::Link(digest) => (dummy_verifier().as_stored().to_owned(), Some(digest.as_slice())),
    };
    let row = sqlx::query!(
        "insert into administrators (email, email_key, name, verifier, must_choose, password_made_at, link_digest,
                                     link_expires_at, created_by)
         values ($1, $2, $3, $4, $5, case when $5 then now() end, $6,
                 case when $5 then now() + make_interval(secs => $7) end, $8)
         returning id",
        new.email,
        new.email_key,
        new.name,
        verifier,
        link.is_some(),
        link,
        FIRST_PASSWORD.as_secs_f64(),
        new.created_by,
    )
    .fetch_one(&mut **transaction)
    .await?;
    Ok(Added::Done(row.id))
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

/// Sets the password of an administrator from the server itself, ends their sessions, and enables them.
/// Returns whether there is one of this id.
pub async fn renew(transaction: &mut Transaction, id: Uuid, verifier: &str) -> StoreResult<bool> {
    lock_access(transaction).await?;
    let done = sqlx::query!(
        "update administrators
         set verifier = $2, must_choose = false, password_made_at = null, link_digest = null,
             link_expires_at = null, disabled_at = null
         where id = $1",
        id,
        verifier,
    )
    .execute(&mut **transaction)
    .await?;
    end_sessions(transaction, id).await?;
    Ok(done.rows_affected() > 0)
}

/// An administrator's change of their own password.
#[derive(Clone, Copy, Debug)]
pub struct OwnChange<'c> {
    /// Who.
    pub id: Uuid,
    /// What the session is stored under in which they ask for it.
    pub session: &'c [u8],
    /// The verifier they have shown to know, or that was made for them.
    pub checked: &'c str,
    /// That of the password they have chosen.
    pub verifier: &'c str,
}

/// Changes an administrator's own password and ends all their sessions.
///
/// Returns whether it did: not when the session has ended, when they were disabled, or when their password
/// was changed after it was checked.
pub async fn change_own(transaction: &mut Transaction, change: OwnChange<'_>) -> StoreResult<bool> {
    let done = sqlx::query!(
        "update administrators
         set verifier = $4, must_choose = false, password_made_at = null, link_digest = null, link_expires_at = null
         where id = $1 and verifier = $3 and disabled_at is null
           and exists (select from sessions where digest = $2 and administrator_id = $1)",
        change.id,
        change.session,
        change.checked,
        change.verifier,
    )
    .execute(&mut **transaction)
    .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    end_sessions(transaction, change.id).await?;
    Ok(true)
}

async fn end_sessions(transaction: &mut Transaction, id: Uuid) -> StoreResult<()> {
    sqlx::query!("delete from sessions where administrator_id = $1", id)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// Disables an administrator: their sessions end at once, and a link that they have not used does.
///
/// The last administrator who is enabled stays, also when two disable each other.
pub async fn disable(transaction: &mut Transaction, id: Uuid) -> StoreResult<Disabled> {
    lock_access(transaction).await?;
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
        "update administrators
         set disabled_at = now(), link_digest = null, link_expires_at = least(link_expires_at, now())
         where id = $1",
        id,
    )
    .execute(&mut **transaction)
    .await?;
    end_sessions(transaction, id).await?;
    Ok(Disabled::Done)
}

/// Enables an administrator again, with the password they had. Returns whether they were disabled.
pub async fn enable(transaction: &mut Transaction, id: Uuid) -> StoreResult<bool> {
    let done = sqlx::query!(
        "update administrators set disabled_at = null where id = $1 and disabled_at is not null",
        id,
    )
    .execute(&mut **transaction)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Ends the password and the sessions of an administrator, who chooses another with a link.
///
/// Returns whether they are enabled: otherwise nothing happens. A link made before stops working.
pub async fn give_link(transaction: &mut Transaction, id: Uuid, digest: &[u8]) -> StoreResult<bool> {
    let nothing_matches = dummy_verifier();
    let done = sqlx::query!(
        "update administrators
         set verifier = $2, must_choose = true, password_made_at = now(), link_digest = $3,
             link_expires_at = now() + make_interval(secs => $4)
         where id = $1 and disabled_at is null",
        id,
        nothing_matches.as_stored(),
        digest,
        RESET_LINK.as_secs_f64(),
    )
    .execute(&mut **transaction)
    .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    end_sessions(transaction, id).await?;
    Ok(true)
}

/// The administrator whose link has this digest, while it works.
pub async fn find_by_link(db: &Db, digest: &[u8]) -> StoreResult<Option<Administrator>> {
    Ok(administrators!(
        "where link_digest = $2 and link_expires_at > now() and must_choose and disabled_at is null",
        digest
    )
    .fetch_optional(db)
    .await?)
}

/// Uses a link: sets the password its owner has chosen. Returns them, unless the link no longer works.
pub async fn use_link(transaction: &mut Transaction, digest: &[u8], verifier: &str) -> StoreResult<Option<Lock>> {
    let owner = sqlx::query_as!(
        Lock,
        "update administrators
         set verifier = $2, must_choose = false, password_made_at = null, link_digest = null, link_expires_at = null
         where link_digest = $1 and link_expires_at > now() and must_choose and disabled_at is null
         returning id, name, verifier, must_choose",
        digest,
        verifier,
    )
    .fetch_optional(&mut **transaction)
    .await?;
    if let Some(owner) = &owner {
        end_sessions(transaction, owner.id).await?;
    }
    Ok(owner)
}

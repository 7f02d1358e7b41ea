//! Taking an import back, while nobody has heard of it.
//!
//! The users that it created are removed, but for those a later import names as well. What it
//! changed about other users stays changed: the values before it are not kept.

use super::ImportState;
use crate::store::{Db, StoreResult, Transaction};
use crate::system_email::SystemEmailKind;
use uuid::Uuid;

/// What undoing an import would do, and what stands in its way.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Outlook {
    /// Users it created that would be removed.
    pub removed: i64,
    /// Users it created that would stay, because a later import names them as well.
    pub kept: i64,
    /// How many of those to be removed were emailed, or are about to be.
    pub emailed: i64,
    /// How many of them have signed in.
    pub signed_in: i64,
}

impl Outlook {
    /// Whether nothing stands in the way.
    pub const fn is_clear(&self) -> bool {
        self.emailed == 0 && self.signed_in == 0
    }
}

/// How undoing went.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Undone {
    /// It is done; so many users were removed.
    Done(i64),
    /// The import is not there, or not done, or undone already: this is its state.
    NotNow(Option<ImportState>),
    /// People know of it.
    Known(Outlook),
}

/// Whether anybody whom an import created or changed was emailed since: the first one found ends
/// the search. A mail that waits counts, one that was cancelled before its first attempt does not.
pub async fn is_anybody_emailed(db: &Db, import: Uuid) -> StoreResult<bool> {
    let row = sqlx::query!(
        r#"select exists (
               select from import_users i
               where i.import_id = $1
                 and (exists (select from last_sent where user_id = i.user_id)
                      or exists (
                          select from deliveries d
                          where d.user_id = i.user_id
                            -- Months before the import and after this one are not looked at.
                            and d.id >= (select uuid_v7_from(created_at) from imports where id = $1)
                            and d.id < uuid_v7_from(now() + interval '1 hour')
                            and not (d.state in ('cancelled', 'suppressed', 'expired') and d.attempt = 0)))
           ) as "is_emailed!""#,
        import,
    )
    .fetch_one(db)
    .await?;
    Ok(row.is_emailed)
}

macro_rules! outlook {
    ($import:expr) => {
        sqlx::query_as!(
            Outlook,
            r#"select count(*) filter (where not is_kept) as "removed!", count(*) filter (where is_kept) as "kept!",
                      count(*) filter (where not is_kept and is_emailed) as "emailed!",
                      count(*) filter (where not is_kept and is_signed_in) as "signed_in!"
               from (
                   select exists (
                              select from import_users later
                              where later.user_id = i.user_id and later.import_id <> i.import_id) as is_kept,
                          exists (select from last_sent where user_id = i.user_id)
                              or exists (
                                  select from deliveries d
                                  where d.user_id = i.user_id
                                    and not (d.state in ('cancelled', 'suppressed', 'expired') and d.attempt = 0)
                              ) as is_emailed,
                          exists (
                              select from users u
                              where u.id = i.user_id and u.signed_in_at is not null) as is_signed_in
                   from import_users i
                   where i.import_id = $1 and i.effect = 'created'
               ) created"#,
            $import,
        )
    };
}

/// What undoing an import would do now.
pub async fn outlook(db: &Db, import: Uuid) -> StoreResult<Outlook> {
    Ok(outlook!(import).fetch_one(db).await?)
}

/// Undoes an import, unless somebody whom it created was emailed or has signed in.
///
/// Meanwhile no batch is accepted and nothing is imported, so that what it finds holds until the
/// transaction ends.
pub async fn undo(transaction: &mut Transaction, import: Uuid, ended_by: &str) -> StoreResult<Undone> {
    super::rows::take_turn(transaction).await?;
    for kind in SystemEmailKind::ALL {
        crate::store::intake::take_turn(transaction, kind).await?;
    }
    let state = sqlx::query_scalar!(
        r#"select state as "state: ImportState" from imports where id = $1 for update"#,
        import
    )
    .fetch_optional(&mut **transaction)
    .await?;
    if state != Some(ImportState::Done) {
        return Ok(Undone::NotNow(state));
    }
    let outlook = outlook!(import).fetch_one(&mut **transaction).await?;
    if !outlook.is_clear() {
        return Ok(Undone::Known(outlook));
    }
    let row = sqlx::query!(
        r#"with created as materialized (
               select i.user_id from import_users i
               where i.import_id = $1 and i.effect = 'created'
                 and not exists (
                     select from import_users later
                     where later.user_id = i.user_id and later.import_id <> i.import_id)
           ), unlinked as (
               delete from import_users where import_id = $1 and user_id in (select user_id from created)
           ), gone as (
               delete from users where id in (select user_id from created) returning 1
           ), counted as (
               select count(*)::integer as n from gone
           )
           update imports
           set state = 'undone', ended_at = now(), ended_by = $2, removed_count = counted.n
           from counted where id = $1
           returning removed_count"#,
        import,
        ended_by,
    )
    .fetch_one(&mut **transaction)
    .await?;
    Ok(Undone::Done(row.removed_count.into()))
}

//! Undoing an import.
//!
//! The users that it created are removed, except those in a later import, as long as none of them was emailed or has
//! signed in. The users that it updated get their former values back, unless one of these values was changed since.
//! The former values are kept as long as the rejected rows of the import.

use super::{ImportState, UndoneCounts};
use crate::store::intake_lock::lock_intake;
use crate::store::{Db, StoreResult, Transaction, begin, until_moved};
use crate::system_email::SystemEmailKind;
use uuid::Uuid;

/// The expected result of undoing an import, and what prevents it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct UndoForecast {
    /// Created users that would be removed.
    pub removed: i64,
    /// Created users that would be kept, because a later import contains them as well.
    pub kept: i64,
    /// Number of users to be removed who were emailed or are about to be.
    pub emailed: i64,
    /// Number of users to be removed who have signed in.
    pub signed_in: i64,
    /// Updated users who would get their former values back.
    pub restored: i64,
    /// Updated users who would keep the new values, because they were changed since.
    pub changed_since: i64,
}

impl UndoForecast {
    /// Whether the created users can be removed.
    pub const fn is_clear(&self) -> bool {
        self.emailed == 0 && self.signed_in == 0
    }
}

/// The result of undoing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum UndoResult {
    /// The import is undone.
    Done(UndoneCounts),
    /// The import does not exist, is not stored, or is already undone; with its state.
    NotNow(Option<ImportState>),
    /// Nothing can be undone: created users were emailed or have signed in, and no updated user can be restored.
    Known(UndoForecast),
}

/// Whether any user whom an import created or changed was emailed since. Stops at the first one. A waiting mail
/// counts, one that was cancelled before its first attempt does not.
pub async fn is_any_user_emailed(db: &Db, import: Uuid) -> StoreResult<bool> {
    let reading = sqlx::query!(
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
    );
    Ok(until_moved(reading.fetch_one(db)).await?.is_emailed)
}

macro_rules! created {
    ($import:expr) => {
        sqlx::query!(
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

/// The updated users of an import, and whether all their changed values are still as the import set them: applying the
/// changes again would have no effect.
macro_rules! updated {
    ($import:expr) => {
        sqlx::query!(
            r#"select count(*) filter (where is_as_imported) as "restored!",
                      count(*) filter (where not is_as_imported) as "changed_since!"
               from (
                   select now.person = jsonb_strip_nulls(now.person || c.after) as is_as_imported
                   from import_changes c join users u on u.id = c.user_id
                   cross join lateral (
                       select u.fields || jsonb_build_object(
                           'first_name', u.first_name, 'last_name', u.last_name, 'language', u.language) as person
                   ) now
                   where c.import_id = $1
               ) updated"#,
            $import,
        )
    };
}

/// The expected result of undoing an import now.
pub async fn undo_forecast(db: &Db, import: Uuid) -> StoreResult<UndoForecast> {
    let mut transaction = begin(db).await?;
    forecast_within(&mut transaction, import).await
}

async fn forecast_within(transaction: &mut Transaction, import: Uuid) -> StoreResult<UndoForecast> {
    let created = until_moved(created!(import).fetch_one(&mut **transaction)).await?;
    let updated = until_moved(updated!(import).fetch_one(&mut **transaction)).await?;
    Ok(UndoForecast {
        removed: created.removed,
        kept: created.kept,
        emailed: created.emailed,
        signed_in: created.signed_in,
        restored: updated.restored,
        changed_since: updated.changed_since,
    })
}

/// Undoes an import. If a created user was emailed or has signed in, all created users are kept.
///
/// No batch is accepted and nothing is imported during the transaction, so that its findings about created users stay
/// true.
pub async fn undo(transaction: &mut Transaction, import: Uuid, ended_by: &str) -> StoreResult<UndoResult> {
    super::file::take_turn(transaction).await?;
    for kind in SystemEmailKind::ALL {
        lock_intake(transaction, kind).await?;
    }
    let locking = sqlx::query_scalar!(
        r#"select state as "state: ImportState" from imports where id = $1 for update"#,
        import
    );
    let state = until_moved(locking.fetch_optional(&mut **transaction)).await?;
    if state != Some(ImportState::Done) {
        return Ok(UndoResult::NotNow(state));
    }
    let outlook = forecast_within(transaction, import).await?;
    if !outlook.is_clear() && outlook.restored == 0 {
        return Ok(UndoResult::Known(outlook));
    }
    let (restored, kept) = restore(transaction, import).await?;
    let removing = sqlx::query!(
        r#"with created as materialized (
               select i.user_id from import_users i
               where $3 and i.import_id = $1 and i.effect = 'created'
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
           set state = 'undone', ended_at = now(), ended_by = $2, removed_count = counted.n, restored_count = $4,
               kept_count = $5
           from counted where id = $1
           returning removed_count"#,
        import,
        ended_by,
        outlook.is_clear(),
        restored,
        kept,
    );
    let row = until_moved(removing.fetch_one(&mut **transaction)).await?;
    Ok(UndoResult::Done(UndoneCounts {
        removed: row.removed_count,
        restored,
        kept,
    }))
}

/// Restores the former values of updated users, except those changed since, and deletes the stored values. Returns how
/// many users were restored and how many were not.
async fn restore(transaction: &mut Transaction, import: Uuid) -> StoreResult<(i32, i32)> {
    let restoring = sqlx::query!(
        r#"with updated as materialized (
               select u.id, c.before,
                      now.person = jsonb_strip_nulls(now.person || c.after) as is_as_imported
               from import_changes c join users u on u.id = c.user_id
               cross join lateral (
                   select u.fields || jsonb_build_object(
                       'first_name', u.first_name, 'last_name', u.last_name, 'language', u.language) as person
               ) now
               where c.import_id = $1
               -- The same order everywhere, so that statements cannot deadlock.
               order by u.email_key
               for no key update of u
           ), restored as (
               update users u
               set first_name = coalesce(c.before ->> 'first_name', u.first_name),
                   last_name = coalesce(c.before ->> 'last_name', u.last_name),
                   language = coalesce(c.before ->> 'language', u.language),
                   -- A field that they did not have is null, and goes.
                   fields = jsonb_strip_nulls(
                       u.fields || (c.before - array['first_name', 'last_name', 'language'])),
                   updated_at = now()
               from updated c
               where u.id = c.id and c.is_as_imported
           ), unneeded as (
               delete from import_changes where import_id = $1
           )
           select count(*) filter (where is_as_imported)::integer as "restored!",
                  count(*) filter (where not is_as_imported)::integer as "kept!"
           from updated"#,
        import,
    );
    let row = until_moved(restoring.fetch_one(&mut **transaction)).await?;
    Ok((row.restored, row.kept))
}

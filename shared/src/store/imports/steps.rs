//! Imports in steps: an administrator reviews the file between checking and storing.
//!
//! Each step is one guarded statement. Work begins by increasing `run`, and reports its progress and its end with
//! that number. A process that takes over increases the number again, and further reports with the old number have
//! no effect. So two clicks, two tabs or two processes begin the work once, and a slow process cannot end work that
//! another one has taken over.

use super::file::File;
use super::{Accepting, ImportCounts, ImportMode, ProblemCount, Trouble};
use crate::store::{Db, StoreResult, Transaction, seconds, until_moved, within};
use serde_json::Value;
use std::time::Duration;
use uuid::Uuid;

/// Work without a progress report for this long counts as interrupted. Reports come every second; in between, work
/// waits at most this long for a busy Postgres, which is the timeout of a statement.
pub const MAX_SILENCE: Duration = Duration::from_secs(30);

/// A file that is not stored within this many days is discarded.
pub const KEPT_DAYS: i32 = 7;

/// An upload.
#[derive(Clone, Debug)]
pub struct Upload {
    /// Identifies the submitted form.
    pub form_token: Uuid,
    /// The name of the file.
    pub file_name: String,
    /// SHA-256 of the file.
    pub digest: Vec<u8>,
    /// Who uploaded it.
    pub created_by: String,
    /// Whether users are created, updated or both.
    pub mode: ImportMode,
    /// Whether an empty cell clears the value.
    pub clears_empty: bool,
}

/// The result of an upload.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Uploaded {
    /// A new import, whose parts are stored in the same transaction.
    New(Uuid),
    /// The form was submitted before with the same file, which is this import.
    Again(Uuid),
}

/// Work on an import, with its number.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Work {
    /// The import.
    pub import: Uuid,
    /// How often work on it has begun.
    pub run: i32,
}

/// Records an upload. A form that is submitted again with another file creates a new import: the administrator has
/// gone back and chosen another file.
pub async fn upload(transaction: &mut Transaction, upload: &Upload) -> StoreResult<Uploaded> {
    let creating = sqlx::query!(
        "insert into imports (file_name, created_by, state, form_token, digest, progress_at, mode, clears_empty)
         values ($1, $2, 'checking', $3, $4, '-infinity', $5, $6)
         on conflict (form_token) do nothing
         returning id",
        upload.file_name,
        upload.created_by,
        upload.form_token,
        upload.digest,
        upload.mode.as_str(),
        upload.clears_empty,
    );
    let created = within(creating.fetch_optional(&mut **transaction)).await?;
    if let Some(created) = created {
        return Ok(Uploaded::New(created.id));
    }
    let creating = sqlx::query!(
        r#"with same as (
               select id from imports where form_token = $3 and digest = $4
           ), other as (
               insert into imports (file_name, created_by, state, digest, progress_at, mode, clears_empty)
               select $1, $2, 'checking', $4, '-infinity', $5, $6 where not exists (select from same)
               returning id
           )
           select id as "id!", true as "is_same!" from same union all select id, false from other"#,
        upload.file_name,
        upload.created_by,
        upload.form_token,
        upload.digest,
        upload.mode.as_str(),
        upload.clears_empty,
    );
    let row = within(creating.fetch_one(&mut **transaction)).await?;
    Ok(if row.is_same {
        Uploaded::Again(row.id)
    } else {
        Uploaded::New(row.id)
    })
}

/// Begins to check an import, or begins again after an interruption. Returns `None` if another process checks it or
/// there is nothing to check.
///
/// `sheet` is the sheet to read, for a spreadsheet with several.
pub async fn begin_check(db: &Db, import: Uuid, sheet: Option<&str>) -> StoreResult<Option<Work>> {
    let begun = sqlx::query!(
        "update imports set run = run + 1, progress_at = now(), progress_rows = 0, rows_per_second = null,
             trouble = null, sheet = coalesce($3, sheet)
         where id = $1 and state = 'checking' and progress_at < now() - make_interval(secs => $2::float8)
         returning run",
        import,
        seconds(MAX_SILENCE),
        sheet,
    );
    let begun = within(begun.fetch_optional(db)).await?;
    Ok(begun.map(|row| Work { import, run: row.run }))
}

/// Begins to store a checked import with at least one good row, or begins again after an interruption. Returns
/// `None` as [`begin_check`] does.
///
/// The rows with acceptable problems that are accepted are good as well.
pub async fn begin_store(db: &Db, import: Uuid, accepting: &Accepting) -> StoreResult<Option<Work>> {
    let begun = sqlx::query!(
        "update imports
         set state = 'storing', run = run + 1, progress_at = now(), progress_rows = 0, rows_per_second = null,
             trouble = null, accepts_doubtful = case when state = 'checked' then $3 else accepts_doubtful end,
             accepted_problems = case when state = 'checked' then $4 else accepted_problems end
         where id = $1
           and (state = 'checked'
                and rejected_count - case when $3 or $4::text[] is not null then doubtful_count else 0 end < row_count
                or state = 'storing' and progress_at < now() - make_interval(secs => $2::float8))
         returning run",
        import,
        seconds(MAX_SILENCE),
        accepting.is_everything(),
        accepting.problems(),
    );
    let begun = within(begun.fetch_optional(db)).await?;
    Ok(begun.map(|row| Work { import, run: row.run }))
}

/// The progress of work on an import.
#[derive(Clone, Copy, Debug)]
pub struct ImportProgress {
    /// Number of rows processed.
    pub rows: i32,
    /// Number of rows in the file.
    pub of_rows: i32,
    /// Rows processed per second, once that is known.
    pub rows_per_second: Option<i32>,
}

/// Reports progress. Returns `false` if another process has taken over.
pub async fn progress(db: &Db, work: Work, reached: ImportProgress) -> StoreResult<bool> {
    let reporting = sqlx::query!(
        "update imports set progress_at = now(), progress_rows = $3, row_count = $4, rows_per_second = $5
         where id = $1 and run = $2 and state in ('checking', 'storing')",
        work.import,
        work.run,
        reached.rows,
        reached.of_rows,
        reached.rows_per_second,
    );
    Ok(within(reporting.execute(db)).await?.rows_affected() > 0)
}

/// Completes the check of an import, in the transaction that stores its rejected rows. Returns `false` if another
/// process has taken over; the transaction must then be rolled back.
pub async fn checked(
    transaction: &mut Transaction,
    work: Work,
    file: &File,
    totals: &ImportCounts,
    problem_counts: &[ProblemCount],
) -> StoreResult<bool> {
    let changing = sqlx::query!(
        "update imports
         set state = 'checked', header = $3, separator = $4, row_count = $5, progress_rows = $5,
             rejected_count = $6, blank_count = $7, problem_counts = $8, created_count = $9, updated_count = $10,
             unchanged_count = $11, duplicate_count = $12, doubtful_count = $13, format = $14, sheet = $15,
             header_row = $16, hidden_row_count = $17, ignored_count = $18,
             mapping_is_remembered = mapping is null and $19::jsonb is not null or mapping_is_remembered,
             mapping = $19, hidden_sheets = $20
         where id = $1 and run = $2 and state = 'checking'",
        work.import,
        work.run,
        &file.header,
        file.separator.to_string(),
        totals.rows,
        totals.rejected,
        totals.blank,
        serde_json::to_value(problem_counts).unwrap_or_default(),
        totals.created,
        totals.updated,
        totals.unchanged,
        totals.duplicates,
        totals.doubtful,
        file.format,
        file.sheet,
        file.header_row,
        file.hidden_rows,
        totals.ignored,
        file.mapping,
        &file.hidden_sheets,
    );
    Ok(until_moved(changing.execute(&mut **transaction)).await?.rows_affected() > 0)
}

/// Ends the check of an unreadable file and deletes the file.
pub async fn unreadable(db: &Db, work: Work, trouble: &Trouble) -> StoreResult<bool> {
    let done = sqlx::query!(
        "with unneeded as (
             delete from import_parts p using imports i
             where p.import_id = $1 and i.id = $1 and i.run = $2 and i.state = 'checking'
         )
         update imports set state = 'unreadable', trouble = $3, row_count = 0, progress_rows = 0
         where id = $1 and run = $2 and state = 'checking'",
        work.import,
        work.run,
        written(trouble),
    );
    Ok(within(done.execute(db)).await?.rows_affected() > 0)
}

/// Reports that the work failed, with the cause. It can be begun again immediately.
pub async fn interrupt(db: &Db, work: Work, trouble: &Trouble) -> StoreResult<bool> {
    let done = sqlx::query!(
        "update imports set progress_at = '-infinity', trouble = $3
         where id = $1 and run = $2 and state in ('checking', 'storing')",
        work.import,
        work.run,
        written(trouble),
    );
    Ok(within(done.execute(db)).await?.rows_affected() > 0)
}

/// Discards an import that is not stored. Work in progress loses its number and has no effect.
pub async fn discard(transaction: &mut Transaction, import: Uuid, ended_by: &str) -> StoreResult<bool> {
    let changing = sqlx::query!(
        "update imports set state = 'discarded', run = run + 1, ended_at = now(), ended_by = $2
         where id = $1
           and (state in ('checking', 'checked', 'unreadable')
                or state = 'storing' and progress_at < now() - make_interval(secs => $3::float8))",
        import,
        ended_by,
        seconds(MAX_SILENCE),
    );
    let discarded = until_moved(changing.execute(&mut **transaction)).await?;
    if discarded.rows_affected() == 0 {
        return Ok(false);
    }
    // A separate statement, so that it sees the rows of a check that has just ended.
    let deleting = sqlx::query!(
        "with unneeded as (delete from import_parts where import_id = $1),
              changes as (delete from import_changes where import_id = $1)
         delete from import_rejects where import_id = $1",
        import
    );
    until_moved(deleting.execute(&mut **transaction)).await?;
    Ok(true)
}

/// Discards up to `most` imports that were not stored within [`KEPT_DAYS`] days. Returns how many.
pub async fn discard_forgotten(db: &Db, most: i64) -> StoreResult<i64> {
    let row = sqlx::query!(
        r#"with forgotten as (
               select id from imports
               where state in ('checking', 'checked', 'storing', 'unreadable')
                 and created_at < now() - make_interval(days => $1)
                 and progress_at < now() - make_interval(secs => $3::float8)
               order by created_at limit $2
               for update skip locked
           ), ended as (
               update imports i set state = 'discarded', run = run + 1, ended_at = now()
               from forgotten f where i.id = f.id
               returning i.id
           ), unneeded as (
               delete from import_parts where import_id in (select id from ended)
           ), rejects as (
               delete from import_rejects where import_id in (select id from ended)
           ), changes as (
               delete from import_changes where import_id in (select id from ended)
           )
           select count(*) as "n!" from ended"#,
        KEPT_DAYS,
        most,
        seconds(MAX_SILENCE),
    );
    Ok(within(row.fetch_one(db)).await?.n)
}

fn written(trouble: &Trouble) -> Value {
    serde_json::to_value(trouble).unwrap_or_default()
}

//! An import that a person looks at between checking and storing.
//!
//! Each step is one guarded statement. Work begins by raising `run`, and says with that number
//! that it goes on and how it ended; whoever begins it again raises the number once more, and
//! what the first one still says moves nothing. So two clicks, two tabs and two processes begin it
//! once, and a process that was only slow cannot end what has passed to another.

use super::rows::File;
use super::{ImportMode, ProblemCount, Totals, Trouble};
use crate::store::{Db, StoreResult, Transaction, seconds, within};
use serde_json::Value;
use std::time::Duration;
use uuid::Uuid;

/// Work that has said nothing for so long is done by nobody any more. It speaks every second;
/// what it waits for in between, a busy Postgres, ends a statement after as long.
pub const SILENCE_MOST: Duration = Duration::from_secs(30);

/// A file that nobody stores within so many days is discarded.
pub const KEPT_DAYS: i32 = 7;

/// An upload.
#[derive(Clone, Debug)]
pub struct Upload {
    /// Names the form it came with.
    pub form_token: Uuid,
    /// What the file is called.
    pub file_name: String,
    /// SHA-256 of the file.
    pub digest: Vec<u8>,
    /// Who sent it.
    pub created_by: String,
    /// What becomes of users who exist, and of those who do not.
    pub mode: ImportMode,
    /// Whether an empty cell clears the value.
    pub clears_empty: bool,
}

/// What an upload came to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Uploaded {
    /// A new import, which waits for its parts in this transaction.
    New(Uuid),
    /// The form came before with the same file, as this import.
    Again(Uuid),
}

/// Work to do on an import, and the number to do it under.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Work {
    /// The import.
    pub import: Uuid,
    /// Counts how often work on it was begun.
    pub run: i32,
}

/// Writes down an upload. A form that came before with another file makes a new import, for that is
/// what a person means who goes back and chooses again.
pub async fn upload(transaction: &mut Transaction, upload: &Upload) -> StoreResult<Uploaded> {
    let created = sqlx::query!(
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
    )
    .fetch_optional(&mut **transaction)
    .await?;
    if let Some(created) = created {
        return Ok(Uploaded::New(created.id));
    }
    let row = sqlx::query!(
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
    )
    .fetch_one(&mut **transaction)
    .await?;
    Ok(if row.is_same {
        Uploaded::Again(row.id)
    } else {
        Uploaded::New(row.id)
    })
}

/// Begins to check an import, or begins again after an interruption. None when somebody else does,
/// or there is nothing to check.
///
/// `sheet` names the sheet to read of a spreadsheet with several.
pub async fn begin_check(db: &Db, import: Uuid, sheet: Option<&str>) -> StoreResult<Option<Work>> {
    let begun = sqlx::query!(
        "update imports set run = run + 1, progress_at = now(), progress_rows = 0, trouble = null,
             sheet = coalesce($3, sheet)
         where id = $1 and state = 'checking' and progress_at < now() - make_interval(secs => $2::float8)
         returning run",
        import,
        seconds(SILENCE_MOST),
        sheet,
    );
    let begun = within(begun.fetch_optional(db)).await?;
    Ok(begun.map(|row| Work { import, run: row.run }))
}

/// Begins to store an import that is checked and has a good row, or begins again after an
/// interruption. None as for [`begin_check`].
///
/// `accepts_doubtful`: rows whose every problem may be accepted are good, too.
pub async fn begin_store(db: &Db, import: Uuid, accepts_doubtful: bool) -> StoreResult<Option<Work>> {
    let begun = sqlx::query!(
        "update imports
         set state = 'storing', run = run + 1, progress_at = now(), progress_rows = 0, trouble = null,
             accepts_doubtful = case when state = 'checked' then $3 else accepts_doubtful end
         where id = $1
           and (state = 'checked' and rejected_count - case when $3 then doubtful_count else 0 end < row_count
                or state = 'storing' and progress_at < now() - make_interval(secs => $2::float8))
         returning run",
        import,
        seconds(SILENCE_MOST),
        accepts_doubtful,
    );
    let begun = within(begun.fetch_optional(db)).await?;
    Ok(begun.map(|row| Work { import, run: row.run }))
}

/// Says that the work goes on and how far it is. False when it has passed to somebody else.
pub async fn progress(db: &Db, work: Work, rows: i32, of_rows: i32) -> StoreResult<bool> {
    let reporting = sqlx::query!(
        "update imports set progress_at = now(), progress_rows = $3, row_count = $4
         where id = $1 and run = $2 and state in ('checking', 'storing')",
        work.import,
        work.run,
        rows,
        of_rows,
    );
    Ok(within(reporting.execute(db)).await?.rows_affected() > 0)
}

/// Ends the checking of an import, in the transaction that keeps its rejected rows. False when the
/// work has passed to somebody else, and everything in the transaction must go.
pub async fn checked(
    transaction: &mut Transaction,
    work: Work,
    file: &File,
    totals: &Totals,
    problem_counts: &[ProblemCount],
) -> StoreResult<bool> {
    let checked = sqlx::query!(
        "update imports
         set state = 'checked', header = $3, separator = $4, row_count = $5, progress_rows = $5,
             rejected_count = $6, blank_count = $7, problem_counts = $8, created_count = $9, updated_count = $10,
             unchanged_count = $11, duplicate_count = $12, doubtful_count = $13, format = $14, sheet = $15,
             header_row = $16, hidden_row_count = $17, ignored_count = $18,
             mapping_is_remembered = mapping is null and $19::jsonb is not null or mapping_is_remembered,
             mapping = $19
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
    )
    .execute(&mut **transaction)
    .await?;
    Ok(checked.rows_affected() > 0)
}

/// Ends the checking of a file of which nothing can be read; it is needed no longer.
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

/// Says that the work came to no end, and why; it can be begun again at once.
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

/// Discards an import that is not stored. Work in hand on it loses its number and comes to nothing.
pub async fn discard(transaction: &mut Transaction, import: Uuid, ended_by: &str) -> StoreResult<bool> {
    let discarded = sqlx::query!(
        "update imports set state = 'discarded', run = run + 1, ended_at = now(), ended_by = $2
         where id = $1
           and (state in ('checking', 'checked', 'unreadable')
                or state = 'storing' and progress_at < now() - make_interval(secs => $3::float8))",
        import,
        ended_by,
        seconds(SILENCE_MOST),
    )
    .execute(&mut **transaction)
    .await?;
    if discarded.rows_affected() == 0 {
        return Ok(false);
    }
    // A statement of its own, so that it sees the rows of a check that ended a moment ago.
    sqlx::query!(
        "with unneeded as (delete from import_parts where import_id = $1),
              changes as (delete from import_changes where import_id = $1)
         delete from import_rejects where import_id = $1",
        import
    )
    .execute(&mut **transaction)
    .await?;
    Ok(true)
}

/// Discards up to `most` imports that nobody has stored for [`KEPT_DAYS`] days; returns how many.
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
        seconds(SILENCE_MOST),
    );
    Ok(within(row.fetch_one(db)).await?.n)
}

fn written(trouble: &Trouble) -> Value {
    serde_json::to_value(trouble).unwrap_or_default()
}

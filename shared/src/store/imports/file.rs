//! Storing a file as a whole: the lock, the import itself and its totals.

use super::{Accepting, ImportCounts, ImportMode};
use crate::store::{StoreResult, Transaction, until_moved};
use serde_json::Value;
use uuid::Uuid;

/// Properties of a file.
#[derive(Clone, Debug)]
pub struct File {
    /// The header row as written.
    pub header: Vec<String>,
    /// The separator of cells.
    pub separator: char,
    /// The kind of the file: `csv`, `json`, `xlsx`, `xls` or `ods`.
    pub format: String,
    /// The sheet of a spreadsheet.
    pub sheet: Option<String>,
    /// The row of the header.
    pub header_row: i32,
    /// Number of rows that the spreadsheet hides.
    pub hidden_rows: i32,
    /// The hidden sheets that are not empty.
    pub hidden_sheets: Vec<String>,
    /// The merge fields in it.
    pub custom_fields: Vec<String>,
    /// The chosen mapping of columns.
    pub mapping: Option<Value>,
}

/// Options of an import for all its rows.
#[derive(Clone, Debug, Default)]
pub struct RowOptions {
    /// Which rows with acceptable problems are imported.
    pub accepting: Accepting,
    /// Whether users are created, updated or both.
    pub mode: ImportMode,
    /// Whether an empty cell clears the value.
    pub clears_empty: bool,
}

/// Takes the lock for storing, which is held until the transaction ends.
///
/// Imports are stored one at a time, so that two files with the same users cannot deadlock. Waiting for an import of
/// another process may take minutes.
pub async fn take_turn(transaction: &mut Transaction) -> StoreResult<()> {
    until_moved(sqlx::query!("set local lock_timeout = '5min'").execute(&mut **transaction)).await?;
    let locking = sqlx::query!("select pg_advisory_xact_lock(hashtextextended('import', 0))");
    until_moved(locking.execute(&mut **transaction)).await?;
    until_moved(sqlx::query!("set local lock_timeout to default").execute(&mut **transaction)).await?;
    Ok(())
}

/// Creates an import that is stored in the same transaction.
pub async fn create(
    transaction: &mut Transaction,
    file_name: &str,
    created_by: &str,
    options: &RowOptions,
) -> StoreResult<Uuid> {
    let adding = sqlx::query!(
        "insert into imports (file_name, created_by, state, accepts_doubtful, mode, clears_empty, accepted_problems)
         values ($1, $2, 'storing', $3, $4, $5, $6) returning id",
        file_name,
        created_by,
        options.accepting.is_everything(),
        options.mode.as_str(),
        options.clears_empty,
        options.accepting.problems(),
    );
    Ok(until_moved(adding.fetch_one(&mut **transaction)).await?.id)
}

/// Records the merge fields of a file.
pub async fn record_fields(transaction: &mut Transaction, file: &File) -> StoreResult<()> {
    let adding = sqlx::query!(
        "insert into merge_fields (name) select unnest($1::text[]) on conflict do nothing",
        &file.custom_fields
    );
    until_moved(adding.execute(&mut **transaction)).await?;
    Ok(())
}

/// Forgets what was kept when the file was gone through before: the rows that were not taken, and the changes.
pub async fn forget_details(transaction: &mut Transaction, import: Uuid) -> StoreResult<()> {
    let forgetting = sqlx::query!(
        "with unneeded as (delete from import_changes where import_id = $1)
         delete from import_rejects where import_id = $1",
        import
    );
    until_moved(forgetting.execute(&mut **transaction)).await?;
    Ok(())
}

/// Completes the storing of an import: sets its totals and deletes its file.
///
/// Returns `false` if another process has taken over. The transaction must then be rolled back.
pub async fn finish(
    transaction: &mut Transaction,
    import: Uuid,
    run: i32,
    file: &File,
    totals: &ImportCounts,
    done_by: &str,
) -> StoreResult<bool> {
    let finishing = sqlx::query!(
        "with unneeded as (
             delete from import_parts where import_id = $1
         )
         update imports
         set state = 'done', done_at = now(), done_by = $3, trouble = null, progress_rows = $6,
             header = $4, separator = $5, row_count = $6, created_count = $7, updated_count = $8,
             unchanged_count = $9, rejected_count = $10, blank_count = $11, duplicate_count = $12,
             doubtful_count = $13, format = $14, sheet = $15, header_row = $16, hidden_row_count = $17,
             ignored_count = $18, mapping = $19, hidden_sheets = $20
         where id = $1 and run = $2 and state = 'storing'",
        import,
        run,
        done_by,
        &file.header,
        file.separator.to_string(),
        totals.rows,
        totals.created,
        totals.updated,
        totals.unchanged,
        totals.rejected,
        totals.blank,
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
    let done = until_moved(finishing.execute(&mut **transaction)).await?;
    Ok(done.rows_affected() > 0)
}

//! The rows of a file, stored group by group, and the rejected ones with their problems.

use super::{ImportCounts, ImportMode};
use crate::store::{Db, StoreResult, Transaction, until_moved};
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
    /// The merge fields in it.
    pub custom_fields: Vec<String>,
    /// The chosen mapping of columns.
    pub mapping: Option<Value>,
}

/// Options of an import for all its rows.
#[derive(Clone, Debug, Default)]
pub struct RowOptions {
    /// Whether rows with acceptable problems are imported.
    pub accepts_doubtful: bool,
    /// Whether users are created, updated or both.
    pub mode: ImportMode,
    /// Whether an empty cell clears the value.
    pub clears_empty: bool,
}

/// A row to import. A missing value keeps the existing one, and an empty text clears it.
#[derive(Clone, Debug)]
pub struct Row {
    /// Where it stands in the file.
    pub number: i32,
    /// Address as typed.
    pub email: String,
    /// The normalised address, which identifies the user.
    pub email_key: String,
    /// First name.
    pub first_name: Option<String>,
    /// Last name.
    pub last_name: Option<String>,
    /// Language tag.
    pub language: Option<String>,
    /// Merge fields: an object of strings. A null removes the field.
    pub fields: Value,
}

/// A rejected row.
#[derive(Clone, Debug)]
pub struct Reject {
    /// Where it stands in the file.
    pub number: i32,
    /// Its cells as written.
    pub cells: Vec<String>,
    /// An array of problems.
    pub problems: Value,
}

/// The result of storing a group of rows.
#[derive(Debug, Default)]
pub struct Stored {
    /// Users created.
    pub created: i32,
    /// Users changed.
    pub updated: i32,
    /// Users left unchanged.
    pub unchanged: i32,
    /// Rows with the user of an earlier row: the row and the earlier row.
    pub duplicates: Vec<(i32, i32)>,
    /// Rows ignored because of the mode.
    pub ignored: Vec<i32>,
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
    manner: &RowOptions,
) -> StoreResult<Uuid> {
    let adding = sqlx::query!(
        "insert into imports (file_name, created_by, state, accepts_doubtful, mode, clears_empty)
         values ($1, $2, 'storing', $3, $4, $5) returning id",
        file_name,
        created_by,
        manner.accepts_doubtful,
        manner.mode.as_str(),
        manner.clears_empty,
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

/// The columns of a group of rows, as arguments of a statement.
struct Columns {
    numbers: Vec<i32>,
    keys: Vec<String>,
    first_names: Vec<Option<String>>,
    last_names: Vec<Option<String>>,
    languages: Vec<Option<String>>,
    fields: Vec<Value>,
}

impl Columns {
    fn of(rows: &[Row]) -> Self {
        Self {
            numbers: rows.iter().map(|row| row.number).collect(),
            keys: rows.iter().map(|row| row.email_key.clone()).collect(),
            first_names: rows.iter().map(|row| row.first_name.clone()).collect(),
            last_names: rows.iter().map(|row| row.last_name.clone()).collect(),
            languages: rows.iter().map(|row| row.language.clone()).collect(),
            fields: rows.iter().map(|row| row.fields.clone()).collect(),
        }
    }
}

/// Stores a group of rows; new users are created in their order. Each user may occur once in the group.
pub async fn store(transaction: &mut Transaction, import: Uuid, rows: &[Row], mode: ImportMode) -> StoreResult<Stored> {
    let emails: Vec<String> = rows.iter().map(|row| row.email.clone()).collect();
    let columns = Columns::of(rows);
    // For new users, who are listed in the order of their ids. Cheaper here than in Postgres.
    let ids: Vec<Uuid> = rows.iter().map(|_| Uuid::now_v7()).collect();
    let storing = sqlx::query_file!(
        "src/store/import.sql",
        import,
        &columns.numbers,
        &emails,
        &columns.keys,
        &columns.first_names as &[Option<String>],
        &columns.last_names as &[Option<String>],
        &columns.languages as &[Option<String>],
        &columns.fields,
        mode.as_str(),
        &ids,
    );
    let outcomes = until_moved(storing.fetch_all(&mut **transaction)).await?;
    let mut stored = Stored::default();
    for outcome in outcomes {
        match (outcome.earlier, outcome.is_new) {
            (Some(earlier), _) => stored.duplicates.push((outcome.number, earlier)),
            (None, _) if outcome.is_ignored => stored.ignored.push(outcome.number),
            (None, Some(true)) => stored.created += 1,
            (None, Some(false)) => stored.updated += 1,
            (None, None) => stored.unchanged += 1,
        }
    }
    Ok(stored)
}

/// The expected result of storing a group of rows.
#[derive(Clone, Copy, Debug)]
pub struct Forecast {
    /// Users created.
    pub created: i32,
    /// Users to change.
    pub updated: i32,
    /// Users to leave unchanged.
    pub unchanged: i32,
    /// Rows ignored because of the mode.
    pub ignored: i32,
}

/// Computes the expected result of storing a group of rows, and stores up to `sample` of the changes. Each user may
/// occur once in the file.
pub async fn forecast(
    transaction: &mut Transaction,
    import: Uuid,
    rows: &[Row],
    sample: i64,
    mode: ImportMode,
) -> StoreResult<Forecast> {
    let columns = Columns::of(rows);
    let forecasting = sqlx::query_file_as!(
        Forecast,
        "src/store/import_check.sql",
        import,
        &columns.numbers,
        &columns.keys,
        &columns.first_names as &[Option<String>],
        &columns.last_names as &[Option<String>],
        &columns.languages as &[Option<String>],
        &columns.fields,
        sample,
        mode.as_str(),
    );
    until_moved(forecasting.fetch_one(&mut **transaction)).await
}

/// A change of a user by an import.
#[derive(Clone, Debug)]
pub struct Change {
    /// The row in the file.
    pub number: i32,
    /// The user.
    pub user: Uuid,
    /// Their current address.
    pub email: String,
    /// The former values of the changed fields. Null stands for a field that the user did not have.
    pub before: Value,
    /// The same fields with their new values.
    pub after: Value,
}

/// The first changes that an import made, or a sample of those that it would make.
pub async fn changes(db: impl sqlx::PgExecutor<'_>, import: Uuid, limit: i64) -> StoreResult<Vec<Change>> {
    let reading = sqlx::query_as!(
        Change,
        "select c.row_number as number, c.user_id as user, u.email, c.before, c.after
         from import_changes c join users u on u.id = c.user_id
         where c.import_id = $1 order by c.row_number limit $2",
        import,
        limit,
    );
    until_moved(reading.fetch_all(db)).await
}

/// Stores rejected rows, so that they can be downloaded and corrected.
pub async fn keep_rejects(transaction: &mut Transaction, import: Uuid, rejects: &[Reject]) -> StoreResult<()> {
    let numbers: Vec<i32> = rejects.iter().map(|reject| reject.number).collect();
    // Rows differ in length, so their cells travel as JSON; Postgres's arrays are rectangular.
    let cells: Vec<Value> = rejects.iter().map(|reject| Value::from(reject.cells.clone())).collect();
    let problems: Vec<Value> = rejects.iter().map(|reject| reject.problems.clone()).collect();
    let adding = sqlx::query!(
        "insert into import_rejects (import_id, row_number, cells, problems)
         select $1, r.number, array(select jsonb_array_elements_text(r.cells)), r.problems
         from unnest($2::integer[], $3::jsonb[], $4::jsonb[]) as r (number, cells, problems)",
        import,
        &numbers,
        &cells,
        &problems,
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
             ignored_count = $18, mapping = $19
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
    );
    let done = until_moved(finishing.execute(&mut **transaction)).await?;
    Ok(done.rows_affected() > 0)
}

/// A subset of the rejected rows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Rejects {
    /// All of them.
    All,
    /// Those that need a correction.
    Faulty,
    /// Those with the address of an earlier row.
    Duplicates,
}

impl Rejects {
    const fn are_duplicates(self) -> Option<bool> {
        match self {
            Self::All => None,
            Self::Faulty => Some(false),
            Self::Duplicates => Some(true),
        }
    }
}

/// Rejected rows of an import, after row `after`.
pub async fn rejects(db: &Db, import: Uuid, which: Rejects, after: i32, limit: i64) -> StoreResult<Vec<Reject>> {
    let reading = sqlx::query_as!(
        Reject,
        r#"select row_number as number, cells, problems from import_rejects
           where import_id = $1 and row_number > $2
             and ($4::boolean is null or (problems @> '[{"code": "duplicate_of_row"}]') = $4)
           order by row_number limit $3"#,
        import,
        after,
        limit,
        which.are_duplicates(),
    );
    until_moved(reading.fetch_all(db)).await
}

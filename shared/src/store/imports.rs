//! Imports: people brought in, row by row, all of a file or none of it.

use super::{Db, StoreResult, Transaction};
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

/// A file as it was given.
#[derive(Clone, Debug)]
pub struct File {
    /// Its name.
    pub name: String,
    /// Its header row as written.
    pub header: Vec<String>,
    /// What stands between its cells.
    pub separator: char,
    /// The merge fields it brings.
    pub custom_fields: Vec<String>,
}

/// A person to bring in. What is absent leaves what is there.
#[derive(Clone, Debug)]
pub struct Row {
    /// Where it stands in the file.
    pub number: i32,
    /// Address as typed.
    pub email: String,
    /// Address as identity.
    pub email_key: String,
    /// First name.
    pub first_name: Option<String>,
    /// Last name.
    pub last_name: Option<String>,
    /// Language tag.
    pub language: Option<String>,
    /// Merge fields: an object of strings.
    pub fields: Value,
}

/// A row that was not taken.
#[derive(Clone, Debug)]
pub struct Reject {
    /// Where it stands in the file.
    pub number: i32,
    /// Its cells as written.
    pub cells: Vec<String>,
    /// What is wrong: an array of problems.
    pub problems: Value,
}

/// What a group of rows came to.
#[derive(Debug, Default)]
pub struct Stored {
    /// New people.
    pub created: i32,
    /// People whose details changed.
    pub updated: i32,
    /// People who were there already, just so.
    pub unchanged: i32,
    /// Rows for somebody who stood in an earlier row: row, earlier row.
    pub duplicates: Vec<(i32, i32)>,
}

/// An import's totals.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    /// Data rows in the file, blank ones not counted.
    pub rows: i32,
    /// New people.
    pub created: i32,
    /// Changed people.
    pub updated: i32,
    /// Unchanged people.
    pub unchanged: i32,
    /// Rows not taken.
    pub rejected: i32,
    /// Blank rows, which are skipped.
    pub blank: i32,
}

/// Begins an import. Imports store one after the other, so that two files with the same people
/// cannot wait for each other in a circle; one that another process stores may take minutes.
pub async fn begin(transaction: &mut Transaction, file: &File, created_by: &str) -> StoreResult<Uuid> {
    sqlx::query!("set local lock_timeout = '5min'")
        .execute(&mut **transaction)
        .await?;
    sqlx::query!("select pg_advisory_xact_lock(hashtextextended('import', 0))")
        .execute(&mut **transaction)
        .await?;
    sqlx::query!("set local lock_timeout to default")
        .execute(&mut **transaction)
        .await?;
    let row = sqlx::query!(
        "with known as (
             insert into merge_fields (name) select unnest($5::text[]) on conflict do nothing
         )
         insert into imports (file_name, header, separator, created_by) values ($1, $2, $3, $4) returning id",
        file.name,
        &file.header,
        file.separator.to_string(),
        created_by,
        &file.custom_fields,
    )
    .fetch_one(&mut **transaction)
    .await?;
    Ok(row.id)
}

/// Stores a group of rows. Within the group every person must stand once.
pub async fn store(transaction: &mut Transaction, import: Uuid, rows: &[Row]) -> StoreResult<Stored> {
    let numbers: Vec<i32> = rows.iter().map(|row| row.number).collect();
    let emails: Vec<String> = rows.iter().map(|row| row.email.clone()).collect();
    let keys: Vec<String> = rows.iter().map(|row| row.email_key.clone()).collect();
    let first_names: Vec<Option<String>> = rows.iter().map(|row| row.first_name.clone()).collect();
    let last_names: Vec<Option<String>> = rows.iter().map(|row| row.last_name.clone()).collect();
    let languages: Vec<Option<String>> = rows.iter().map(|row| row.language.clone()).collect();
    let fields: Vec<Value> = rows.iter().map(|row| row.fields.clone()).collect();
    let outcomes = sqlx::query_file!(
        "src/store/import.sql",
        import,
        &numbers,
        &emails,
        &keys,
        &first_names as &[Option<String>],
        &last_names as &[Option<String>],
        &languages as &[Option<String>],
        &fields,
    )
    .fetch_all(&mut **transaction)
    .await?;
    let mut stored = Stored::default();
    for outcome in outcomes {
        match (outcome.earlier, outcome.is_new) {
            (Some(earlier), _) => stored.duplicates.push((outcome.number, earlier)),
            (None, Some(true)) => stored.created += 1,
            (None, Some(false)) => stored.updated += 1,
            (None, None) => stored.unchanged += 1,
        }
    }
    Ok(stored)
}

/// Keeps rows that were not taken, so that a file of them can be downloaded and mended.
pub async fn keep_rejects(transaction: &mut Transaction, import: Uuid, rejects: &[Reject]) -> StoreResult<()> {
    let numbers: Vec<i32> = rejects.iter().map(|reject| reject.number).collect();
    // Rows differ in length, so their cells travel as JSON; Postgres's arrays are rectangular.
    let cells: Vec<Value> = rejects.iter().map(|reject| Value::from(reject.cells.clone())).collect();
    let problems: Vec<Value> = rejects.iter().map(|reject| reject.problems.clone()).collect();
    sqlx::query!(
        "insert into import_rejects (import_id, row_number, cells, problems)
         select $1, r.number, array(select jsonb_array_elements_text(r.cells)), r.problems
         from unnest($2::integer[], $3::jsonb[], $4::jsonb[]) as r (number, cells, problems)",
        import,
        &numbers,
        &cells,
        &problems,
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Writes an import's totals.
pub async fn finish(transaction: &mut Transaction, import: Uuid, totals: &Totals) -> StoreResult<()> {
    sqlx::query!(
        "update imports
         set row_count = $2, created_count = $3, updated_count = $4, unchanged_count = $5,
             rejected_count = $6, blank_count = $7
         where id = $1",
        import,
        totals.rows,
        totals.created,
        totals.updated,
        totals.unchanged,
        totals.rejected,
        totals.blank,
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// An import as it was.
#[derive(Clone, Debug)]
pub struct Import {
    /// Its id.
    pub id: Uuid,
    /// The file's name as the caller gave it.
    pub file_name: String,
    /// When.
    pub created_at: OffsetDateTime,
    /// Who.
    pub created_by: String,
    /// The header row as written.
    pub header: Vec<String>,
    /// What stood between the cells.
    pub separator: char,
    /// What came of it.
    pub totals: Totals,
}

/// One import.
pub async fn find(db: &Db, id: Uuid) -> StoreResult<Option<Import>> {
    let row = sqlx::query!(
        "select id, file_name, created_at, created_by, header, separator, row_count, created_count, updated_count,
                unchanged_count, rejected_count, blank_count
         from imports where id = $1",
        id,
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| Import {
        id: row.id,
        file_name: row.file_name,
        created_at: row.created_at,
        created_by: row.created_by,
        header: row.header,
        separator: row.separator.chars().next().unwrap_or(','),
        totals: Totals {
            rows: row.row_count,
            created: row.created_count,
            updated: row.updated_count,
            unchanged: row.unchanged_count,
            rejected: row.rejected_count,
            blank: row.blank_count,
        },
    }))
}

/// Rows of an import that were not taken, after row `after`.
pub async fn rejects(db: &Db, import: Uuid, after: i32, limit: i64) -> StoreResult<Vec<Reject>> {
    let rejects = sqlx::query_as!(
        Reject,
        "select row_number as number, cells, problems from import_rejects
         where import_id = $1 and row_number > $2 order by row_number limit $3",
        import,
        after,
        limit,
    )
    .fetch_all(db)
    .await?;
    Ok(rejects)
}

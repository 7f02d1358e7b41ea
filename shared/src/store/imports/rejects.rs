//! The rejected rows of a file, with their problems.

use crate::store::{Db, StoreResult, Transaction, until_moved};
use serde_json::Value;
use uuid::Uuid;

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

/// Stores rejected rows, so that they can be downloaded and corrected.
pub async fn keep(transaction: &mut Transaction, import: Uuid, rejects: &[Reject]) -> StoreResult<()> {
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
pub async fn list(db: &Db, import: Uuid, which: Rejects, after: i32, limit: i64) -> StoreResult<Vec<Reject>> {
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

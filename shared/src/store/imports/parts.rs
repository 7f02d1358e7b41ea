//! An uploaded file, in parts that each fit into memory.

use crate::store::{Db, StoreResult, Transaction, within};
use uuid::Uuid;

/// Bytes in a part, the last of a file excepted.
pub const PART_BYTES: usize = 1024 * 1024;

/// Keeps part `n` of a file, from 0.
pub async fn keep(transaction: &mut Transaction, import: Uuid, n: i32, bytes: &[u8]) -> StoreResult<()> {
    sqlx::query!(
        "insert into import_parts (import_id, n, bytes) values ($1, $2, $3)",
        import,
        n,
        bytes
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Part `n` of a file, or none behind its last.
pub async fn read(db: &Db, import: Uuid, n: i32) -> StoreResult<Option<Vec<u8>>> {
    let part = sqlx::query!(
        "select bytes from import_parts where import_id = $1 and n = $2",
        import,
        n
    );
    let part = within(part.fetch_optional(db)).await?;
    Ok(part.map(|part| part.bytes))
}

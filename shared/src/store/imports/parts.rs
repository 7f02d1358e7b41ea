//! Uploaded files, stored in parts that fit into memory.

use crate::store::{Db, StoreResult, Transaction, within};
use uuid::Uuid;

/// Size of a part; the last one may be smaller.
pub const PART_BYTES: usize = 1024 * 1024;

/// Stores part `n` of a file, counted from 0.
pub async fn store(transaction: &mut Transaction, import: Uuid, n: i32, bytes: &[u8]) -> StoreResult<()> {
    let adding = sqlx::query!(
        "insert into import_parts (import_id, n, bytes) values ($1, $2, $3)",
        import,
        n,
        bytes
    );
    within(adding.execute(&mut **transaction)).await?;
    Ok(())
}

/// Part `n` of a file, or `None` after the last one.
pub async fn read(db: &Db, import: Uuid, n: i32) -> StoreResult<Option<Vec<u8>>> {
    let part = sqlx::query!(
        "select bytes from import_parts where import_id = $1 and n = $2",
        import,
        n
    );
    let part = within(part.fetch_optional(db)).await?;
    Ok(part.map(|part| part.bytes))
}

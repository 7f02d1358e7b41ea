//! Column mappings, chosen for a file and remembered for the next one with the same columns.

use super::ImportMode;
use crate::store::{Db, StoreResult, Transaction, seconds, within};
use serde_json::Value;
use uuid::Uuid;

/// Number of recent mappings that are considered for a file.
const LOOKED_AT: i64 = 500;

/// A mapping chosen for an earlier file.
#[derive(Clone, Debug)]
pub struct StoredMapping {
    /// The names or letters of all columns, sorted.
    pub columns: Vec<String>,
    /// The field that each column fills.
    pub mapping: Value,
}

/// The most recently chosen mappings, latest first.
pub async fn latest(db: &Db) -> StoreResult<Vec<StoredMapping>> {
    let reading = sqlx::query_as!(
        StoredMapping,
        "select columns, mapping from import_mappings order by chosen_at desc limit $1",
        LOOKED_AT
    );
    within(reading.fetch_all(db)).await
}

/// Remembers a mapping for files with the same columns, whose digest is `digest`.
pub async fn remember(
    transaction: &mut Transaction,
    digest: &[u8],
    chosen: &StoredMapping,
    chosen_by: &str,
) -> StoreResult<()> {
    let adding = sqlx::query!(
        "insert into import_mappings (digest, columns, mapping, chosen_by) values ($1, $2, $3, $4)
         on conflict (digest) do update
         set mapping = excluded.mapping, chosen_at = now(), chosen_by = excluded.chosen_by",
        digest,
        &chosen.columns,
        chosen.mapping,
        chosen_by,
    );
    within(adding.execute(&mut **transaction)).await?;
    Ok(())
}

/// Sets the mapping and the mode of an import, which must then be checked again. Returns `false` if it is being
/// checked or stored, or has been stored.
pub async fn choose(
    transaction: &mut Transaction,
    import: Uuid,
    mapping: &Value,
    mode: ImportMode,
    clears_empty: bool,
) -> StoreResult<bool> {
    let changing = sqlx::query!(
        "update imports
         set state = 'checking', run = run + 1, progress_at = '-infinity', progress_rows = 0, trouble = null,
             mapping = $2, mapping_is_remembered = false, mode = $3, clears_empty = $4
         where id = $1
           and (state = 'checked'
                or state = 'checking' and progress_at < now() - make_interval(secs => $5::float8))",
        import,
        mapping,
        mode.as_str(),
        clears_empty,
        seconds(super::steps::MAX_SILENCE),
    );
    Ok(within(changing.execute(&mut **transaction)).await?.rows_affected() > 0)
}

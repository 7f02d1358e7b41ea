//! Records imports in the audit log.

use serde_json::json;
use shared::store::audit::{Action, Actor, AuditEntry};
use shared::store::imports::ImportCounts;
use shared::store::{StoreResult, Transaction};
use uuid::Uuid;

/// Records in the audit log that a file was imported, with its totals.
///
/// # Errors
///
/// If Postgres is unavailable.
pub(crate) async fn record_imported(
    transaction: &mut Transaction,
    actor: &Actor,
    import: Uuid,
    totals: &ImportCounts,
) -> StoreResult<()> {
    AuditEntry::new(actor, Action::FileImported)
        .subject("import", import)
        .details(
            json!({ "created": totals.created, "updated": totals.updated, "unchanged": totals.unchanged,
                         "ignored": totals.ignored, "rejected": totals.rejected }),
        )
        .record(transaction)
        .await
}

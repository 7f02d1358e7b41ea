//! Records imports in the audit log.

use serde_json::json;
use shared::store::audit::{self, Act, Action, Actor};
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
    let details = json!({ "created": totals.created, "updated": totals.updated, "unchanged": totals.unchanged,
                          "ignored": totals.ignored, "rejected": totals.rejected });
    note(transaction, actor, Action::FileImported, import, details).await
}

/// Records an action on an import in the audit log.
pub(crate) async fn note(
    transaction: &mut Transaction,
    actor: &Actor,
    action: Action,
    import: Uuid,
    details: serde_json::Value,
) -> StoreResult<()> {
    let act = Act {
        actor,
        action,
        subject: Some(format!("import {import}")),
        details,
    };
    audit::note(transaction, &act).await
}

//! The lock that serialises the intake of batches.

use super::{StoreResult, Transaction, within};
use crate::system_email::SystemEmailKind;

/// Serialises the intake of batches of this kind until the transaction ends, so that two concurrent requests
/// cannot both find that a user has no mail waiting.
pub(super) async fn lock_intake(transaction: &mut Transaction, kind: SystemEmailKind) -> StoreResult<()> {
    let locking = sqlx::query!(
        "select pg_advisory_xact_lock(hashtextextended('intake ' || $1, 0))",
        kind.as_str()
    );
    within(locking.execute(&mut **transaction)).await?;
    Ok(())
}

//! Export of everything stored about a user.

use crate::store::audit::{Action, Actor, AuditEntry};
use crate::store::{Db, StoreResult, begin, commit, until_moved};
use serde_json::Value;
use uuid::Uuid;

/// Exports everything stored about a user, except secrets, and records that `actor` did. Returns `None` if there is
/// no such user.
///
/// Rows without a link to the user, such as rejected rows of a file, are found by a current or former address. Deleting
/// the user erases everything in the export (see [`super::delete`]).
pub async fn export(db: &Db, id: Uuid, actor: &Actor) -> StoreResult<Option<Value>> {
    let mut transaction = begin(db).await?;
    let exporting = sqlx::query_file_scalar!("src/store/users/export.sql", id);
    let exported = until_moved(exporting.fetch_optional(&mut *transaction)).await?;
    if exported.is_some() {
        AuditEntry::new(actor, Action::UserExported)
            .subject("user", id)
            .record(&mut transaction)
            .await?;
        commit(transaction).await?;
    }
    Ok(exported)
}

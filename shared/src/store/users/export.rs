//! Everything that is kept about one person, for the person.

use crate::store::{Db, StoreResult};
use serde_json::Value;
use uuid::Uuid;

/// Everything that is kept about a user, but for secrets; none when there is no such user.
///
/// Rows that name them without being linked to them, such as rejected rows of a file, are found by their
/// address. What is in it is erased with them (see [`super::delete`]).
pub async fn export(db: &Db, id: Uuid) -> StoreResult<Option<Value>> {
    let exported = sqlx::query_file_scalar!("src/store/users/export.sql", id)
        .fetch_optional(db)
        .await?;
    Ok(exported)
}

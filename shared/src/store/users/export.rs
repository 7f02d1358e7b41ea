//! Everything that is kept about one person, for the person.

use crate::store::audit::{self, Act, Action, Actor};
use crate::store::{Db, StoreResult, begin, commit};
use serde_json::{Value, json};
use uuid::Uuid;

/// Everything that is kept about a user, but for secrets, and puts on record that `actor` exported it;
/// none when there is no such user.
///
/// Rows that name them without being linked to them, such as rejected rows of a file, are found by their
/// address or a former one. What is in it is erased with them (see [`super::delete`]).
pub async fn export(db: &Db, id: Uuid, actor: &Actor) -> StoreResult<Option<Value>> {
    let mut transaction = begin(db).await?;
    let exported = sqlx::query_file_scalar!("src/store/users/export.sql", id)
        .fetch_optional(&mut *transaction)
        .await?;
    if exported.is_some() {
        let act = Act {
            actor,
            action: Action::UserExported,
            subject: Some(format!("user {id}")),
            details: json!({}),
        };
        audit::note(&mut transaction, &act).await?;
        commit(transaction).await?;
    }
    Ok(exported)
}

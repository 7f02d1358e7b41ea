//! Changes by an import to existing users, value by value.

use crate::app::problem::Problem;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::store::Transaction;
use shared::store::imports::rows::{self, Change};
use utoipa::ToSchema;
use uuid::Uuid;

/// A value of a user that an import changes.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ChangeView {
    /// The row in the file.
    pub row: i32,
    /// The address of the user.
    pub email: String,
    /// The field.
    pub field: String,
    /// The former value; absent if the user did not have the field.
    pub from: Option<String>,
    /// The new value.
    pub to: String,
}

/// The changes by one row, field by field.
pub fn changed_fields(change: &Change) -> impl Iterator<Item = ChangeView> {
    let after = change.after.as_object().into_iter().flatten();
    after.map(|(field, value)| ChangeView {
        row: change.number,
        email: change.email.clone(),
        field: field.clone(),
        from: change.before.get(field).and_then(Value::as_str).map(str::to_owned),
        to: value.as_str().unwrap_or_default().to_owned(),
    })
}

/// The first changes that an import would make or has made.
///
/// # Errors
///
/// If Postgres is unavailable.
pub(super) async fn first_changes(transaction: &mut Transaction, import: Uuid) -> Result<Vec<ChangeView>, Problem> {
    let changes = rows::changes(
        &mut **transaction,
        import,
        i64::try_from(super::MAX_PROBLEMS).unwrap_or(100),
    )
    .await?;
    Ok(changes
        .iter()
        .flat_map(changed_fields)
        .take(super::MAX_PROBLEMS)
        .collect())
}

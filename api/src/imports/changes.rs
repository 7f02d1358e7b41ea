//! What an import changes about people who were there already, value by value.

use crate::problem::Problem;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::store::Transaction;
use shared::store::imports::rows::{self, Change};
use utoipa::ToSchema;
use uuid::Uuid;

/// A value of somebody that an import changes.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ChangeView {
    /// The row in the file.
    pub row: i32,
    /// Whose it is.
    pub email: String,
    /// The field.
    pub field: String,
    /// What it was; absent for a field that they did not have.
    pub from: Option<String>,
    /// What it becomes.
    pub to: String,
}

/// What one row changes, a field at a time.
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

/// The first values that an import changes, or has changed.
///
/// # Errors
///
/// When Postgres is away.
pub(super) async fn first_changes(transaction: &mut Transaction, import: Uuid) -> Result<Vec<ChangeView>, Problem> {
    let changes = rows::changes(
        &mut **transaction,
        import,
        i64::try_from(super::TOLD_MOST).unwrap_or(100),
    )
    .await?;
    Ok(changes.iter().flat_map(changed_fields).take(super::TOLD_MOST).collect())
}

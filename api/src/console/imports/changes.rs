//! What an import changes about existing users: old and new values.

use super::faults::shortened;
use super::labels::{column_of, read_columns_of};
use crate::app::imports::changes::{ChangeView, changed_fields};
use crate::app::problem::Problem;
use crate::app::state::AppState;
use shared::store::imports::Import;
use shared::store::imports::rows;
use uuid::Uuid;

/// Maximum number of users shown.
const SHOWN: usize = 20;

/// The first changes of an import.
pub(super) struct Changes {
    /// One entry per user.
    pub(super) rows: Vec<ChangedUser>,
    /// Whether there are more.
    pub(super) has_more: bool,
}

/// The changes to a user.
pub(super) struct ChangedUser {
    /// Row number in the file.
    pub(super) number: i32,
    pub(super) user: Uuid,
    pub(super) email: String,
    /// Column, old value (empty if there was none) and new value.
    pub(super) values: Vec<(String, String, String)>,
}

/// Reads the first changes of an import.
pub(super) async fn of(api: &AppState, import: &Import) -> Result<Changes, Problem> {
    let found = rows::changes(&api.db, import.id, i64::try_from(SHOWN).unwrap_or(20)).await?;
    let read = read_columns_of(import);
    let value = |change: ChangeView| {
        let from = change.from.unwrap_or_default();
        (column_of(&change.field, &read), shortened(&from), shortened(&change.to))
    };
    let rows: Vec<ChangedUser> = found
        .iter()
        .map(|change| ChangedUser {
            number: change.number,
            user: change.user,
            email: change.email.clone(),
            values: changed_fields(change).map(value).collect(),
        })
        .collect();
    Ok(Changes {
        has_more: usize::try_from(import.totals.updated).is_ok_and(|all| all > rows.len()),
        rows,
    })
}

//! Finds the import of a page.

use crate::app::problem::Problem;
use crate::app::state::AppState;
use shared::store::imports::{self, Import};
use uuid::Uuid;

/// Finds an import, or returns 404.
pub(super) async fn get(api: &AppState, id: Uuid) -> Result<Import, Problem> {
    let found = imports::find(&api.db, id).await?;
    found.ok_or_else(|| Problem::not_found("import"))
}

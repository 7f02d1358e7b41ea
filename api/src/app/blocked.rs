//! Blocked addresses: a relay reported that they do not exist, so no email is sent to them until an administrator or
//! API client unblocks them.

use crate::app::problem::Problem;
use crate::app::state::AppState;
use shared::store::audit::Actor;
use shared::store::blocked::{self, BlockedFilter};
use tracing::info;

/// Unblocks the matching addresses and returns their number.
pub(crate) async fn unblock_addresses(api: &AppState, actor: &Actor, filter: BlockedFilter) -> Result<i64, Problem> {
    let unblocked = blocked::unblock(&api.db, &filter, actor).await?;
    if unblocked > 0 {
        info!(addresses = unblocked, "Unblocked addresses");
    }
    Ok(unblocked)
}

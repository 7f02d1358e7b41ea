//! Sending again to people of a batch, selected by the outcome of their email.
//!
//! This creates an ordinary selection, so the check page with its totals comes before anything is sent, and the
//! selection's id is the idempotency key.

use super::address;
use super::delivery_group::ListQuery;
use crate::app::batches;
use crate::app::problem::Problem;
use crate::app::state::AppState;
use crate::console::fields::Fields;
use crate::console::respond::{redirect, redirect_with_note};
use crate::console::session::Administrator;
use crate::http::query::Path;
use axum::extract::State;
use axum::response::Response;
use shared::delivery::DeliveryState;
use shared::store::selections;
use uuid::Uuid;

/// Creates the selection and redirects to the check page.
pub(in crate::console) async fn begin(
    State(api): State<AppState>,
    administrator: Administrator,
    Path(id): Path<Uuid>,
    fields: Fields,
) -> Result<Response, Problem> {
    batches::get(&api, id).await?;
    let look = ListQuery {
        show: Some(fields.trimmed("show").to_owned()),
        why: Some(fields.trimmed("why").to_owned()),
        ..ListQuery::default()
    };
    let states: Vec<DeliveryState> = look.part()?.map_or_else(Vec::new, |part| {
        let ended = part.states().iter().filter(|state| state.has_ended());
        ended.copied().collect()
    });
    let begun = selections::of_outcome(&api.db, administrator.id, id, &states, &look.reasons()).await?;
    Ok(match begun {
        Some(selection) => redirect(&format!("/console/selections/{selection}/check")),
        None => redirect_with_note(
            &address(id),
            "There is no one to send to again, because these people were deleted.",
        ),
    })
}

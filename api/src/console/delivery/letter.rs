//! A mail's letter by itself, for the frame on its page.
//!
//! What was sent is not kept: it would hold passwords and people's data a second time. It is written
//! anew from the version of its batch, with what is known of the person now and a mask in the place
//! of the password.

use crate::console::letter::document;
use crate::problem::Problem;
use crate::query::Path;
use crate::state::Api;
use crate::system_emails::{of_version, preview_of};
use crate::{batches, deliveries, users};
use axum::extract::State;
use axum::response::Response;
use uuid::Uuid;

/// Writes it.
pub(in crate::console) async fn show(State(api): State<Api>, Path(id): Path<Uuid>) -> Result<Response, Problem> {
    let delivery = deliveries::get(&api, id).await?;
    let user = delivery.user.ok_or_else(|| Problem::not_found("person any more"))?;
    let batch = batches::get(&api, delivery.batch).await?;
    let user = users::get(&api, user).await?;
    let compiled = of_version(&api, batch.kind, batch.version).await?;
    Ok(document(preview_of(&api, &compiled, Some(&user)).await?.html))
}

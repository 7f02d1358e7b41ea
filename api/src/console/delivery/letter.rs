//! Content of an email, for the frame on its page.
//!
//! Rendered emails are not stored, because that would keep passwords and personal data a second time. The content is
//! rendered from the template version of its batch and the person's current data, with the password masked.

use crate::console::letter::document;
use crate::problem::Problem;
use crate::query::Path;
use crate::state::Api;
use crate::system_emails::{of_version, preview_of};
use crate::{batches, deliveries, users};
use axum::extract::State;
use axum::response::Response;
use uuid::Uuid;

/// Renders it.
pub(in crate::console) async fn show(State(api): State<Api>, Path(id): Path<Uuid>) -> Result<Response, Problem> {
    let delivery = deliveries::get(&api, id).await?;
    let user = delivery.user.ok_or_else(|| Problem::not_found("person any more"))?;
    let batch = batches::get(&api, delivery.batch).await?;
    let user = users::get(&api, user).await?;
    let compiled = of_version(&api, batch.kind, batch.version).await?;
    Ok(document(preview_of(&api, &compiled, Some(&user)).await?.html))
}

//! Content of an email, for the frame on its page.
//!
//! Rendered emails are not stored, because that would keep passwords and personal data a second time. The content is
//! rendered from the template version of its batch and the person's current data, with the password masked.

use crate::app::problem::Problem;
use crate::app::state::AppState;
use crate::app::system_emails::preview::{of_version, preview_of};
use crate::app::users;
use crate::app::{batches, deliveries};
use crate::console::letter::document;
use crate::http::query::Path;
use axum::extract::State;
use axum::response::Response;
use uuid::Uuid;

/// Renders it.
pub(in crate::console) async fn show(State(api): State<AppState>, Path(id): Path<Uuid>) -> Result<Response, Problem> {
    let delivery = deliveries::get(&api, id).await?;
    let user = delivery.user.ok_or_else(|| Problem::not_found("person any more"))?;
    let batch = batches::get(&api, delivery.batch).await?;
    let user = users::get(&api, user).await?;
    let texts = of_version(&api, batch.kind, batch.version).await?;
    let (_, compiled) = texts.pick(&user.language);
    Ok(document(preview_of(&api, compiled, Some(&user)).await?.html))
}

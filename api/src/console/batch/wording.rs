//! The wording of a batch that has its own, compared with the shared text.

use crate::app::batches;
use crate::app::problem::Problem;
use crate::app::state::AppState;
use crate::app::wording;
use crate::console::frame::{Frame, Section};
use crate::console::respond::page;
use crate::console::session::Administrator;
use crate::console::system_emails::Comparison;
use crate::http::query::Path;
use askama::Template;
use axum::extract::State;
use axum::response::Response;
use uuid::Uuid;

#[derive(Template)]
#[template(path = "console/batch_wording.html")]
struct WordingPage {
    frame: Frame,
    id: Uuid,
    name: &'static str,
    based_on: i32,
    comparison: Comparison,
}

/// Shows what differs.
pub(in crate::console) async fn show(
    State(api): State<AppState>,
    administrator: Administrator,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    let batch = batches::get(&api, id).await?;
    let own = wording::of_batch(&api, &batch).await?;
    let own = own.ok_or_else(|| Problem::not_found("wording of its own for this batch"))?;
    page(&WordingPage {
        frame: administrator
            .frame(&api, Section::Activity, "Wording of this batch")
            .await,
        id,
        name: batch.kind.name(),
        based_on: own.based_on,
        comparison: Comparison::with_base(&api, batch.kind, &own).await?,
    })
}

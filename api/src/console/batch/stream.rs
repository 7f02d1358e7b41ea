//! Live updates of a batch's page: its live part is rendered again whenever the shared count changes.

use super::delivery_group::ListQuery;
use super::live::{FormFrame, Live, LivePart};
use crate::app::batches;
use crate::app::problem::Problem;
use crate::app::state::AppState;
use crate::console::session::{self, Administrator};
use crate::http::query::{Path, Query};
use crate::http::stream_access::stream_of;
use askama::Template as _;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::response::sse::Event;
use futures_util::stream;
use shared::batch::BatchState;
use uuid::Uuid;

/// Streams the live part. If the batch's state differs from the one the page was rendered with, the stream sends a
/// `turn` event, because the whole page must be loaded again. The stream ends with the session; the page then reloads
/// and shows the sign-in form.
pub(in crate::console) async fn show(
    State(api): State<AppState>,
    administrator: Administrator,
    Path(id): Path<Uuid>,
    Query(look): Query<ListQuery>,
) -> Result<impl IntoResponse, Problem> {
    batches::get(&api, id).await?;
    let listener = api.watches.listen(&api.db, &api.metrics, id);
    let (this, digest) = (api.clone(), administrator.digest().to_vec());
    let events = stream::unfold(
        (listener, administrator, look),
        |(mut listener, administrator, look)| async {
            let seen = listener.next().await?;
            let is_elsewhere = look.at.as_deref() != Some(seen.view.state.as_str());
            let has_ended = seen.view.finished_at.is_some() && seen.view.state != BatchState::Finished;
            let event = if is_elsewhere || has_ended {
                Event::default().event("turn").data("")
            } else {
                let part = LivePart {
                    live: Live::of(&seen, &look, None, seen.at),
                    frame: FormFrame {
                        csrf_token: administrator.csrf_token().to_owned(),
                    },
                };
                Event::default().event("live").data(part.render().unwrap_or_default())
            };
            Some((Ok(event), (listener, administrator, look)))
        },
    );
    let is_valid = move || {
        let (api, digest) = (this.clone(), digest.clone());
        async move { session::is_valid(&api, &digest).await }
    };
    Ok(stream_of(&api, is_valid, events))
}

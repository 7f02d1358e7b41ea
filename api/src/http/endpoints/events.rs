//! Server-sent events with a batch's counts.

use crate::app::batch_view::BatchView;
use crate::app::batches;
use crate::app::problem::Problem;
use crate::app::state::AppState;
use crate::http::authentication;
use crate::http::query::Path;
use crate::http::stream_access::stream_of;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, Sse};
use futures_util::{Stream, StreamExt as _, stream};
use std::convert::Infallible;
use std::future::ready;
use uuid::Uuid;

/// Streams the counts of a batch whenever they change, until it has finished.
#[utoipa::path(get, path = "/v1/batches/{id}/events", tag = "batches", responses((status = 200, content_type = "text/event-stream", body = BatchView)))]
pub async fn batch(
    State(api): State<AppState>,
    Path(id): Path<Uuid>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    batches::get(&api, id).await?;
    let counts = stream::unfold(
        api.watches.listen(&api.db, &api.metrics, id),
        |mut listener| async move {
            let seen = listener.next().await?;
            Some((serde_json::to_string(&seen.view).unwrap_or_default(), listener))
        },
    );
    // The watch also reports changed reasons, which can leave the view unchanged.
    let changed = counts.scan(String::new(), |before, now| {
        let is_news = *before != now;
        before.clone_from(&now);
        ready(Some(is_news.then_some(now)))
    });
    let events = changed.filter_map(|news| ready(news.map(|view| Ok(Event::default().event("batch").data(view)))));
    let this = api.clone();
    let is_valid = move || {
        let (api, headers) = (this.clone(), headers.clone());
        async move { authentication::is_valid(&api, &headers).await }
    };
    Ok(stream_of(&api, is_valid, events))
}

//! A batch's sums as they change, as server-sent events.

use crate::batches;
use crate::problem::Problem;
use crate::query::Path;
use crate::state::Api;
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::{Stream, StreamExt as _, stream};
use std::convert::Infallible;
use std::future::ready;
use std::time::Duration;
use uuid::Uuid;

/// A line that says nothing keeps proxies from closing the stream, and tells us who has gone.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Tells a batch's sums whenever they change, until it has finished.
#[utoipa::path(get, path = "/v1/batches/{id}/events", tag = "batches", responses((status = 200, content_type = "text/event-stream", body = batches::BatchView)))]
pub async fn batch(
    State(api): State<Api>,
    Path(id): Path<Uuid>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    batches::get(&api, id).await?;
    let told = stream::unfold(api.watches.listen(&api, id), |mut listener| async move {
        let seen = listener.next().await?;
        Some((serde_json::to_string(&seen.view).unwrap_or_default(), listener))
    });
    // Reasons change also where the sums stay.
    let changed = told.scan(String::new(), |before, now| {
        let is_news = *before != now;
        before.clone_from(&now);
        ready(Some(is_news.then_some(now)))
    });
    let events = changed.filter_map(|news| ready(news.map(|view| Ok(Event::default().event("batch").data(view)))));
    Ok(stream_of(&api, events))
}

/// Events as an answer that ends with the process: an open stream would keep it from stopping.
pub fn stream_of<S: Stream<Item = Result<Event, Infallible>> + Send + 'static>(
    api: &Api,
    events: S,
) -> Sse<impl Stream<Item = Result<Event, Infallible>> + use<S>> {
    let stopping = api.lifecycle.stopping().clone();
    Sse::new(events.take_until(stopping.cancelled_owned())).keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
}

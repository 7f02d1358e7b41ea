//! A batch's sums as they change, as server-sent events.
//!
//! Each listener costs one count a second of the batch it watches; a batch of a hundred thousand
//! is counted in some tens of milliseconds, and the pause grows with that.

use crate::batches;
use crate::problem::Problem;
use crate::query::Path;
use crate::state::Api;
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::{Stream, stream};
use std::convert::Infallible;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Between two looks at the counts, at least.
const PACE: Duration = Duration::from_secs(1);

/// The pause is this many times as long as a count takes, so that watching stays a small part of
/// what Postgres does.
const PAUSE_FACTOR: u32 = 20;

/// Tells a batch's sums whenever they change, until it has finished.
#[utoipa::path(get, path = "/v1/batches/{id}/events", tag = "batches", responses((status = 200, content_type = "text/event-stream", body = batches::BatchView)))]
pub async fn batch(
    State(api): State<Api>,
    Path(id): Path<Uuid>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    batches::get(&api, id).await?;
    let stopping = api.lifecycle.stopping().clone();
    let watched = Watched {
        api,
        id,
        before: None,
        pause: Duration::ZERO,
        is_over: false,
    };
    let events = stream::unfold(watched, |mut watched| async move {
        let event = watched.next().await?;
        Some((Ok(event), watched))
    });
    // An open stream would keep the process from stopping.
    let events = futures_util::StreamExt::take_until(events, stopping.cancelled_owned());
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))))
}

struct Watched {
    api: Api,
    id: Uuid,
    before: Option<String>,
    pause: Duration,
    is_over: bool,
}

impl Watched {
    async fn next(&mut self) -> Option<Event> {
        while !self.is_over {
            tokio::time::sleep(self.pause).await;
            let began = Instant::now();
            let view = match batches::get(&self.api, self.id).await {
                Ok(batch) => batches::view(&self.api, batch).await.ok(),
                Err(_) => None,
            };
            self.pause = PACE.max(began.elapsed() * PAUSE_FACTOR);
            // Postgres is away for a moment, most likely; the next look tells.
            let Some(view) = view else { continue };
            self.is_over = view.finished_at.is_some();
            let now = serde_json::to_string(&view).ok()?;
            if self.before.as_ref() != Some(&now) {
                self.before = Some(now.clone());
                return Some(Event::default().event("batch").data(now));
            }
        }
        None
    }
}

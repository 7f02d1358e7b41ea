//! Runs each request to its end, even if its client disconnects.
//!
//! The server drops the future of a request when its client disconnects, and the time limit drops it after a minute.
//! Work that is dropped halfway can leave a transaction open. So this layer runs the request as a task of its own,
//! which a stop waits for, and only the response is lost.
//!
//! A request that is dropped before its body has arrived fails instead, because the rest of the body will not arrive.
//! The body of a response is not part of the task: a download or an event stream ends when its client disconnects.

use crate::app::problem::Problem;
use crate::app::upload_spool::UPLOAD_TIMEOUT;
use crate::http::request_log;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures_util::FutureExt as _;
use hyper::body::{Frame, SizeHint};
use shared::lifecycle::Lifecycle;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tracing::Instrument as _;

/// Time limit for a request: for its upload, and ten minutes for its work. Importing a million rows takes less than a
/// minute, after at most five minutes for other imports; work that takes longer is waiting for something that will not
/// happen.
const WORK_TIMEOUT: Duration = UPLOAD_TIMEOUT.saturating_add(Duration::from_mins(10));

/// Runs a request as a task that continues when the future of the request is dropped.
pub(crate) async fn run_to_completion(State(lifecycle): State<Lifecycle>, request: Request, next: Next) -> Response {
    let abandoned = CancellationToken::new();
    let request = request.map(|body| abandonable(body, &abandoned));
    let _abandons = abandoned.drop_guard();
    let work = lifecycle.spawn(completed(next, request).in_current_span());
    work.await.unwrap_or_else(|fault| {
        tracing::error!(error = %fault, "The work of a request did not finish");
        Problem::internal().into_response()
    })
}

/// Runs a request. A panic is caught here, because it must be logged even if no client waits for the response.
async fn completed(next: Next, request: Request) -> Response {
    let work = AssertUnwindSafe(next.run(request)).catch_unwind();
    match tokio::time::timeout(WORK_TIMEOUT, work).await {
        Ok(Ok(response)) => response,
        Ok(Err(panic)) => request_log::panicked(panic),
        Err(_) => {
            tracing::error!(
                seconds = WORK_TIMEOUT.as_secs(),
                "The work of a request was ended after its time limit"
            );
            Problem::internal().into_response()
        }
    }
}

/// A body that fails once its request is abandoned.
fn abandonable(body: Body, abandoned: &CancellationToken) -> Body {
    if body.is_end_stream() {
        return body;
    }
    Body::new(AbandonableBody {
        body,
        abandoned: Box::pin(abandoned.clone().cancelled_owned()),
    })
}

struct AbandonableBody {
    body: Body,
    /// Resolves when the future of the request is dropped.
    abandoned: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl HttpBody for AbandonableBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        // Checked after the body: if the connection is dropped between the two, half a body must not look complete.
        if self.abandoned.as_mut().poll(context).is_ready() {
            return Poll::Ready(Some(Err(axum::Error::new("the request was abandoned"))));
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::disk_budget::DiskBudget;
    use crate::app::upload_spool::spool_stream;
    use axum::Router;
    use axum::http::StatusCode;
    use axum::middleware::from_fn_with_state;
    use axum::routing::{MethodRouter, post};
    use futures_util::{StreamExt as _, stream};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use tokio::time::{Instant, sleep, timeout};
    use tower::ServiceExt as _;
    use uuid::Uuid;

    const WORKS: Duration = Duration::from_secs(10);

    /// The route behind the layer.
    fn layered(lifecycle: &Lifecycle, route: MethodRouter) -> Router {
        let layer = from_fn_with_state(lifecycle.clone(), run_to_completion);
        Router::new().route("/", route).layer(layer)
    }

    /// A route that works this long, and whether it has finished.
    fn slow_route(works: Duration) -> (MethodRouter, Arc<AtomicBool>) {
        let has_finished = Arc::new(AtomicBool::new(false));
        let finished = Arc::clone(&has_finished);
        let route = post(move |_body: Bytes| async move {
            sleep(works).await;
            finished.store(true, Ordering::Relaxed);
        });
        (route, has_finished)
    }

    fn request(body: impl Into<Body>) -> Request {
        Request::post("/").body(body.into()).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_finishes_although_its_client_disconnects_and_a_stop_waits_for_it() {
        let lifecycle = Lifecycle::new();
        let (route, has_finished) = slow_route(WORKS);
        let answering = layered(&lifecycle, route).oneshot(request("complete"));

        assert!(timeout(WORKS / 2, answering).await.is_err());
        let is_early = has_finished.load(Ordering::Relaxed);
        let is_complete = lifecycle.finished(WORKS).await;

        assert!(!is_early && is_complete);
        assert!(has_finished.load(Ordering::Relaxed));
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_ends_if_its_client_disconnects_before_its_body_is_complete() {
        let lifecycle = Lifecycle::new();
        let (route, has_finished) = slow_route(Duration::ZERO);
        let half = stream::iter([Ok::<_, std::io::Error>("half")]).chain(stream::pending());
        let answering = layered(&lifecycle, route).oneshot(request(Body::from_stream(half)));

        assert!(timeout(WORKS, answering).await.is_err());
        let is_complete = lifecycle.finished(WORKS).await;

        assert!(is_complete);
        assert!(!has_finished.load(Ordering::Relaxed));
    }

    #[tokio::test(start_paused = true)]
    async fn work_is_ended_at_its_time_limit() {
        let (route, has_finished) = slow_route(WORK_TIMEOUT * 2);
        let began = Instant::now();

        let answer = layered(&Lifecycle::new(), route).oneshot(request("complete")).await;

        assert_eq!(answer.unwrap().status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(began.elapsed(), WORK_TIMEOUT);
        assert!(!has_finished.load(Ordering::Relaxed));
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_upload_ends_at_its_own_time_limit() {
        let route = post(|body: Body| async move {
            let budget = DiskBudget::new(1024 * 1024);
            let spooled = spool_stream(budget.reservation(Uuid::nil()), body.into_data_stream());
            spooled.await.map(drop)
        });
        let dripping = stream::unfold((), |()| async {
            sleep(Duration::from_secs(15)).await;
            Some((Ok::<_, std::io::Error>("x"), ()))
        });

        let answering = layered(&Lifecycle::new(), route).oneshot(request(Body::from_stream(dripping)));

        assert_eq!(answering.await.unwrap().status(), StatusCode::REQUEST_TIMEOUT);
    }

    #[tokio::test]
    async fn a_panic_becomes_a_problem() {
        async fn bug() {
            panic!("a bug");
        }

        let answer = layered(&Lifecycle::new(), post(bug))
            .oneshot(request(""))
            .await
            .unwrap();

        assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(answer.extensions().get::<Problem>().is_some());
    }
}

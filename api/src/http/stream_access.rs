//! Ends event streams and long downloads whose caller may no longer read them.
//!
//! They can outlive the key or session that opened them, so both are checked again while they are open.

use crate::app::state::AppState;
use axum::body::{Body, HttpBody as _};
use axum::http::header;
use axum::response::Response;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::{Stream, StreamExt as _, stream};
use shared::store::StoreResult;
use std::convert::Infallible;
use std::time::Duration;

/// Interval of keep-alive comments, which keep proxies from closing the stream and reveal clients that are gone.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Interval between checks of an open stream's key or session. A check costs one lookup by an index.
const CHECK_INTERVAL: Duration = Duration::from_secs(5);

/// A response that streams events until the caller's access ends or the process stops. An open stream would otherwise
/// delay the stop.
pub(crate) fn stream_of<S, C, F>(
    api: &AppState,
    is_valid: C,
    events: S,
) -> Sse<impl Stream<Item = Result<Event, Infallible>> + use<S, C, F>>
where
    S: Stream<Item = Result<Event, Infallible>> + Send + 'static,
    C: Fn() -> F + Send + 'static,
    F: Future<Output = StoreResult<bool>> + Send + 'static,
{
    let stopping = api.lifecycle.stopping().clone();
    let end = async move {
        tokio::select! {
            () = stopping.cancelled_owned() => {}
            () = until_invalid(CHECK_INTERVAL, is_valid) => {}
        }
    };
    Sse::new(events.take_until(Box::pin(end))).keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
}

/// Aborts a CSV download when the caller's access ends. It is aborted, not ended, because otherwise the part already
/// sent would look complete.
pub(crate) fn while_let_in<C, F>(response: Response, is_valid: C) -> Response
where
    C: Fn() -> F + Send + 'static,
    F: Future<Output = StoreResult<bool>> + Send + 'static,
{
    let content_type = response.headers().get(header::CONTENT_TYPE);
    let is_csv = content_type.is_some_and(|value| value.as_bytes().starts_with(b"text/csv"));
    if !is_csv || response.body().size_hint().exact().is_some() {
        return response;
    }
    response.map(|body| {
        let begun = (
            body.into_data_stream(),
            Box::pin(until_invalid(CHECK_INTERVAL, is_valid)),
        );
        Body::from_stream(stream::try_unfold(begun, |(mut pieces, mut end)| async move {
            tokio::select! {
                biased;
                () = &mut end => Err(axum::Error::new("the caller's access has ended")),
                piece = pieces.next() => Ok(piece.transpose()?.map(|piece| (piece, (pieces, end)))),
            }
        }))
    })
}

/// Resolves once the caller's access has ended. While Postgres is unavailable this is unknown, and the stream has
/// nothing to report either.
async fn until_invalid<E, F: Future<Output = Result<bool, E>>>(every: Duration, is_valid: impl Fn() -> F) {
    loop {
        tokio::time::sleep(every).await;
        if matches!(is_valid().await, Ok(false)) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::response::IntoResponse as _;
    use std::future::ready;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::time::Instant;

    #[tokio::test(start_paused = true)]
    async fn a_stream_ends_at_the_first_failed_check() {
        let checks = AtomicUsize::new(0);
        let began = Instant::now();

        until_invalid(CHECK_INTERVAL, || {
            ready(match checks.fetch_add(1, Ordering::Relaxed) {
                0 => Ok(true),
                1 => Err("Postgres is away"),
                _ => Ok(false),
            })
        })
        .await;

        assert_eq!(checks.load(Ordering::Relaxed), 3);
        assert_eq!(began.elapsed(), CHECK_INTERVAL * 3);
        assert!(CHECK_INTERVAL <= Duration::from_secs(30));
    }

    /// A response of this type with one piece per second, for a minute.
    fn download(content_type: &'static str) -> Response {
        let pieces = stream::iter(0..60).then(|_| async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok::<_, Infallible>("a line\n")
        });
        ([(header::CONTENT_TYPE, content_type)], Body::from_stream(pieces)).into_response()
    }

    #[tokio::test(start_paused = true)]
    async fn a_download_is_aborted_when_access_ends() {
        let began = Instant::now();
        let refused = while_let_in(download("text/csv; charset=utf-8"), || ready(Ok(false)));
        assert!(axum::body::to_bytes(refused.into_body(), usize::MAX).await.is_err());
        assert_eq!(began.elapsed(), CHECK_INTERVAL);

        let allowed = while_let_in(download("text/csv"), || ready(Ok(true)));
        let whole = axum::body::to_bytes(allowed.into_body(), usize::MAX).await.unwrap();
        assert_eq!(whole.len(), 60 * "a line\n".len());
    }
}

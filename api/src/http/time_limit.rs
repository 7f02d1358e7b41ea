//! The time limit for requests.

use crate::app::problem::{Problem, ProblemKind};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use std::time::Duration;

/// Time limit for a request including its body, except for imports, streams and downloads.
const TIME_LIMIT: Duration = Duration::from_mins(1);

/// Responds with 408 to a request that exceeds the time limit. Its work still runs to the end (`run_to_completion`),
/// unless its body has not arrived.
pub(crate) async fn limit(request: Request, next: Next) -> Response {
    let late = || {
        Problem::new(
            ProblemKind::TimedOut,
            "too_slow",
            "The request took longer than a minute. Repeat it with the same Idempotency-Key to get its response.",
        )
    };
    tokio::time::timeout(TIME_LIMIT, next.run(request))
        .await
        .unwrap_or_else(|_| late().into_response())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use axum::body::{Body, Bytes};
    use axum::http::StatusCode;
    use axum::middleware::from_fn;
    use axum::routing::post;
    use tower::ServiceExt as _;

    #[tokio::test(start_paused = true)]
    async fn a_body_that_never_ends_is_rejected_after_a_minute() {
        let routes = Router::new()
            .route("/", post(|_body: Bytes| async {}))
            .layer(from_fn(limit));
        let endless = Body::from_stream(futures_util::stream::pending::<std::io::Result<Bytes>>());
        let request = Request::post("/").body(endless).unwrap();

        let answer = routes.oneshot(request).await.unwrap();

        assert_eq!(answer.status(), StatusCode::REQUEST_TIMEOUT);
        let body = axum::body::to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        let problem: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(problem["type"], "/problems/too_slow");
        assert_eq!(
            problem["detail"],
            "The request took longer than a minute. Repeat it with the same Idempotency-Key to get its response."
        );
    }
}

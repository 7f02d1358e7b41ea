//! The three pages machines look at: is it alive, is it ready, how is it doing.
//!
//! Alive means the process answers. Ready means it can do its work now: Postgres answers, the
//! broker is connected, no stop is under way. The relay is no part of it: while the relay is down
//! nothing is gained by restarting us or by taking us out of a load balancer.

use crate::metrics::Metrics;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// What stands in the way of working now, by name; empty when nothing does.
pub type Obstacles = Vec<String>;

type Check = dyn Fn() -> Pin<Box<dyn Future<Output = Obstacles> + Send>> + Send + Sync;

#[derive(Clone)]
struct Probes {
    metrics: Metrics,
    check: Arc<Check>,
}

/// `/healthz`, `/readyz` and `/metrics`.
pub fn routes<F, C>(metrics: Metrics, check: C) -> Router
where
    C: Fn() -> F + Send + Sync + 'static,
    F: Future<Output = Obstacles> + Send + 'static,
{
    let check: Arc<Check> = Arc::new(move || Box::pin(check()));
    Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(page))
        .with_state(Probes { metrics, check })
}

/// Answers probes until the process ends.
///
/// # Errors
///
/// When the socket fails.
pub async fn serve(listener: tokio::net::TcpListener, routes: Router) -> std::io::Result<()> {
    axum::serve(listener, routes).await
}

async fn healthz() -> impl IntoResponse {
    Json(serde_json::json!({ "status": "alive" }))
}

async fn readyz(State(probes): State<Probes>) -> impl IntoResponse {
    let obstacles = (probes.check)().await;
    if obstacles.is_empty() {
        (StatusCode::OK, Json(serde_json::json!({ "status": "ready" })))
    } else {
        let answer = serde_json::json!({ "status": "not ready", "obstacles": obstacles });
        (StatusCode::SERVICE_UNAVAILABLE, Json(answer))
    }
}

async fn page(State(probes): State<Probes>) -> impl IntoResponse {
    (
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4")],
        probes.metrics.page(),
    )
}

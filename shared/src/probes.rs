//! The three pages machines look at: is it alive, is it ready, how is it doing.
//!
//! Alive means the process answers. Ready means it can do its work now; what it cannot work without
//! is each process's own to say. What it can do without for a while is told beside it: taking us
//! out of a load balancer brings back no broker. A worker whose relay takes no mail is not ready, and names
//! the relay.

use crate::metrics::Metrics;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// How a process stands, in words for whoever asks why.
#[derive(Clone, Debug, Default)]
pub struct Readiness {
    /// What keeps it from working now; a ready process has none.
    pub obstacles: Vec<String>,
    /// What it misses and works without.
    pub impairments: Vec<String>,
}

type Check = dyn Fn() -> Pin<Box<dyn Future<Output = Readiness> + Send>> + Send + Sync;

#[derive(Clone)]
struct Probes {
    metrics: Metrics,
    check: Arc<Check>,
}

/// `/healthz`, `/readyz` and `/metrics`.
pub fn routes<F, C>(metrics: Metrics, check: C) -> Router
where
    C: Fn() -> F + Send + Sync + 'static,
    F: Future<Output = Readiness> + Send + 'static,
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
    let stands = (probes.check)().await;
    let (code, status) = if stands.obstacles.is_empty() {
        (StatusCode::OK, "ready")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready")
    };
    let mut answer = serde_json::Map::new();
    answer.insert("status".to_owned(), status.into());
    for (name, sentences) in [("obstacles", stands.obstacles), ("impairments", stands.impairments)] {
        if !sentences.is_empty() {
            answer.insert(name.to_owned(), sentences.into());
        }
    }
    (code, Json(answer))
}

async fn page(State(probes): State<Probes>) -> impl IntoResponse {
    (
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4")],
        probes.metrics.page(),
    )
}

//! The probe endpoints for liveness, readiness and metrics.
//!
//! Alive means that the process answers. Ready means that it can work now; each process defines what it
//! cannot work without. What it can do without for a while is reported as an impairment: removing it from a
//! load balancer would not bring back the broker. A worker whose relay accepts no mail is not ready, and
//! names the relay.

use crate::metrics::Metrics;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// The readiness of a process and its reasons.
#[derive(Clone, Debug, Default)]
pub struct Readiness {
    /// What keeps it from working now. Empty for a ready process.
    pub obstacles: Vec<String>,
    /// What is missing without keeping it from working.
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
/// The socket failed.
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

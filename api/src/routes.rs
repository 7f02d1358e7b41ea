//! All routes, grouped by who may call them.

use crate::state::Api;
use crate::{
    audit_log, batches, blocked, caller, console, credentials, deliveries, events, imports, intake, observe, openapi,
    problem::Problem, saved_filters, schema_gate, system_emails, users,
};
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{delete, get, post};
use shared::metrics::Metrics;
use shared::probes::Readiness;
use shared::store;
use std::time::Duration;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::set_header::SetResponseHeaderLayer;

const MIB: usize = 1024 * 1024;

/// Isolates our pages from pages that opened them or that they open.
const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// Time limit for a request including its body, except for imports, streams and downloads.
const WITHIN: Duration = Duration::from_mins(1);

/// All routes of the API and the console.
pub fn routes(api: &Api) -> Router {
    Router::new()
        .merge(unauthenticated())
        .merge(for_keys(api).layer(from_fn_with_state(api.clone(), schema_gate::pass)))
        .merge(console::routes(api))
        .fallback(async || Problem::not_found("page"))
        .method_not_allowed_fallback(async || {
            Problem::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                "This route does not support this method; see /docs.",
            )
        })
        .with_state(api.clone())
        .layer(CatchPanicLayer::custom(observe::panicked))
        .layer(from_fn_with_state(api.clone(), observe::request))
        .layer(always(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(always(header::CACHE_CONTROL, "no-store"))
        .layer(always(header::REFERRER_POLICY, "no-referrer"))
        .layer(always(OPENER_POLICY, "same-origin"))
        .layer(always(
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
        ))
}

fn always(name: HeaderName, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
}

/// Public routes, which describe the API.
fn unauthenticated() -> Router<Api> {
    Router::new()
        .route("/openapi.json", get(openapi::json))
        .route("/docs", get(openapi::docs))
}

/// Routes that require an API key.
fn for_keys(api: &Api) -> Router<Api> {
    let sending = Router::new()
        .route("/v1/invites", post(intake::invites))
        .route("/v1/password-resets", post(intake::password_resets))
        .layer(DefaultBodyLimit::max(16 * MIB));
    let small = Router::new()
        .route("/v1/imports/{id}", get(imports::show))
        .route("/v1/filters", get(saved_filters::list).post(saved_filters::create))
        .route("/v1/filters/{id}", delete(saved_filters::remove))
        .route("/v1/users", get(users::list))
        .route(
            "/v1/users/{id}",
            get(users::show).patch(users::change).delete(users::delete),
        )
        .route("/v1/users/{id}/lock", post(users::lock::lock))
        .route("/v1/users/{id}/unlock", post(users::lock::unlock))
        .route("/v1/users/{id}/export", get(users::export))
        .route("/v1/blocked-addresses", get(blocked::list))
        .route("/v1/blocked-addresses/{address}", delete(blocked::unblock))
        .route("/v1/system-emails", get(system_emails::list))
        .route(
            "/v1/system-emails/{key}",
            get(system_emails::show).put(system_emails::save),
        )
        .route("/v1/system-emails/{key}/preview", post(system_emails::preview))
        .route("/v1/system-emails/{key}/test", post(system_emails::test))
        .route("/v1/batches", get(batches::list))
        .route("/v1/batches/{id}", get(batches::show))
        .route("/v1/batches/{id}/pause", post(batches::pause))
        .route("/v1/batches/{id}/resume", post(batches::resume))
        .route("/v1/batches/{id}/stop", post(batches::stop))
        .route("/v1/batches/{id}/send-again", post(batches::send_again))
        .route("/v1/batches/{id}/deliveries", get(deliveries::of_batch))
        .route("/v1/deliveries/{id}", get(deliveries::show))
        .route("/v1/deliveries/{id}/send-again", post(deliveries::send_again))
        .route("/v1/credentials/verify", post(credentials::verify))
        .route("/v1/credentials/choose", post(credentials::choose::choose))
        .route("/v1/credentials/revoke", post(credentials::revoke::revoke))
        .route("/v1/audit-log", get(audit_log::list))
        .layer(DefaultBodyLimit::max(MIB));
    // Routes without the time limit: uploads have their own limits, a stream ends with its batch, and a download takes
    // as long as its batch is large.
    let long = Router::new()
        .route("/v1/imports", post(imports::create))
        .route("/v1/imports/{id}/problems.csv", get(imports::problems_csv))
        .route("/v1/imports/{id}/problems.xlsx", get(imports::problems_xlsx))
        .route("/v1/batches/{id}/deliveries.csv", get(deliveries::csv))
        .route("/v1/batches/{id}/events", get(events::batch))
        .layer(DefaultBodyLimit::disable());
    sending
        .merge(small)
        .layer(from_fn(within))
        .merge(long)
        .layer(from_fn_with_state(api.clone(), caller::require))
}

/// Ends a request that exceeds the time limit. Writes still run to the end (`Api::to_the_end`).
pub(crate) async fn within(request: axum::extract::Request, next: axum::middleware::Next) -> axum::response::Response {
    let late = || {
        Problem::new(
            StatusCode::REQUEST_TIMEOUT,
            "too_slow",
            "The request took longer than a minute. Repeat it with the same Idempotency-Key to get its response.",
        )
    };
    tokio::time::timeout(WITHIN, next.run(request))
        .await
        .unwrap_or_else(|_| axum::response::IntoResponse::into_response(late()))
}

/// The probes and metrics of the process. They have their own listener: clients that exhaust the connections of the
/// main one do not hide the state of the process, and metrics are not public.
///
/// Requests need only Postgres, so a process that has once connected to RabbitMQ stays ready without it.
pub fn probes(api: &Api, metrics: Metrics) -> Router {
    let api = api.clone();
    shared::probes::routes(metrics, move || {
        let api = api.clone();
        async move {
            let mut stands = Readiness::default();
            if api.lifecycle.is_stopping() {
                stands.obstacles.push("stopping".to_owned());
            }
            if let Some(lacking) = api.schema.obstacle() {
                stands.obstacles.push(lacking);
            } else if let Err(fault) = store::takes_writes(&api.db).await {
                stands.obstacles.push(fault.to_string());
            }
            if let Some(obstacle) = api.broker.obstacle() {
                let impairment = format!("{obstacle}; requests are accepted, and their emails wait");
                // The address of a process that has never connected may be wrong. Such a process must not replace one
                // whose address is right.
                if api.broker.has_connected() {
                    stands.impairments.push(impairment);
                } else {
                    stands.obstacles.push(impairment);
                }
            }
            stands
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::{Body, Bytes};
    use tower::ServiceExt as _;

    #[tokio::test(start_paused = true)]
    async fn a_body_that_never_ends_is_rejected_after_a_minute() {
        let routes = Router::new()
            .route("/", post(|_body: Bytes| async {}))
            .layer(from_fn(within));
        let endless = Body::from_stream(futures_util::stream::pending::<std::io::Result<Bytes>>());
        let request = axum::extract::Request::post("/").body(endless).unwrap();

        let answer = routes.oneshot(request).await.unwrap();

        assert_eq!(answer.status(), StatusCode::REQUEST_TIMEOUT);
        let body = axum::body::to_bytes(answer.into_body(), MIB).await.unwrap();
        let problem: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(problem["type"], "/problems/too_slow");
        assert_eq!(
            problem["detail"],
            "The request took longer than a minute. Repeat it with the same Idempotency-Key to get its response."
        );
    }
}

//! All routes, grouped by who may call them.

use crate::app::problem::{Problem, ProblemKind};
use crate::app::state::AppState;
use crate::console;
use crate::http::endpoints::{
    audit_log, batches, blocked, credentials, deliveries, do_not_mail, events, imports, saved_filters, sending,
    system_emails, users,
};
use crate::http::run_to_completion::run_to_completion;
use crate::http::{authentication, openapi, request_log, schema_gate, security_headers, time_limit};
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{delete, get, patch, post};
use shared::metrics::Metrics;
use shared::probes::Readiness;
use shared::store;
use tower_http::catch_panic::CatchPanicLayer;

const MIB: usize = 1024 * 1024;

/// All routes of the API and the console.
pub fn routes(api: &AppState) -> Router {
    let routes = Router::new()
        .merge(unauthenticated())
        .merge(for_keys(api).layer(from_fn_with_state(api.schema.clone(), schema_gate::pass)))
        .merge(console::routes(api))
        .fallback(async || Problem::not_found("page"))
        .method_not_allowed_fallback(async || {
            Problem::new(
                ProblemKind::UnsupportedMethod,
                "method_not_allowed",
                "This route does not support this method; see /docs.",
            )
        })
        .with_state(api.clone())
        .layer(CatchPanicLayer::custom(request_log::panicked))
        .layer(from_fn_with_state(api.clone(), request_log::log_request));
    security_headers::on_all(routes)
}

/// Public routes, which describe the API.
fn unauthenticated() -> Router<AppState> {
    Router::new()
        .route("/openapi.json", get(openapi::json))
        .route("/docs", get(openapi::docs))
}

/// Routes that require an API key.
fn for_keys(api: &AppState) -> Router<AppState> {
    let complete = from_fn_with_state(api.lifecycle.clone(), run_to_completion);
    let authenticate = from_fn_with_state(api.clone(), authentication::require);
    let short = short().layer(authenticate.clone()).layer(complete.clone());
    let long = long().layer(authenticate).layer(complete);
    short.layer(from_fn(time_limit::limit)).merge(long)
}

/// Routes with the time limit.
fn short() -> Router<AppState> {
    let sending = Router::new()
        .route("/v1/invites", post(sending::invites))
        .route("/v1/password-resets", post(sending::password_resets))
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
        .route("/v1/users/{id}/lock", post(users::lock))
        .route("/v1/users/{id}/unlock", post(users::unlock))
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
        .route("/v1/batches/{id}/email", get(batches::email))
        .route("/v1/batches/{id}/pause", post(batches::pause))
        .route("/v1/batches/{id}/resume", post(batches::resume))
        .route("/v1/batches/{id}/stop", post(batches::stop))
        .route("/v1/batches/{id}/send-again", post(batches::send_again))
        .route("/v1/batches/{id}/deliveries", get(deliveries::of_batch))
        .route("/v1/deliveries/{id}", get(deliveries::show))
        .route("/v1/deliveries/{id}/send-again", post(deliveries::send_again))
        .route("/v1/credentials/verify", post(credentials::verify))
        .route("/v1/credentials/choose", post(credentials::choose))
        .route("/v1/credentials/revoke", post(credentials::revoke))
        .route("/v1/audit-log", get(audit_log::list))
        .merge(changes_of_lists())
        .layer(DefaultBodyLimit::max(MIB));
    sending.merge(small)
}

/// Routes without the time limit: uploads have their own limits, a stream ends with its batch, and a download takes as
/// long as its batch is large.
fn long() -> Router<AppState> {
    Router::new()
        .route("/v1/imports", post(imports::create))
        .route("/v1/imports/{id}/problems.csv", get(imports::problems_csv))
        .route("/v1/imports/{id}/problems.xlsx", get(imports::problems_xlsx))
        .route("/v1/batches/{id}/deliveries.csv", get(deliveries::csv))
        .route("/v1/batches/{id}/events", get(events::batch))
        .merge(files_of_lists())
        .layer(DefaultBodyLimit::disable())
}

/// Routes of do-not-mail lists with small bodies.
fn changes_of_lists() -> Router<AppState> {
    Router::new()
        .route(
            "/v1/do-not-mail-lists/{id}",
            patch(do_not_mail::change).delete(do_not_mail::delete),
        )
        .route(
            "/v1/do-not-mail-lists/{id}/addresses/{address}",
            delete(do_not_mail::remove_address),
        )
}

/// Routes of do-not-mail lists that receive or send files.
fn files_of_lists() -> Router<AppState> {
    Router::new()
        .route(
            "/v1/do-not-mail-lists",
            get(do_not_mail::list).post(do_not_mail::create),
        )
        .route("/v1/do-not-mail-lists/{id}/addresses", post(do_not_mail::add_addresses))
        .route(
            "/v1/do-not-mail-lists/{id}/addresses.csv",
            get(do_not_mail::addresses_csv),
        )
}

/// The probes and metrics of the process. They have their own listener: clients that exhaust the connections of the
/// main one do not hide the state of the process, and metrics are not public.
///
/// Requests need only Postgres, so a process that has once connected to RabbitMQ stays ready without it.
pub fn probes(api: &AppState, metrics: Metrics) -> Router {
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

//! Authenticates API clients by a key in `Authorization: Bearer`.

use crate::app::api_keys::PREFIX;
use crate::app::caller::Caller;
use crate::app::problem::{Problem, ProblemKind};
use crate::app::state::AppState;
use crate::app::token::digest_of;
use crate::http::request_log;
use crate::http::stream_access::while_let_in;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use shared::store::StoreResult;
use shared::store::api_keys::{self, ApiKey};
use shared::store::audit::{Action, ActorKind};
use tracing::debug;

/// Authenticates a request and attaches the caller to it.
pub async fn require(State(api): State<AppState>, mut request: Request, next: Next) -> Response {
    let identified = identify(&api, request.headers(), request.extensions()).await;
    if let Err(problem) = &identified
        && problem.kind == ProblemKind::Unauthenticated
    {
        api.record_access(Action::KeyRefused, &request_log::origin(request.extensions()), None);
    }
    match identified {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            let headers = request.headers().clone();
            let response = next.run(request).await;
            while_let_in(response, move || {
                let (api, headers) = (api.clone(), headers.clone());
                async move { is_valid(&api, &headers).await }
            })
        }
        Err(problem) => {
            let is_unauthorised = problem.kind == ProblemKind::Unauthenticated;
            let mut response = problem.into_response();
            if is_unauthorised {
                response
                    .headers_mut()
                    .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            response
        }
    }
}

async fn identify(api: &AppState, headers: &HeaderMap, extensions: &Extensions) -> Result<Caller, Problem> {
    let authorization = headers.get(header::AUTHORIZATION);
    let refused = |code: &str, detail: &str| Problem::new(ProblemKind::Unauthenticated, code, detail);
    let key = bearer(authorization)
        .ok_or_else(|| refused("key_missing", "Send your API key as `Authorization: Bearer <key>`."))?;
    let invalid = || {
        refused(
            "key_invalid",
            "This API key is unknown or was revoked. `beckon-api create-key` creates one.",
        )
    };
    if !key.starts_with(PREFIX) || key.len() > 100 {
        return Err(invalid());
    }
    let found = api_keys::find(&api.db, &digest_of(key)).await?.ok_or_else(invalid)?;
    if let Some(at) = found.expires_at.filter(|_| found.is_expired) {
        let detail = format!(
            "This API key expired on {}. Create another one in the console, or with `beckon-api create-key`.",
            at.date()
        );
        return Err(refused("key_expired", &detail));
    }
    if found.is_use_due {
        record_use(api, &found).await?;
    }
    Ok(Caller {
        actor: request_log::origin(extensions).identified_as(ActorKind::Key(found.id), &format!("key {}", found.name)),
        may_read_audit_log: found.may_read_audit_log,
    })
}

fn bearer(authorization: Option<&HeaderValue>) -> Option<&str> {
    let (scheme, key) = authorization?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
}

/// Whether the key of an accepted request is still valid.
///
/// # Errors
///
/// If Postgres is unavailable.
pub async fn is_valid(api: &AppState, headers: &HeaderMap) -> StoreResult<bool> {
    match bearer(headers.get(header::AUTHORIZATION)) {
        Some(key) => {
            let found = api_keys::find(&api.db, &digest_of(key)).await?;
            Ok(found.is_some_and(|key| !key.is_expired))
        }
        None => Ok(false),
    }
}

/// Records that the key was used. Postgres may be read-only at the moment, as on a standby during failover; requests
/// that only read still work then.
async fn record_use(api: &AppState, key: &ApiKey) -> Result<(), Problem> {
    match api_keys::record_use(&api.db, key.id).await {
        Err(fault) if fault.is_transient() => {
            debug!(error = ?fault, key = key.name, "Could not record that a key was used");
            Ok(())
        }
        noted => Ok(noted?),
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        // `require` inserts it for every route it guards. A route outside it must not be accessible.
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or_else(|| Problem::new(ProblemKind::Unauthenticated, "key_missing", "This needs an API key."))
    }
}

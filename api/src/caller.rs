//! Authenticates API clients by a key in `Authorization: Bearer`.
//!
//! A key is `beckon_` and 32 random bytes in base64url. Its SHA-256 digest is looked up: 256 random bits need no slow
//! hash (ASVS 5.0, 6.5.2), and comparing digests by an index leaks nothing about keys.

use crate::events::while_let_in;
use crate::observe;
use crate::problem::Problem;
use crate::state::Api;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::TryRng as _;
use sha2::{Digest as _, Sha256};
use shared::store::StoreResult;
use shared::store::api_keys::{self, ApiKey, NewKey};
use shared::store::audit::{Action, Actor, ActorKind};
use tracing::debug;
use uuid::Uuid;

const PREFIX: &str = "beckon_";
const RANDOM_BYTES: usize = 32;

/// An authenticated caller: an API key or an administrator.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The caller as recorded in the audit log.
    pub actor: Actor,
    /// Whether the caller may read the audit log.
    pub may_read_audit_log: bool,
}

impl Caller {
    /// The id of the key or the administrator. Idempotency keys and limits are separate for each.
    pub fn id(&self) -> Uuid {
        self.actor.kind.id().unwrap_or_default()
    }
}

/// Generates a key, and its digest to store.
///
/// # Errors
///
/// If the operating system provides no randomness.
pub fn make_key() -> Result<(String, Vec<u8>), rand::rngs::SysError> {
    let mut bytes = [0; RANDOM_BYTES];
    shared::password::os_randomness().try_fill_bytes(&mut bytes)?;
    let key = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes));
    let digest = digest(&key);
    Ok((key, digest))
}

/// Details of a new key for the audit log: its name and properties that differ from the default.
pub fn noted(new: &NewKey) -> serde_json::Value {
    let mut noted = serde_json::json!({ "name": new.name });
    if let Some(noted) = noted.as_object_mut() {
        let marks = [
            ("never_expires", new.expires_after.is_none()),
            ("reads_audit_log", new.may_read_audit_log),
        ];
        let marks = marks.into_iter().filter(|(_, holds)| *holds);
        noted.extend(marks.map(|(mark, holds)| (mark.to_owned(), holds.into())));
    }
    noted
}

fn digest(key: &str) -> Vec<u8> {
    Sha256::digest(key.as_bytes()).to_vec()
}

/// Authenticates a request and attaches the caller to it.
pub async fn require(State(api): State<Api>, mut request: Request, next: Next) -> Response {
    let identified = identify(&api, request.headers(), request.extensions()).await;
    if let Err(problem) = &identified
        && problem.status == StatusCode::UNAUTHORIZED.as_u16()
    {
        api.record_access(Action::KeyRefused, &observe::origin(request.extensions()), None);
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
            let is_unauthorised = problem.status == StatusCode::UNAUTHORIZED.as_u16();
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

async fn identify(api: &Api, headers: &HeaderMap, extensions: &Extensions) -> Result<Caller, Problem> {
    let authorization = headers.get(header::AUTHORIZATION);
    let refused = |code: &str, detail: &str| Problem::new(StatusCode::UNAUTHORIZED, code, detail);
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
    let found = api_keys::find(&api.db, &digest(key)).await?.ok_or_else(invalid)?;
    if let Some(at) = found.expires_at.filter(|_| found.is_expired) {
        let detail = format!(
            "This API key expired on {}. Create another one in the console, or with `beckon-api create-key`.",
            at.date()
        );
        return Err(refused("key_expired", &detail));
    }
    if found.is_use_due {
        note_use(api, &found).await?;
    }
    let actor = Actor {
        kind: ActorKind::Key(found.id),
        name: format!("key {}", found.name),
        ..observe::origin(extensions)
    };
    Ok(Caller {
        actor,
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
pub async fn is_valid(api: &Api, headers: &HeaderMap) -> StoreResult<bool> {
    match bearer(headers.get(header::AUTHORIZATION)) {
        Some(key) => {
            let found = api_keys::find(&api.db, &digest(key)).await?;
            Ok(found.is_some_and(|key| !key.is_expired))
        }
        None => Ok(false),
    }
}

/// Records that the key was used. Postgres may be read-only at the moment, as on a standby during failover; requests
/// that only read still work then.
async fn note_use(api: &Api, key: &ApiKey) -> Result<(), Problem> {
    let (db, id) = (api.db.clone(), key.id);
    match api
        .to_the_end(async move { Ok(api_keys::note_use(&db, id).await) })
        .await?
    {
        Err(fault) if fault.is_passing() => {
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
            .ok_or_else(|| Problem::new(StatusCode::UNAUTHORIZED, "key_missing", "This needs an API key."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_differ_and_their_digests_are_not_the_keys() {
        let (one, its_digest) = make_key().unwrap();
        let (other, _) = make_key().unwrap();
        assert_ne!(one, other);
        assert_eq!(one.len(), PREFIX.len() + 43);
        assert_eq!(its_digest, digest(&one));
    }
}

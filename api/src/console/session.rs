//! Sessions of administrators.
//!
//! The cookie holds a token of 256 random bits; Postgres stores its SHA-256 digest. The `__Host-` prefix binds the
//! cookie to this host and to encrypted connections; browsers treat localhost as encrypted. The CSRF token is derived
//! from the session token, so it differs between sessions and is not stored.

use super::respond::{Flash, cookie};
use crate::app::caller::Caller;
use crate::app::problem::{Problem, ProblemKind};
use crate::app::sessions::AdministratorSession;
use crate::app::state::AppState;
use crate::app::token::digest_of;
use crate::http::request_log;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use shared::store::StoreResult;
use shared::store::audit::{Actor, ActorKind};
use shared::store::sessions;
use uuid::Uuid;

/// Name of the cookie.
const COOKIE: &str = "__Host-beckon";

/// An administrator who is signed in.
#[derive(Clone, Debug)]
pub struct Administrator {
    /// The administrator's id.
    pub id: Uuid,
    /// The administrator's name.
    pub name: String,
    /// The administrator as recorded in the audit log.
    pub actor: Actor,
    /// The administrator's email address.
    pub email: String,
    /// Whether they must choose their own password before doing anything else.
    pub must_choose: bool,
    /// Whether they entered their password in the last minutes.
    pub(super) is_recently_authenticated: bool,
    /// The CSRF token of this session.
    pub(super) csrf_token: String,
    /// The flash message.
    pub(super) flash: Option<Flash>,
    digest: Vec<u8>,
}

impl Administrator {
    /// The administrator as a caller of the API's functions.
    pub fn caller(&self) -> Caller {
        self.session().caller()
    }

    /// The administrator in their session, as use cases need them.
    pub(super) fn session(&self) -> AdministratorSession<'_> {
        AdministratorSession {
            id: self.id,
            actor: &self.actor,
            email: &self.email,
            must_choose: self.must_choose,
            digest: &self.digest,
        }
    }

    /// The same administrator in a session with a new token.
    pub(super) fn in_session(&self, token: &str) -> Self {
        Self {
            is_recently_authenticated: true,
            csrf_token: csrf_token_of(token),
            digest: digest_of(token),
            ..self.clone()
        }
    }

    /// The CSRF token of this session.
    pub(super) fn csrf_token(&self) -> &str {
        &self.csrf_token
    }

    /// The digest that the session is stored under.
    pub(super) fn digest(&self) -> &[u8] {
        &self.digest
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Administrator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        // `require_session` inserts it for every page it guards. A page outside it must not be accessible.
        let known = parts.extensions.get::<Self>().cloned();
        known.ok_or_else(|| Problem::new(ProblemKind::Unauthenticated, "signed_out", "Sign in first."))
    }
}

/// Derives the CSRF token of a session.
pub(super) fn csrf_token_of(token: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(b"form ");
    hash.update(token.as_bytes());
    URL_SAFE_NO_PAD.encode(hash.finalize())
}

/// The cookie that begins a session. Without `Max-Age` the browser drops it on exit.
pub(super) fn beginning(token: &str) -> String {
    format!("{COOKIE}={token}; Path=/; Secure; HttpOnly; SameSite=Lax")
}

/// The cookie that ends a session.
pub(super) fn ending() -> String {
    format!("{COOKIE}=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0")
}

/// The `Cookie` header of a request.
pub(super) fn cookies(headers: &HeaderMap) -> &str {
    let value = headers.get(header::COOKIE).and_then(|value| value.to_str().ok());
    value.unwrap_or_default()
}

/// The session token in a request's cookie.
fn token_in(headers: &HeaderMap) -> Option<&str> {
    cookie(cookies(headers), COOKIE).filter(|token| (40..=60).contains(&token.len()))
}

/// The digest of the session in a request's cookie, whether or not the session has ended.
pub(super) fn digest_in(headers: &HeaderMap) -> Option<Vec<u8>> {
    token_in(headers).map(digest_of)
}

/// Finds the session of a request.
pub(super) async fn signed_in(
    api: &AppState,
    headers: &HeaderMap,
    extensions: &Extensions,
) -> Result<Option<Administrator>, Problem> {
    let Some(token) = token_in(headers) else {
        return Ok(None);
    };
    let digest = digest_of(token);
    let Some(session) = sessions::find(&api.db, &digest).await? else {
        return Ok(None);
    };
    if session.is_use_due {
        record_use(api, &digest).await?;
    }
    Ok(Some(Administrator {
        id: session.administrator,
        actor: request_log::origin(extensions)
            .identified_as(ActorKind::Administrator(session.administrator), &session.name),
        name: session.name,
        email: session.email,
        must_choose: session.must_choose,
        is_recently_authenticated: session.is_recently_authenticated,
        csrf_token: csrf_token_of(token),
        flash: super::respond::flash(cookies(headers)),
        digest,
    }))
}

/// Whether a session is still valid. This does not count as use: an open page or download must not keep its session
/// alive.
///
/// # Errors
///
/// If Postgres is unavailable.
pub(super) async fn is_valid(api: &AppState, digest: &[u8]) -> StoreResult<bool> {
    Ok(sessions::find(&api.db, digest).await?.is_some())
}

/// Records that the session is in use. Postgres may be read-only at the moment; pages that only read still work then.
async fn record_use(api: &AppState, digest: &[u8]) -> Result<(), Problem> {
    match sessions::record_use(&api.db, digest).await {
        Err(fault) if fault.is_transient() => Ok(()),
        noted => Ok(noted?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::token::make_token;

    #[test]
    fn tokens_differ_and_nothing_that_is_shown_is_the_token() {
        let (one, digest) = make_token().unwrap();
        let (other, _) = make_token().unwrap();

        assert_ne!(one, other);
        assert_ne!(csrf_token_of(&one), one);
        assert_ne!(URL_SAFE_NO_PAD.encode(&digest), csrf_token_of(&one));
        assert_eq!(digest, digest_of(&one));
    }

    #[test]
    fn one_cookie_is_found_among_many() {
        let all = "a=1; __Host-beckon=xyz; b=2";
        assert_eq!(cookie(all, COOKIE), Some("xyz"));
        assert_eq!(cookie("__Host-beckon-said=1", COOKIE), None);
    }
}

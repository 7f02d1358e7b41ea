//! Who is signed in.
//!
//! The cookie holds a token of 256 random bits, Postgres its SHA-256 digest. `__Host-` binds the
//! cookie to this host and to encrypted connections; browsers count this machine itself as one.
//! The proof that a form is ours is derived from the token, so every session has its own and
//! nothing has to be stored for it.

use super::respond::{Said, cookie};
use crate::caller::Caller;
use crate::observe;
use crate::problem::Problem;
use crate::state::Api;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::TryRng as _;
use sha2::{Digest as _, Sha256};
use shared::store::StoreResult;
use shared::store::audit::{Actor, ActorKind};
use shared::store::sessions;
use uuid::Uuid;

/// The cookie's name.
const COOKIE: &str = "__Host-beckon";

const TOKEN_BYTES: usize = 32;

/// Somebody who is signed in.
#[derive(Clone, Debug)]
pub struct Administrator {
    /// Their id.
    pub id: Uuid,
    /// What they are called.
    pub name: String,
    /// How they are recorded.
    pub actor: Actor,
    /// Their address.
    pub email: String,
    /// Whether they must choose a password of their own before anything else.
    pub must_choose: bool,
    /// Whether they have entered their password in the last minutes.
    pub(super) is_recently_authenticated: bool,
    /// What the forms of this session carry.
    pub(super) proof: String,
    /// What the page before wanted said.
    pub(super) said: Option<Said>,
    digest: Vec<u8>,
}

impl Administrator {
    /// As one who asks for something to be done.
    pub fn caller(&self) -> Caller {
        Caller {
            actor: self.actor.clone(),
            may_read_audit_log: true,
        }
    }

    /// The same administrator in a session with another token.
    pub(super) fn in_session(&self, token: &str) -> Self {
        Self {
            is_recently_authenticated: true,
            proof: proof_of(token),
            digest: digest_of(token),
            ..self.clone()
        }
    }

    /// What the forms of this session carry.
    pub(super) fn proof(&self) -> &str {
        &self.proof
    }

    /// What their session is stored under.
    pub(super) fn digest(&self) -> &[u8] {
        &self.digest
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Administrator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        // Present on every page behind the door; one that forgot it must not be open.
        let known = parts.extensions.get::<Self>().cloned();
        known.ok_or_else(|| Problem::new(StatusCode::UNAUTHORIZED, "signed_out", "Sign in first."))
    }
}

/// A new token: itself for the cookie, and its digest to keep.
pub(super) fn make_token() -> Result<(String, Vec<u8>), Problem> {
    let mut bytes = [0; TOKEN_BYTES];
    shared::password::os_randomness()
        .try_fill_bytes(&mut bytes)
        .map_err(|_| Problem::internal())?;
    let token = URL_SAFE_NO_PAD.encode(bytes);
    let digest = digest_of(&token);
    Ok((token, digest))
}

/// What a token is kept as.
pub(super) fn digest_of(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}

/// What a form must carry to be taken from this session.
pub(super) fn proof_of(token: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(b"form ");
    hash.update(token.as_bytes());
    URL_SAFE_NO_PAD.encode(hash.finalize())
}

/// The cookie that begins a session. Without an age it goes with the browser.
pub(super) fn beginning(token: &str) -> String {
    format!("{COOKIE}={token}; Path=/; Secure; HttpOnly; SameSite=Lax")
}

/// The cookie that ends one.
pub(super) fn ending() -> String {
    format!("{COOKIE}=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0")
}

/// All cookies of a request.
pub(super) fn cookies(headers: &HeaderMap) -> &str {
    let value = headers.get(header::COOKIE).and_then(|value| value.to_str().ok());
    value.unwrap_or_default()
}

/// The token in a request's cookie.
fn token_in(headers: &HeaderMap) -> Option<&str> {
    cookie(cookies(headers), COOKIE).filter(|token| (40..=60).contains(&token.len()))
}

/// What the session of a request's cookie is stored under, whether it has ended or not.
pub(super) fn digest_in(headers: &HeaderMap) -> Option<Vec<u8>> {
    token_in(headers).map(digest_of)
}

/// Who is signed in, if anybody is.
pub(super) async fn signed_in(
    api: &Api,
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
        note_use(api, &digest).await?;
    }
    Ok(Some(Administrator {
        id: session.administrator,
        actor: Actor {
            kind: ActorKind::Administrator(session.administrator),
            name: session.name.clone(),
            ..observe::origin(extensions)
        },
        name: session.name,
        email: session.email,
        must_choose: session.must_choose,
        is_recently_authenticated: session.is_recently_authenticated,
        proof: proof_of(token),
        said: super::respond::said(cookies(headers)),
        digest,
    }))
}

/// Whether a session that let a request in would let it in again. Not noted as a use: what is only open does not keep its
/// session from ending.
///
/// # Errors
///
/// When Postgres is away.
pub(super) async fn is_valid(api: &Api, digest: &[u8]) -> StoreResult<bool> {
    Ok(sessions::find(&api.db, digest).await?.is_some())
}

/// Notes that the session is used. Only reading may be possible now, and reading needs no note.
async fn note_use(api: &Api, digest: &[u8]) -> Result<(), Problem> {
    let (db, digest) = (api.db.clone(), digest.to_vec());
    let noted = api
        .to_the_end(async move { Ok(sessions::note_use(&db, &digest).await) })
        .await?;
    match noted {
        Err(fault) if fault.is_passing() => Ok(()),
        noted => Ok(noted?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_differ_and_nothing_that_is_shown_is_the_token() {
        let (one, digest) = make_token().unwrap();
        let (other, _) = make_token().unwrap();

        assert_ne!(one, other);
        assert_ne!(proof_of(&one), one);
        assert_ne!(URL_SAFE_NO_PAD.encode(&digest), proof_of(&one));
        assert_eq!(digest, digest_of(&one));
    }

    #[test]
    fn one_cookie_is_found_among_many() {
        let all = "a=1; __Host-beckon=xyz; b=2";
        assert_eq!(cookie(all, COOKIE), Some("xyz"));
        assert_eq!(cookie("__Host-beckon-said=1", COOKIE), None);
    }
}

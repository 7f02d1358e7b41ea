//! The device cookie: which browsers have signed in before (OWASP, "Slow Down Online Guessing Attacks
//! with Device Cookies").
//!
//! It holds 256 random bits and proves nothing but that an administrator's password was right in this browser
//! once, which gives that administrator tries of their own there (`credentials/tries.rs`). Signing out leaves it.
//! Postgres keeps its digest by administrator, so a browser that several of them use has one cookie.

use super::respond::cookie;
use super::session::{self, make_token};
use crate::problem::Problem;
use crate::state::Api;
use axum::http::HeaderMap;
use sha2::{Digest as _, Sha256};
use shared::store::known_clients;
use tracing::warn;
use uuid::Uuid;

/// The cookie's name.
const COOKIE: &str = "__Host-beckon-device";

/// Characters of the cookie's value: 256 bits in base64url.
const LENGTH: usize = 43;

/// Seconds a browser keeps it: a year after the last sign-in.
const MAX_AGE: u32 = 365 * 86_400;

/// A browser that has, or gets, the cookie.
pub(super) struct Device(String);

impl Device {
    /// The one that a request came from, if it has the cookie.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let value = cookie(session::cookies(headers), COOKIE)?;
        (value.len() == LENGTH).then(|| Self(value.to_owned()))
    }

    /// One that has none yet.
    pub(super) fn generate() -> Result<Self, Problem> {
        make_token().map(|(token, _)| Self(token))
    }

    /// What tries are counted for.
    pub(super) fn name(&self) -> String {
        format!("device {}", self.0)
    }

    /// What is stored of it.
    pub(super) fn digest(&self) -> Vec<u8> {
        Sha256::digest(self.0.as_bytes()).to_vec()
    }

    /// The header that sets it.
    pub(super) fn set_cookie(&self) -> String {
        format!(
            "{COOKIE}={}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={MAX_AGE}",
            self.0
        )
    }

    /// Remembers that an administrator signed in here. Where it cannot be, they are let in all the same.
    pub(super) async fn remember(&self, api: &Api, administrator: Uuid) -> Result<(), Problem> {
        let (db, digest) = (api.db.clone(), self.digest());
        api.to_the_end(async move {
            if let Err(fault) = known_clients::remember_device(&db, administrator, &digest).await {
                warn!(error = ?fault, "Could not remember a browser that signed in");
            }
            Ok(())
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::{HeaderValue, header};

    #[test]
    fn a_device_is_recognised_by_its_cookie() {
        let device = Device::generate().unwrap();
        let set = device.set_cookie();
        let headers = |value: &str| {
            let value = HeaderValue::from_str(value).unwrap();
            HeaderMap::from_iter([(header::COOKIE, value)])
        };

        let sent = set.split(';').next().unwrap();
        let found = Device::of(&headers(&format!("a=1; {sent}"))).unwrap();

        assert_eq!(found.digest(), device.digest());
        assert!(Device::of(&headers("__Host-beckon-device=short")).is_none());
        for attribute in ["Path=/", "Secure", "HttpOnly", "SameSite=Lax", "Max-Age=31536000"] {
            assert!(set.split("; ").any(|part| part == attribute), "{set}");
        }
    }
}

//! The device cookie, which identifies browsers that have signed in before (OWASP, "Slow Down Online Guessing Attacks
//! with Device Cookies").
//!
//! It holds 256 random bits and proves only that an administrator entered the right password in this browser once.
//! That administrator then has a separate rate limit there (`credentials/attempt_limiter.rs`). Signing out keeps the
//! cookie. Postgres stores its digest per administrator, so administrators who share a browser share one cookie.

use super::respond::cookie;
use super::session;
use crate::app::administrator_password::DeviceIdentity;
use crate::app::problem::Problem;
use crate::app::state::AppState;
use crate::app::token::{digest_of, make_token};
use axum::http::HeaderMap;
use shared::store::known_clients;
use tracing::warn;
use uuid::Uuid;

/// Name of the cookie.
const COOKIE: &str = "__Host-beckon-device";

/// Length of the cookie's value: 256 bits in base64url.
const LENGTH: usize = 43;

/// Lifetime of the cookie in seconds: a year after the last sign-in.
const MAX_AGE: u32 = 365 * 86_400;

/// The device cookie of a browser.
pub(super) struct Device(String);

impl Device {
    /// Reads the cookie of a request.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let value = cookie(session::cookies(headers), COOKIE)?;
        (value.len() == LENGTH).then(|| Self(value.to_owned()))
    }

    /// Generates a cookie for a browser that has none.
    pub(super) fn generate() -> Result<Self, Problem> {
        make_token().map(|(token, _)| Self(token))
    }

    /// The browser as the check of a password identifies it.
    pub(super) fn identity(&self) -> DeviceIdentity {
        DeviceIdentity {
            name: format!("device {}", self.0),
            digest: self.digest(),
        }
    }

    /// The digest that is stored.
    fn digest(&self) -> Vec<u8> {
        digest_of(&self.0)
    }

    /// The `Set-Cookie` header.
    pub(super) fn set_cookie(&self) -> String {
        format!(
            "{COOKIE}={}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={MAX_AGE}",
            self.0
        )
    }

    /// Records that an administrator signed in here. A database error is only logged: it must not prevent sign-in.
    pub(super) async fn remember(&self, api: &AppState, administrator: Uuid) {
        if let Err(fault) = known_clients::remember_device(&api.db, administrator, &self.digest()).await {
            warn!(error = ?fault, "Could not remember a browser that signed in");
        }
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

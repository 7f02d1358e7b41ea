//! Reads the `Idempotency-Key` of a request.

use crate::app::idempotent::IdempotencyKey;
use crate::app::problem::Problem;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;

/// Name of the header.
const HEADER: &str = "idempotency-key";

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Some(value) = parts.headers.get(HEADER) else {
            return Ok(Self::NONE);
        };
        value.to_str().ok().and_then(Self::parse).ok_or_else(|| {
            Problem::malformed(
                "idempotency_key_invalid",
                "An Idempotency-Key is 1 to 200 printable ASCII characters, for example a UUID.",
            )
        })
    }
}

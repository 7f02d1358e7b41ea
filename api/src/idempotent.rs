//! The same request twice is done once.
//!
//! A caller unsure whether its request arrived sends it again with the same `Idempotency-Key` and
//! gets the answer of the first. The key, the answer and the work share one transaction.

use crate::caller::Caller;
use crate::problem::Problem;
use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::Serialize;
use serde::de::DeserializeOwned;
use shared::store::idempotency::{Known, keep, take};
use shared::store::{Transaction, commit};

/// The header's name.
const HEADER: &str = "idempotency-key";

/// Longer keys are no keys; a UUID has 36 characters.
const LONGEST: usize = 200;

/// The key of a request, if it has one. Without one, every request is a new one.
#[derive(Clone, Debug)]
pub struct IdempotencyKey(Option<String>);

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Some(value) = parts.headers.get(HEADER) else {
            return Ok(Self(None));
        };
        let fits = |key: &&str| {
            !key.is_empty() && key.len() <= LONGEST && key.bytes().all(|b| b.is_ascii_graphic() || b == b' ')
        };
        match value.to_str().ok().filter(fits) {
            Some(key) => Ok(Self(Some(key.to_owned()))),
            None => Err(Problem::new(
                StatusCode::BAD_REQUEST,
                "idempotency_key_invalid",
                "An Idempotency-Key is 1 to 200 printable ASCII characters; a UUID is a good one.",
            )),
        }
    }
}

/// One request under its key, inside a transaction.
pub struct Once {
    caller: String,
    key: Option<String>,
    digest: Vec<u8>,
}

impl Once {
    /// For this caller's request to `route`, whose content has this digest.
    pub fn new(caller: &Caller, route: &str, key: IdempotencyKey, mut digest: Vec<u8>) -> Self {
        digest.extend_from_slice(route.as_bytes());
        Self {
            caller: caller.id.to_string(),
            key: key.0,
            digest,
        }
    }

    /// The answer given before, if the same request came before.
    ///
    /// # Errors
    ///
    /// 422 when the key came before with other content.
    pub async fn answered<T: DeserializeOwned>(&self, transaction: &mut Transaction) -> Result<Option<T>, Problem> {
        let Some(key) = &self.key else { return Ok(None) };
        match take(transaction, &self.caller, key, &self.digest).await? {
            Known::Fresh => Ok(None),
            Known::Answered { answer, .. } => serde_json::from_value(answer)
                .map(Some)
                .map_err(|_| Problem::internal()),
            Known::OtherContent => Err(Problem::unprocessable(
                "idempotency_mismatch",
                "This Idempotency-Key came before with another request. Use a new key for a new request.",
            )),
        }
    }

    /// Keeps the answer and makes the work last.
    ///
    /// # Errors
    ///
    /// When Postgres did not commit: nothing was done, and asking again is safe.
    pub async fn commit<T: Serialize>(
        &self,
        mut transaction: Transaction,
        status: StatusCode,
        answer: &T,
    ) -> Result<(), Problem> {
        if let Some(key) = &self.key {
            let answer = serde_json::to_value(answer).map_err(|_| Problem::internal())?;
            keep(
                &mut transaction,
                &self.caller,
                key,
                &self.digest,
                status.as_u16(),
                &answer,
            )
            .await?;
        }
        Ok(commit(transaction).await?)
    }
}

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
use shared::store::{Db, StoreResult, Transaction, begin, commit};
use tracing::warn;

/// The header's name.
const HEADER: &str = "idempotency-key";

/// Longer keys are no keys; a UUID has 36 characters.
const LONGEST: usize = 200;

/// The key of a request, if it has one. Without one, every request is a new one.
#[derive(Clone, Debug)]
pub struct IdempotencyKey(Option<String>);

impl IdempotencyKey {
    /// A key of our own making, such as the one-time token of a form.
    pub fn of(token: &str) -> Self {
        Self(Some(token.to_owned()))
    }
}

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
            caller: caller.id().to_string(),
            key: key.0,
            digest,
        }
    }

    /// Whether the request has a key.
    pub const fn has_key(&self) -> bool {
        self.key.is_some()
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
    /// A commit whose reply is lost has happened or has not. With a key, the answer kept under it
    /// tells which: it is there exactly when the work is.
    ///
    /// # Errors
    ///
    /// Unless it says `outcome_unknown`, nothing was done, and asking again is safe.
    pub async fn commit<T: Serialize>(
        &self,
        db: &Db,
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
        let Err(fault) = commit(transaction).await else {
            return Ok(());
        };
        warn!(error = ?fault, "Postgres did not say whether it committed");
        let Some(key) = &self.key else {
            return Err(unknown(WITHOUT_KEY));
        };
        match self.is_kept(db, key).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(fault.into()),
            Err(still) => {
                warn!(error = ?still, "Postgres did not say either what became of a request by its key");
                Err(unknown(WITH_KEY))
            }
        }
    }

    /// Whether the work was committed. Waits for the transaction that may be doing so: it holds the
    /// key until it has ended.
    async fn is_kept(&self, db: &Db, key: &str) -> StoreResult<bool> {
        let mut transaction = begin(db).await?;
        let known = take(&mut transaction, &self.caller, key, &self.digest).await?;
        Ok(matches!(known, Known::Answered { .. }))
    }
}

const WITH_KEY: &str = "The database went away before it said whether this was stored. Ask again with the same \
                        Idempotency-Key: what was done is not done twice, and you get its answer.";
const WITHOUT_KEY: &str = "The database went away before it said whether this was stored. Look for it first: \
                           GET /v1/batches lists the newest batches. An import can be sent again; it changes nothing \
                           twice. POST /v1/credentials/verify tells whether a new password works.";

fn unknown(detail: &str) -> Problem {
    Problem::unavailable("outcome_unknown", detail, 2)
}

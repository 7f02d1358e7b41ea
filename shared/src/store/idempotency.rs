//! Idempotency keys: a repeated key with the same content gets the same response.

use super::{Db, StoreResult, Transaction, within};
use serde_json::Value;

/// How long keys are kept. After this time no caller is still unsure whether a request arrived.
pub const KEPT_DAYS: i32 = 7;

/// What is known about a key.
#[derive(Debug)]
pub enum KeyState {
    /// Unused. This transaction holds it until it ends.
    Fresh,
    /// Used before with the same content; holds the response.
    Answered {
        /// HTTP status.
        status: u16,
        /// The body.
        answer: Value,
    },
    /// Used before with different content: an error of the caller.
    OtherContent,
}

/// Locks a key for this transaction and returns what is known about it.
pub async fn take(transaction: &mut Transaction, caller: &str, key: &str, digest: &[u8]) -> StoreResult<KeyState> {
    // Of two concurrent requests with one key, the second waits here and finds the response.
    let locking = sqlx::query!(
        "select pg_advisory_xact_lock(hashtextextended($1 || chr(10) || $2, 1))",
        caller,
        key
    );
    within(locking.execute(&mut **transaction)).await?;
    let reading = sqlx::query!(
        "select digest, status, answer from idempotency_keys where caller = $1 and key = $2",
        caller,
        key,
    );
    let known = within(reading.fetch_optional(&mut **transaction)).await?;
    Ok(match known {
        None => KeyState::Fresh,
        Some(row) if row.digest == digest => KeyState::Answered {
            status: u16::try_from(row.status).unwrap_or(200),
            answer: row.answer,
        },
        Some(_) => KeyState::OtherContent,
    })
}

/// Stores the response in the transaction that did the work.
pub async fn store_response(
    transaction: &mut Transaction,
    caller: &str,
    key: &str,
    digest: &[u8],
    status: u16,
    answer: &Value,
) -> StoreResult<()> {
    let adding = sqlx::query!(
        "insert into idempotency_keys (caller, key, digest, status, answer) values ($1, $2, $3, $4, $5)",
        caller,
        key,
        digest,
        i16::try_from(status).unwrap_or(200),
        answer,
    );
    within(adding.execute(&mut **transaction)).await?;
    Ok(())
}

/// Deletes up to `most` keys older than [`KEPT_DAYS`], oldest first, and returns how many.
///
/// A request with a deleted key counts as a new one.
pub async fn forget(db: &Db, most: i64) -> StoreResult<u64> {
    let forgetting = sqlx::query!(
        "delete from idempotency_keys
         where (caller, key) in (
             select caller, key from idempotency_keys
             where created_at < now() - make_interval(days => $1)
             order by created_at limit $2
             for update skip locked)",
        KEPT_DAYS,
        most,
    );
    Ok(within(forgetting.execute(db)).await?.rows_affected())
}

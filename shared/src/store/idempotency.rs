//! Requests that came before: the same key with the same content gets the same answer.

use super::{Db, StoreResult, Transaction, within};
use serde_json::Value;

/// After this nobody is still unsure whether a request arrived.
pub const KEPT_DAYS: i32 = 7;

/// What is known of a key.
#[derive(Debug)]
pub enum Known {
    /// It never came, and this transaction holds it: nobody else can use it meanwhile.
    Fresh,
    /// It came before with the same content; this was the answer.
    Answered {
        /// HTTP status.
        status: u16,
        /// The body.
        answer: Value,
    },
    /// It came before with other content: a fault in the caller.
    OtherContent,
}

/// Takes a key for the length of this transaction and says what is known of it.
pub async fn take(transaction: &mut Transaction, caller: &str, key: &str, digest: &[u8]) -> StoreResult<Known> {
    // Two requests with one key at the same moment: the second waits here and finds the answer.
    sqlx::query!(
        "select pg_advisory_xact_lock(hashtextextended($1 || chr(10) || $2, 1))",
        caller,
        key
    )
    .execute(&mut **transaction)
    .await?;
    let known = sqlx::query!(
        "select digest, status, answer from idempotency_keys where caller = $1 and key = $2",
        caller,
        key,
    )
    .fetch_optional(&mut **transaction)
    .await?;
    Ok(match known {
        None => Known::Fresh,
        Some(row) if row.digest == digest => Known::Answered {
            status: u16::try_from(row.status).unwrap_or(200),
            answer: row.answer,
        },
        Some(_) => Known::OtherContent,
    })
}

/// Keeps the answer, in the transaction that did the work.
pub async fn keep(
    transaction: &mut Transaction,
    caller: &str,
    key: &str,
    digest: &[u8],
    status: u16,
    answer: &Value,
) -> StoreResult<()> {
    sqlx::query!(
        "insert into idempotency_keys (caller, key, digest, status, answer) values ($1, $2, $3, $4, $5)",
        caller,
        key,
        digest,
        i16::try_from(status).unwrap_or(200),
        answer,
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Forgets up to `most` keys that came more than [`KEPT_DAYS`] ago, oldest first; returns how many.
///
/// A request that comes again after that is a new one.
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

//! What was done by whom, kept for good.

use super::{StoreResult, Transaction};
use serde_json::Value;

/// One act.
#[derive(Clone, Debug)]
pub struct Act<'a> {
    /// Who did it: an administrator's name or `key <name>`.
    pub who: &'a str,
    /// What, as a word.
    pub action: &'a str,
    /// To what: the kind and id of a thing, where there is one.
    pub subject: Option<String>,
    /// Counts and ids; never an address of a recipient, a text or a secret.
    pub details: Value,
}

/// Puts an act on record, in the transaction that does it: neither is without the other.
pub async fn note(transaction: &mut Transaction, act: &Act<'_>) -> StoreResult<()> {
    sqlx::query!(
        "insert into audit (who, action, subject, details) values ($1, $2, $3, $4)",
        act.who,
        act.action,
        act.subject,
        act.details,
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

//! The tries at a delivery, as they were recorded.

use super::{Db, StoreResult};
use time::OffsetDateTime;
use uuid::Uuid;

/// One try.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// Counted from 1.
    pub n: i32,
    /// Which worker made it.
    pub worker: String,
    /// When it began.
    pub started_at: OffsetDateTime,
    /// When its outcome was known; absent while it runs.
    pub ended_at: Option<OffsetDateTime>,
    /// `accepted`, `try_later`, `refused` or `unsure`.
    pub verdict: Option<String>,
    /// How far the conversation came.
    pub phase: Option<String>,
    /// The relay's code.
    pub code: Option<i16>,
    /// Its enhanced code.
    pub enhanced_code: Option<String>,
    /// Its words, or ours when it said nothing.
    pub reply: Option<String>,
}

/// All tries at a delivery, oldest first.
pub async fn of_delivery(db: &Db, delivery: Uuid) -> StoreResult<Vec<Attempt>> {
    let attempts = sqlx::query_as!(
        Attempt,
        "select n, worker, started_at, ended_at, verdict, phase, code, enhanced_code, reply
         from attempts where delivery_id = $1 order by n",
        delivery,
    )
    .fetch_all(db)
    .await?;
    Ok(attempts)
}

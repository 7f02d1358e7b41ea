//! Status reports of workers and the dispatcher.
//!
//! A process that can reach Postgres reports every few seconds, and at once when its trouble begins or ends.
//! A killed or isolated one stops reporting.

use super::{Db, StoreResult, seconds, within};
use crate::trouble::WorkerTrouble;
use std::time::Duration;
use time::OffsetDateTime;

/// Trouble as reported by a worker.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TroubleReport {
    /// The trouble.
    pub trouble: WorkerTrouble,
    /// How long it has lasted. Not a time, because clocks differ and Postgres counts back from its own.
    pub lasts: Duration,
    /// The words of the relay or the connection. Never names a recipient or contains a secret.
    pub words: Option<String>,
    /// What the relay refuses for every mail, if it is our sender, login or account.
    pub refusal: Option<String>,
}

/// When a batch that has not finished was last resumed.
pub async fn last_resumed(db: &Db) -> StoreResult<Option<OffsetDateTime>> {
    let reading = sqlx::query!("select max(resumed_at) as resumed_at from batches where finished_at is null");
    Ok(within(reading.fetch_one(db)).await?.resumed_at)
}

/// Reports that a worker is running, its age and its trouble. `rate_limit` is its rate in mails per second if
/// the relay throttles it.
pub async fn report(
    db: &Db,
    name: &str,
    age: Duration,
    trouble: Option<&TroubleReport>,
    rate_limit: Option<f64>,
) -> StoreResult<()> {
    let reporting = sqlx::query!(
        "insert into workers (name, started_at, trouble, trouble_since, trouble_told, refusal, rate_limit)
         values ($1, now() - make_interval(secs => $2), $3, now() - make_interval(secs => $4), $5, $6, $7)
         on conflict (name) do update
         set seen_at = now(), stopped_at = null, started_at = excluded.started_at,
             trouble = excluded.trouble, trouble_since = excluded.trouble_since,
             trouble_told = excluded.trouble_told, refusal = excluded.refusal, rate_limit = excluded.rate_limit",
        name,
        seconds(age),
        trouble.map(|report| report.trouble) as _,
        trouble.map(|report| seconds(report.lasts)),
        trouble.and_then(|report| report.words.as_deref()),
        trouble.and_then(|report| report.refusal.as_deref()),
        rate_limit,
    );
    within(reporting.execute(db)).await?;
    Ok(())
}

/// Reports that a worker has stopped in an orderly way.
pub async fn deregister(db: &Db, name: &str) -> StoreResult<()> {
    let leaving = sqlx::query!(
        "update workers
         set seen_at = now(), stopped_at = now(), trouble = null, trouble_since = null, trouble_told = null,
             refusal = null, rate_limit = null
         where name = $1",
        name,
    );
    within(leaving.execute(db)).await?;
    Ok(())
}

/// Reports that the dispatcher has completed a round.
pub async fn dispatched(db: &Db) -> StoreResult<()> {
    let reporting = sqlx::query!(
        "insert into dispatching (seen_at) values (now())
         on conflict (is_the_one) do update set seen_at = now()",
    );
    within(reporting.execute(db)).await?;
    Ok(())
}

/// Records that a heartbeat has arrived from the dispatcher through the queue.
pub async fn record_heartbeat(db: &Db) -> StoreResult<()> {
    let recording = sqlx::query!(
        "insert into heartbeat (recorded_at) values (now())
         on conflict (is_the_one) do update set recorded_at = now()",
    );
    within(recording.execute(db)).await?;
    Ok(())
}

/// Deletes workers not seen for a day, except the last one, which shows since when no worker has run.
pub async fn forget(db: &Db) -> StoreResult<u64> {
    let forgetting = sqlx::query!(
        "delete from workers
         where seen_at < now() - interval '1 day' and seen_at < (select max(seen_at) from workers)",
    );
    Ok(within(forgetting.execute(db)).await?.rows_affected())
}

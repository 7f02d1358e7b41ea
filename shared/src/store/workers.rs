//! What workers and the dispatcher say of themselves.
//!
//! A process that can reach Postgres says every few seconds that it is there, and at once when its
//! trouble begins or ends. One that was killed, or is cut off from Postgres, is known by its silence.

use super::{Db, StoreResult, seconds, within};
use crate::trouble::WorkerTrouble;
use std::time::Duration;

/// A trouble, as the worker that has it tells it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Told {
    /// What it is.
    pub trouble: WorkerTrouble,
    /// How long it has lasted. Not a moment, because clocks differ and this is Postgres's to count from.
    pub lasts: Duration,
    /// The relay's or the line's own words; nothing that could name a person or hold a secret.
    pub words: Option<String>,
    /// What the relay refuses of every mail, where that is our sender, login or account.
    pub refusal: Option<String>,
}

/// Says that a worker is there, how old it is, and how it is.
/// `rate_limit` is how many mails a second it sends because the relay throttled it.
pub async fn say(db: &Db, name: &str, age: Duration, told: Option<&Told>, rate_limit: Option<f64>) -> StoreResult<()> {
    let saying = sqlx::query!(
        "insert into workers (name, started_at, trouble, trouble_since, trouble_told, refusal, rate_limit)
         values ($1, now() - make_interval(secs => $2), $3, now() - make_interval(secs => $4), $5, $6, $7)
         on conflict (name) do update
         set seen_at = now(), stopped_at = null, started_at = excluded.started_at,
             trouble = excluded.trouble, trouble_since = excluded.trouble_since,
             trouble_told = excluded.trouble_told, refusal = excluded.refusal, rate_limit = excluded.rate_limit",
        name,
        seconds(age),
        told.map(|told| told.trouble) as _,
        told.map(|told| seconds(told.lasts)),
        told.and_then(|told| told.words.as_deref()),
        told.and_then(|told| told.refusal.as_deref()),
        rate_limit,
    );
    within(saying.execute(db)).await?;
    Ok(())
}

/// Says that a worker has stopped in good order.
pub async fn leave(db: &Db, name: &str) -> StoreResult<()> {
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

/// Says that the dispatcher has come to the end of a round.
pub async fn dispatched(db: &Db) -> StoreResult<()> {
    let saying = sqlx::query!(
        "insert into dispatching (seen_at) values (now())
         on conflict (is_the_one) do update set seen_at = now()",
    );
    within(saying.execute(db)).await?;
    Ok(())
}

/// Records that a beat has come from the dispatcher through the queue to a worker.
pub async fn record_beat(db: &Db) -> StoreResult<()> {
    let recording = sqlx::query!(
        "insert into heartbeat (recorded_at) values (now())
         on conflict (is_the_one) do update set recorded_at = now()",
    );
    within(recording.execute(db)).await?;
    Ok(())
}

/// Forgets workers not seen for a day, but not the last one that was: of it a page says since when
/// there is none.
pub async fn forget(db: &Db) -> StoreResult<u64> {
    let forgetting = sqlx::query!(
        "delete from workers
         where seen_at < now() - interval '1 day' and seen_at < (select max(seen_at) from workers)",
    );
    Ok(within(forgetting.execute(db)).await?.rows_affected())
}

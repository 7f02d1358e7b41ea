//! Number of a batch's deliveries by state and reason: the basis of all other totals.
//!
//! Postgres maintains the counts of unfinished batches (`batch_states`): each statement that moves deliveries
//! counts what it moved, so no reader counts a million rows. When a batch finishes, its rows are counted once
//! and compared.

use super::batches::Batch;
use super::stall::SILENCE;
use super::{Db, StoreResult, seconds, within};
use crate::delivery::DeliveryState;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use time::OffsetDateTime;

/// Deliveries of a batch with the same state and reason.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Alike {
    /// Their state.
    pub state: DeliveryState,
    /// Their reason: the class of the last trouble, or what ended them.
    pub reason: Option<String>,
    /// Number of deliveries.
    pub count: i64,
    /// Number of them that may have been received twice.
    pub unsure: i64,
}

/// Emails of a batch to one recipient domain that are being retried.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RetryingDomain {
    /// The domain, in lower case.
    pub domain: String,
    /// Number of emails, among the [`RETRIES_COUNTED_MOST`] that are due first.
    pub count: i64,
    /// The most common reason.
    pub reason: Option<String>,
    /// When the first of them is due; in the past while it waits to be published.
    pub next_at: OffsetDateTime,
}

/// Maximum number of retries counted by domain.
pub const RETRIES_COUNTED_MOST: i64 = 5_000;

/// Maximum number of domains listed, those with the most retries first.
const DOMAINS_MOST: i64 = 10;

/// The totals of a batch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    /// Every delivery is in exactly one of these groups.
    pub alike: Vec<Alike>,
    /// Number of mails sent during `lately`.
    pub sent_lately: i64,
    /// The last minute, or the time since the start of a batch that has just begun.
    pub lately: Duration,
    /// Recipient domains with retries.
    pub domains: Vec<RetryingDomain>,
    /// Emails per second that the relay accepts, if it throttles every running worker.
    pub rate_limit: Option<f64>,
}

impl Tally {
    /// Number of deliveries in a state, for any reason.
    pub fn of(&self, state: DeliveryState) -> i64 {
        let alike = self.alike.iter().filter(|alike| alike.state == state);
        alike.map(|alike| alike.count).sum()
    }

    /// Number of deliveries that may have been received twice, in any state.
    pub fn unsure(&self) -> i64 {
        self.alike.iter().map(|alike| alike.unsure).sum()
    }
}

/// Counts a batch: from its maintained counts while it runs, from its final counts afterwards.
pub async fn of_batch(db: &Db, batch: &Batch) -> StoreResult<Tally> {
    if let Some(counted) = &batch.final_counts {
        return Ok(Tally {
            alike: serde_json::from_value(counted.clone()).unwrap_or_default(),
            ..Tally::default()
        });
    }
    let rows = sqlx::query!(
        r#"select state as "state!: DeliveryState", reason, count as "count!", unsure as "unsure!"
           from batch_states where batch_id = $1"#,
        batch.id,
    )
    .fetch_all(db)
    .await?;
    let lately = sqlx::query!(
        r#"select coalesce(sum(count), 0) as "sent!",
                  extract(epoch from least(interval '1 minute', now() - $2))::float8 as "seconds!"
           from count_changes
           where batch_id = $1 and state = 'sent' and changed_at > now() - interval '1 minute'"#,
        batch.id,
        batch.start_at,
    )
    .fetch_one(db)
    .await?;
    let alike = rows.into_iter().map(|row| Alike {
        state: row.state,
        reason: row.reason,
        count: row.count,
        unsure: row.unsure,
    });
    Ok(Tally {
        alike: alike.collect(),
        sent_lately: lately.sent,
        // Negative while the batch is held.
        lately: Duration::try_from_secs_f64(lately.seconds).unwrap_or_default(),
        domains: retrying_domains(db, batch).await?,
        rate_limit: rate_limit(db).await?,
    })
}

async fn retrying_domains(db: &Db, batch: &Batch) -> StoreResult<Vec<RetryingDomain>> {
    let counting = sqlx::query_as!(
        RetryingDomain,
        r#"select domain as "domain!", count(*) as "count!", mode() within group (order by reason) as reason,
                  min(retry_at) as "next_at!"
           from (
               select split_part(u.email_key, '@', 2) as domain, d.reason, d.retry_at
               from (
                   select user_id, reason, retry_at from deliveries
                   where batch_id = $1 and retry_at is not null and attempt > 0 and state in ('retrying', 'queued')
                   order by batch_id, retry_at, id limit $2
               ) d
               join users u on u.id = d.user_id
           ) retrying
           group by domain order by count(*) desc, domain limit $3"#,
        batch.id,
        RETRIES_COUNTED_MOST,
        DOMAINS_MOST,
    );
    within(counting.fetch_all(db)).await
}

async fn rate_limit(db: &Db) -> StoreResult<Option<f64>> {
    let asking = sqlx::query!(
        "select sum(rate_limit) as rate_limit from workers
         where stopped_at is null and seen_at > now() - make_interval(secs => $1)
         having bool_and(rate_limit is not null)",
        seconds(SILENCE),
    );
    Ok(within(asking.fetch_optional(db)).await?.and_then(|row| row.rate_limit))
}

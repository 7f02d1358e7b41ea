//! What slows a batch down: recipient domains whose emails are being retried, and the rate that the mail server accepts.
//!
//! Read for the page of one batch, not for lists.

use super::batches::Batch;
use super::counts::StateCounts;
use super::stall::SILENCE;
use super::{Db, StoreResult, seconds, within};
use crate::delivery::DeliveryState;
use time::OffsetDateTime;

/// Emails of a batch to one recipient domain that are being retried.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RetryingDomain {
    /// The domain, in lower case.
    pub domain: String,
    /// Number of emails, among the [`MAX_RETRIES_COUNTED`] that are due first.
    pub count: i64,
    /// The most common reason.
    pub reason: Option<String>,
    /// When the first of them is due; in the past while it waits to be published.
    pub next_at: OffsetDateTime,
}

/// Maximum number of retries counted by domain.
pub const MAX_RETRIES_COUNTED: i64 = 5_000;

/// Maximum number of domains listed, those with the most retries first.
const MAX_DOMAINS: i64 = 10;

/// What slows a batch down.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Slowdowns {
    /// Recipient domains with retries.
    pub domains: Vec<RetryingDomain>,
    /// Emails per second that the relay accepts, if it throttles every running worker.
    pub rate_limit: Option<f64>,
}

/// Reads what slows a batch down, given its totals; nothing once it has finished.
pub async fn of_batch(db: &Db, batch: &Batch, totals: &StateCounts) -> StoreResult<Slowdowns> {
    if batch.final_counts.is_some() {
        return Ok(Slowdowns::default());
    }
    let domains = if totals.of(DeliveryState::Retrying) > 0 {
        retrying_domains(db, batch).await?
    } else {
        Vec::new()
    };
    Ok(Slowdowns {
        domains,
        rate_limit: rate_limit(db).await?,
    })
}

async fn retrying_domains(db: &Db, batch: &Batch) -> StoreResult<Vec<RetryingDomain>> {
    // chr(64) is the at sign: no statement in a log may look like an address.
    let counting = sqlx::query_as!(
        RetryingDomain,
        r#"select domain as "domain!", count(*) as "count!", mode() within group (order by reason) as reason,
                  min(retry_at) as "next_at!"
           from (
               select split_part(u.email_key, chr(64), 2) as domain, d.reason, d.retry_at
               from (
                   select user_id, reason, retry_at from deliveries
                   where batch_id = $1 and retry_at is not null and attempt > 0 and state in ('retrying', 'queued')
                   order by batch_id, retry_at, id limit $2
               ) d
               join users u on u.id = d.user_id
           ) retrying
           group by domain order by count(*) desc, domain limit $3"#,
        batch.id,
        MAX_RETRIES_COUNTED,
        MAX_DOMAINS,
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

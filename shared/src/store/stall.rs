//! Detects whether mail is stalled, cheaply enough for every page.
//!
//! The answer comes from the status reports of the processes ([`super::workers`]) and not from the deliveries:
//! a slow batch, a low rate limit and a held or paused batch look the same there as an outage, and a page may
//! ask at any moment. Waiting mails are only counted if something is wrong, and at most up to [`MAX_COUNTED`].

use super::{Db, StoreResult, seconds, within};
use crate::trouble::WorkerTrouble;
use std::time::Duration;
use time::OffsetDateTime;

/// A process that has not reported for this long counts as missing. Three times the interval of a worker's
/// reports.
pub const SILENCE: Duration = Duration::from_secs(30);

/// Trouble of a worker that is more recent is ignored: a relay that closes a connection causes trouble until
/// the next one is open.
const PASSING: Duration = Duration::from_secs(5);

/// Limit for counting waiting mails.
pub const MAX_COUNTED: i64 = 100_000;

/// Mail that could be sent is waiting.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Stall {
    /// The cause.
    pub cause: Cause,
    /// Since when, if known.
    pub since: Option<OffsetDateTime>,
    /// Number of waiting mails; [`MAX_COUNTED`] plus one if there are more.
    pub waiting: i64,
    /// When this was determined.
    pub asked_at: OffsetDateTime,
}

/// Why mail is waiting.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Cause {
    /// No worker is running.
    NoWorker,
    /// Sending is held after a promotion of Postgres, until an administrator resumes it.
    Held,
    /// Workers are running but get no jobs: the dispatcher does not complete its rounds.
    NoDispatch,
    /// Workers are in trouble.
    Trouble {
        /// The most common trouble.
        trouble: WorkerTrouble,
        /// What the relay refuses for every mail, if the trouble is about our sender, login or account.
        refusal: Option<String>,
        /// The words of the relay or the connection for the first worker with it.
        words: Option<String>,
        /// Number of workers in any trouble.
        troubled: i64,
        /// Number of running workers.
        live: i64,
    },
}

/// What the processes have reported.
struct Observation {
    asked_at: OffsetDateTime,
    live: i64,
    troubled: i64,
    last_seen: Option<OffsetDateTime>,
    is_missed: bool,
    dispatched_at: Option<OffsetDateTime>,
    is_dispatch_missed: bool,
    trouble: Option<WorkerTrouble>,
    refusal: Option<String>,
    trouble_since: Option<OffsetDateTime>,
    words: Option<String>,
    held_at: Option<OffsetDateTime>,
}

impl Observation {
    fn cause(self) -> Option<(Cause, Option<OffsetDateTime>)> {
        if self.held_at.is_some() {
            return Some((Cause::Held, self.held_at));
        }
        if self.live == 0 {
            return self.is_missed.then_some((Cause::NoWorker, self.last_seen));
        }
        if self.is_dispatch_missed && self.troubled < self.live {
            return Some((Cause::NoDispatch, self.dispatched_at));
        }
        let cause = Cause::Trouble {
            trouble: self.trouble?,
            refusal: self.refusal,
            words: self.words,
            troubled: self.troubled,
            live: self.live,
        };
        Some((cause, self.trouble_since))
    }
}

/// Checks whether mail is stalled. Returns `None` if all is well or no mail waits.
pub async fn find_stall(db: &Db) -> StoreResult<Option<Stall>> {
    let observed = observe(db).await?;
    let asked_at = observed.asked_at;
    let Some((cause, since)) = observed.cause() else {
        return Ok(None);
    };
    let waiting = waiting(db).await?;
    Ok((waiting > 0).then_some(Stall {
        cause,
        since,
        waiting,
        asked_at,
    }))
}

async fn observe(db: &Db) -> StoreResult<Observation> {
    let observing = sqlx::query_as!(
        Observation,
        r#"with live as materialized (
               select started_at, trouble, refusal, trouble_since, trouble_told,
                      trouble_since < now() - make_interval(secs => $2) as lasts
               from workers
               where stopped_at is null and seen_at > now() - make_interval(secs => $1)
           ), worst as (
               select trouble, refusal, min(trouble_since) as since,
                      (array_agg(trouble_told order by trouble_since))[1] as told
               from live where lasts
               group by trouble, refusal
               order by count(*) desc, min(trouble_since)
               limit 1
           ), seen as (
               select max(seen_at) as worker_at, (select seen_at from dispatching) as dispatch_at from workers
           )
           select now() as "asked_at!",
                  (select count(*) from live) as "live!",
                  (select count(*) from live where lasts) as "troubled!",
                  worker_at as last_seen,
                  worker_at is null or worker_at < now() - make_interval(secs => $1) as "is_missed!",
                  dispatch_at as dispatched_at,
                  -- On a new database nothing has been dispatched in the first moments either.
                  coalesce(dispatch_at, (select min(started_at) from live), now())
                      < now() - make_interval(secs => $1) as "is_dispatch_missed!",
                  worst.trouble as "trouble: WorkerTrouble", worst.refusal, worst.since as trouble_since,
                  worst.told as words,
                  (select held_at from database_history) as held_at
           from seen left join worst on true"#,
        seconds(SILENCE),
        seconds(PASSING),
    );
    within(observing.fetch_one(db)).await
}

/// Number of mails of running batches that could be sent now or at their next attempt, including batches that
/// should be running.
async fn waiting(db: &Db) -> StoreResult<i64> {
    let counting = sqlx::query!(
        r#"with open as materialized (
               select id from batches
               where finished_at is null and (state = 'running' or (state = 'held' and start_at <= now()))
           )
           select least(coalesce(sum(count), 0), $1::bigint)::bigint as "n!"
           from open
           cross join lateral (
               select count from batch_states
               where batch_id = open.id and state in ('waiting', 'queued', 'retrying')
               offset 0
           ) owed"#,
        MAX_COUNTED + 1,
    );
    Ok(within(counting.fetch_one(db)).await?.n)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn well() -> Observation {
        Observation {
            asked_at: OffsetDateTime::UNIX_EPOCH,
            live: 3,
            troubled: 0,
            last_seen: Some(OffsetDateTime::UNIX_EPOCH),
            is_missed: false,
            dispatched_at: Some(OffsetDateTime::UNIX_EPOCH),
            is_dispatch_missed: false,
            trouble: None,
            refusal: None,
            trouble_since: None,
            words: None,
            held_at: None,
        }
    }

    fn cause(observed: Observation) -> Option<Cause> {
        observed.cause().map(|(cause, _)| cause)
    }

    fn trouble(troubled: i64) -> Cause {
        Cause::Trouble {
            trouble: WorkerTrouble::RelaySilent,
            refusal: None,
            words: None,
            troubled,
            live: 3,
        }
    }

    #[test]
    fn no_stall_is_reported_when_all_is_well() {
        assert_eq!(cause(well()), None);
    }

    #[test]
    fn replacing_workers_is_no_outage() {
        let between = Observation { live: 0, ..well() };
        assert_eq!(cause(between), None);
        let over = Observation {
            live: 0,
            is_missed: true,
            ..well()
        };
        assert_eq!(cause(over), Some(Cause::NoWorker));
    }

    #[test]
    fn a_hold_explains_everything_else() {
        let held = Observation {
            live: 0,
            is_missed: true,
            held_at: Some(OffsetDateTime::UNIX_EPOCH),
            ..well()
        };
        assert_eq!(cause(held), Some(Cause::Held));
    }

    #[test]
    fn trouble_of_all_workers_explains_missing_dispatch() {
        let observed = |troubled, is_dispatch_missed| Observation {
            troubled,
            is_dispatch_missed,
            trouble: (troubled > 0).then_some(WorkerTrouble::RelaySilent),
            ..well()
        };
        assert_eq!(cause(observed(3, true)), Some(trouble(3)));
        assert_eq!(cause(observed(1, true)), Some(Cause::NoDispatch));
        assert_eq!(cause(observed(0, true)), Some(Cause::NoDispatch));
        assert_eq!(cause(observed(1, false)), Some(trouble(1)));
    }
}

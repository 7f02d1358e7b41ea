//! Whether mail is stalled: one cheap question for every page.
//!
//! The answer comes from what the processes say of themselves ([`super::workers`]), not from the
//! deliveries: a batch that takes its time, a rate that is set low, and a batch that somebody holds
//! or pauses look the same in those as an outage, and a page may ask at any moment. How many mails
//! wait is counted only when something is wrong, and not beyond [`COUNTED_MOST`].

use super::{Db, StoreResult, seconds, within};
use crate::trouble::WorkerTrouble;
use std::time::Duration;
use time::OffsetDateTime;

/// A process that has said nothing for this long is missed. Three times as long as a worker's
/// pause between two words.
pub const SILENCE: Duration = Duration::from_secs(30);

/// A worker's trouble that has lasted less long is not worth a word: a relay that closes a
/// connection is in trouble until the next one is open.
const PASSING: Duration = Duration::from_secs(5);

/// How far mails that wait are counted.
pub const COUNTED_MOST: i64 = 100_000;

/// Mail waits that could go out.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Stall {
    /// Why.
    pub cause: Cause,
    /// Since when, where that is known.
    pub since: Option<OffsetDateTime>,
    /// How many mails wait; [`COUNTED_MOST`] and one when there are more.
    pub waiting: i64,
    /// When this was asked.
    pub asked_at: OffsetDateTime,
}

/// Why mail waits.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Cause {
    /// No worker runs.
    NoWorker,
    /// Sending is held after a promotion of Postgres, until a person resumes.
    Held,
    /// Workers run and get no jobs: the dispatcher does not come to the end of a round.
    NoDispatch,
    /// Workers have trouble.
    Trouble {
        /// What most of them have.
        trouble: WorkerTrouble,
        /// What the relay or the line said to the first of those.
        words: Option<String>,
        /// How many have any trouble,
        troubled: i64,
        /// of how many that run.
        live: i64,
    },
}

/// What the processes say of themselves.
struct Said {
    asked_at: OffsetDateTime,
    live: i64,
    troubled: i64,
    last_seen: Option<OffsetDateTime>,
    is_missed: bool,
    dispatched_at: Option<OffsetDateTime>,
    is_dispatch_missed: bool,
    trouble: Option<WorkerTrouble>,
    trouble_since: Option<OffsetDateTime>,
    words: Option<String>,
    held_at: Option<OffsetDateTime>,
}

impl Said {
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
            words: self.words,
            troubled: self.troubled,
            live: self.live,
        };
        Some((cause, self.trouble_since))
    }
}

/// Asks whether mail is stalled; nothing when all is well or nothing waits.
pub async fn look(db: &Db) -> StoreResult<Option<Stall>> {
    let said = said(db).await?;
    let asked_at = said.asked_at;
    let Some((cause, since)) = said.cause() else {
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

async fn said(db: &Db) -> StoreResult<Said> {
    let asked = sqlx::query_as!(
        Said,
        r#"with live as materialized (
               select started_at, trouble, trouble_since, trouble_told, trouble_since < now() - make_interval(secs => $2) as lasts
               from workers
               where stopped_at is null and seen_at > now() - make_interval(secs => $1)
           ), worst as (
               select trouble, min(trouble_since) as since,
                      (array_agg(trouble_told order by trouble_since))[1] as told
               from live where lasts
               group by trouble
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
                  worst.trouble as "trouble: WorkerTrouble", worst.since as trouble_since, worst.told as words,
                  (select held_at from database_history) as held_at
           from seen left join worst on true"#,
        seconds(SILENCE),
        seconds(PASSING),
    );
    within(asked.fetch_one(db)).await
}

/// What could go out now or at its next try: of batches that are running, or should be.
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
        COUNTED_MOST + 1,
    );
    Ok(within(counting.fetch_one(db)).await?.n)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said() -> Said {
        Said {
            asked_at: OffsetDateTime::UNIX_EPOCH,
            live: 3,
            troubled: 0,
            last_seen: Some(OffsetDateTime::UNIX_EPOCH),
            is_missed: false,
            dispatched_at: Some(OffsetDateTime::UNIX_EPOCH),
            is_dispatch_missed: false,
            trouble: None,
            trouble_since: None,
            words: None,
            held_at: None,
        }
    }

    fn cause(said: Said) -> Option<Cause> {
        said.cause().map(|(cause, _)| cause)
    }

    fn trouble(troubled: i64) -> Cause {
        Cause::Trouble {
            trouble: WorkerTrouble::RelaySilent,
            words: None,
            troubled,
            live: 3,
        }
    }

    #[test]
    fn nothing_is_said_of_those_who_are_well() {
        assert_eq!(cause(said()), None);
    }

    #[test]
    fn a_change_of_workers_is_no_outage() {
        let between = Said { live: 0, ..said() };
        assert_eq!(cause(between), None);
        let over = Said {
            live: 0,
            is_missed: true,
            ..said()
        };
        assert_eq!(cause(over), Some(Cause::NoWorker));
    }

    #[test]
    fn a_hold_explains_everything_else() {
        let held = Said {
            live: 0,
            is_missed: true,
            held_at: Some(OffsetDateTime::UNIX_EPOCH),
            ..said()
        };
        assert_eq!(cause(held), Some(Cause::Held));
    }

    #[test]
    fn what_all_workers_have_explains_why_nothing_is_dispatched() {
        let said = |troubled, is_dispatch_missed| Said {
            troubled,
            is_dispatch_missed,
            trouble: (troubled > 0).then_some(WorkerTrouble::RelaySilent),
            ..said()
        };
        assert_eq!(cause(said(3, true)), Some(trouble(3)));
        assert_eq!(cause(said(1, true)), Some(Cause::NoDispatch));
        assert_eq!(cause(said(0, true)), Some(Cause::NoDispatch));
        assert_eq!(cause(said(1, false)), Some(trouble(1)));
    }
}

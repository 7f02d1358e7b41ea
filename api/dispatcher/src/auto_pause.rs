//! Auto-pause: pauses a batch whose mails fail too often, until an administrator resumes it.
//!
//! Mail providers rate a sender by the mail they refuse. An outdated list, or an email that a spam filter
//! rejects, damages the reputation that all mail depends on, so the batch waits until an administrator has
//! looked at it. No number shows whether a list is worth sending to. Mails to one user or to a few are
//! never held up.
//!
//! The counts live in Postgres, so killed workers and other processes do not change them. This module only
//! keeps how many failures a batch needs before it is worth counting again: otherwise a batch of a hundred
//! thousand with 5 % failures would be counted every second.

mod reason;

use crate::metrics::DispatcherMetrics;
use serde_json::json;
use shared::batch::PauseCause;
use shared::store::auto_pause::{self as rows, Running};
use shared::store::relay_refusals::{self, RefusedBatch};
use shared::store::{Db, StoreResult};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;
use tokio::time::{MissedTickBehavior, interval};
use tracing::warn;
use uuid::Uuid;

/// How often batches are checked.
const PACE: Duration = Duration::from_secs(1);

/// Mails that must have ended before unknown addresses are judged: 10 % of fewer is chance.
const BOUNCES_OF: i64 = 100;

/// The same for refusals by policy, which a filter that rejects an email returns for nearly all recipients.
const POLICY_OF: i64 = 20;

/// Percentage of refusals by policy at which a batch is paused.
const POLICY_PERCENT: i64 = 50;

/// How long every worker must be refused. Short disruptions, such as a failing name server, must not need an
/// administrator.
const REFUSED_FOR: Duration = Duration::from_secs(30);

/// Age up to which a recorded refusal is the reason why workers are refused now. They probe the relay more often: a
/// used-up quota every 5 to 15 minutes, and everything else about once a minute.
const RECENTLY: Duration = Duration::from_mins(20);

/// Mails of a batch that may be refused because of our account while others are accepted.
const MAX_REFUSED: i32 = 20;

/// Time during which a resumed batch is not paused again. Workers must first find out whether the relay accepts mail
/// again: they probe a used-up quota within about ten seconds after a resume, and everything else about once a minute.
const RESUMED_FOR: Duration = Duration::from_mins(3);

/// A percentage of failures, and the number of ended mails from which it applies.
#[derive(Clone, Copy, Debug)]
struct Limit {
    /// `None` if there is no limit.
    percent: Option<i64>,
    of: i64,
}

impl Limit {
    fn is_reached(self, failed: i64, ended: i64) -> bool {
        let Some(percent) = self.percent else { return false };
        ended >= self.of && failed * 100 >= percent * ended
    }

    /// Number of failures below which the limit cannot be reached, whatever ends next.
    ///
    /// `failed` of `ended` mails have failed so far.
    fn failures_needed(self, failed: i64, ended: i64) -> i64 {
        let Some(percent) = self.percent else { return i64::MAX };
        if ended < self.of {
            return (percent * self.of + 99) / 100;
        }
        // The limit is reached soonest if every further mail fails.
        let short = (percent * ended - failed * 100).max(0);
        let rest = 100 - percent;
        if rest == 0 {
            return if short == 0 { failed } else { i64::MAX };
        }
        failed + (short + rest - 1) / rest
    }
}

/// What is remembered about a batch.
#[derive(Clone, Copy, Debug)]
struct RememberedBatch {
    resumed_at: Option<OffsetDateTime>,
    /// Counts of unknown addresses and of refusals by policy below which the batch need not be counted.
    needs: (i64, i64),
}

/// Checks the running batches.
pub(super) struct AutoPause {
    db: Db,
    metrics: Arc<DispatcherMetrics>,
    bounces: Limit,
    policy: Limit,
    known: HashMap<Uuid, RememberedBatch>,
}

impl AutoPause {
    /// Pauses batches at `bounces` percent of unknown addresses; with `None` there is no limit.
    pub(super) fn new(db: Db, bounces: Option<i64>, metrics: Arc<DispatcherMetrics>) -> Self {
        Self {
            db,
            metrics,
            bounces: Limit {
                percent: bounces,
                of: BOUNCES_OF,
            },
            policy: Limit {
                percent: Some(POLICY_PERCENT),
                of: POLICY_OF,
            },
            known: HashMap::new(),
        }
    }

    /// Checks until dropped. Failed statements are logged and retried.
    pub(super) async fn run(mut self) {
        let mut pace = interval(PACE);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            pace.tick().await;
            if let Err(fault) = self.check().await {
                warn!(error = %fault, cause = %fault.cause(), "Could not check whether a batch should be paused automatically; retrying");
            }
        }
    }

    /// Pauses every batch that reaches a limit.
    async fn check(&mut self) -> StoreResult<()> {
        self.check_failures().await?;
        self.check_refusals().await?;
        self.check_relay().await
    }

    /// Pauses batches whose mails are refused because of our account or because of their content.
    async fn check_refusals(&self) -> StoreResult<()> {
        for RefusedBatch { resumed_at, refusal } in relay_refusals::refused(&self.db, MAX_REFUSED).await? {
            let running = Running {
                batch: refusal.batch,
                resumed_at,
                unknown: 0,
                policy: 0,
            };
            let cause = match refusal.class.as_str() {
                "policy" if refusal.is_everybodys => PauseCause::Policy,
                _ => PauseCause::Relay,
            };
            let details = json!({
                "brake": cause.as_str(),
                "class": refusal.class,
                "affected": refusal.affected,
            });
            self.pause(&running, cause, &reason::of_refusal(&refusal), details)
                .await?;
        }
        Ok(())
    }

    async fn check_failures(&mut self) -> StoreResult<()> {
        let (least_unknown, least_policy) = (self.bounces.failures_needed(0, 0), self.policy.failures_needed(0, 0));
        let failing = rows::failing(&self.db, least_unknown, least_policy).await?;
        let mut known = HashMap::with_capacity(failing.len());
        for running in failing {
            let before = self.known.get(&running.batch).copied();
            let before = before.filter(|known| known.resumed_at == running.resumed_at);
            if let Some(before) = before
                && running.unknown < before.needs.0
                && running.policy < before.needs.1
            {
                known.insert(running.batch, before);
                continue;
            }
            let ended = rows::ended(&self.db, &running).await?;
            if !self.pause_if_failing(&running, ended).await? {
                let needs = (
                    self.bounces.failures_needed(running.unknown, ended),
                    self.policy.failures_needed(running.policy, ended),
                );
                let resumed_at = running.resumed_at;
                known.insert(running.batch, RememberedBatch { resumed_at, needs });
            }
        }
        self.known = known;
        Ok(())
    }

    /// Pauses a batch if too many of its `ended` mails failed. Returns whether it paused the batch.
    async fn pause_if_failing(&self, running: &Running, ended: i64) -> StoreResult<bool> {
        let (cause, failed, words) = if self.bounces.is_reached(running.unknown, ended) {
            let failed = running.unknown;
            let words = format!("{failed} of the last {ended} emails went to addresses that do not exist");
            (PauseCause::Bounces, failed, words)
        } else if self.policy.is_reached(running.policy, ended) {
            let failed = running.policy;
            let words = format!("your mail server refused {failed} of the last {ended} emails as spam or by policy");
            (PauseCause::Policy, failed, words)
        } else {
            return Ok(false);
        };
        let details = json!({ "brake": cause.as_str(), "failed": failed, "ended": ended });
        self.pause(running, cause, &words, details).await?;
        Ok(true)
    }

    async fn check_relay(&self) -> StoreResult<()> {
        let Some(refused) = rows::refused_everywhere(&self.db, REFUSED_FOR).await? else {
            return Ok(());
        };
        let class = refused.refusal.as_deref();
        // Without a refusal of mails, the relay refuses connections, and the words of an earlier one would mislead.
        let latest = match class {
            Some(class) => relay_refusals::latest(&self.db, class, RECENTLY).await?,
            None => None,
        };
        let words = reason::of_relay(refused.trouble, class, latest.as_ref());
        for running in rows::running(&self.db, RESUMED_FOR).await? {
            let details = json!({ "brake": PauseCause::Relay.as_str() });
            self.pause(&running, PauseCause::Relay, &words, details).await?;
        }
        Ok(())
    }

    async fn pause(
        &self,
        running: &Running,
        cause: PauseCause,
        words: &str,
        details: serde_json::Value,
    ) -> StoreResult<()> {
        let words = format!("Paused by Beckon: {words}");
        if rows::pause(&self.db, running, cause, &words, details).await? {
            self.metrics.batches_paused.with_label_values(&[cause.as_str()]).inc();
            warn!(
                batch.id = %running.batch,
                brake = cause.as_str(),
                "A batch was paused automatically; an administrator decides whether it resumes"
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNCES: Limit = Limit {
        percent: Some(10),
        of: BOUNCES_OF,
    };

    #[test]
    fn the_limit_applies_once_enough_mails_have_ended() {
        for (failed, ended, is_reached) in [
            (99, 99, false),
            (9, 100, false),
            (10, 100, true),
            (10, 101, false),
            (5_000, 50_000, true),
        ] {
            assert_eq!(BOUNCES.is_reached(failed, ended), is_reached, "{failed} of {ended}");
        }
        let off = Limit {
            percent: None,
            of: BOUNCES_OF,
        };
        assert!(!off.is_reached(100, 100));
        assert_eq!(off.failures_needed(0, 0), i64::MAX);
    }

    #[test]
    fn a_batch_is_recounted_rarely_but_before_it_can_reach_the_limit() {
        for percent in [1, 10, 50, 99, 100] {
            let limit = Limit {
                percent: Some(percent),
                of: 100,
            };
            for (failed, ended) in [(0, 0), (0, 50), (30, 50), (0, 100), (9, 100), (500, 10_000), (98, 100)] {
                let needs = limit.failures_needed(failed, ended);
                for failures in failed..needs.min(failed + 2_000) {
                    for successes in [0, 1, 50, 1_000] {
                        let more = failures - failed + successes;
                        assert!(
                            !limit.is_reached(failures, ended + more),
                            "{percent} %: {failures} of {} after {failed} of {ended}, and {needs} were waited for",
                            ended + more
                        );
                    }
                }
            }
        }
        let (mut failed, mut counts) = (10, 0);
        while failed < 5_000 {
            failed = BOUNCES.failures_needed(failed, failed * 20);
            counts += 1;
        }
        assert!(
            counts < 15,
            "a batch with five failures in a hundred is counted {counts} times"
        );
    }
}

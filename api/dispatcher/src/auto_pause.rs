//! Auto-pause: a batch that fails too often pauses itself, and goes on when a person says so.
//!
//! Mail providers judge a sender by what they refuse. A list that is old, or a letter that a filter
//! dislikes, costs everybody's mail its standing, so the batch rests until somebody has looked. That is
//! for a person: whether a list is worth it no figure can tell. Mails to one person or a few are never
//! held up.
//!
//! What is counted stands in Postgres, so that killed workers and other processes change nothing. Kept
//! here is only how bad a batch must be before it is worth counting again: without it a batch of a
//! hundred thousand with five failures in a hundred would be read every second.

use crate::metrics::DispatcherMetrics;
use serde_json::json;
use shared::batch::Brake;
use shared::store::brake::{self as rows, Running};
use shared::store::relay_refusals::{self, RefusedBatch, RelayRefusal};
use shared::store::{Db, StoreResult};
use shared::trouble::WorkerTrouble;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;
use tokio::time::{MissedTickBehavior, interval};
use tracing::warn;
use uuid::Uuid;

/// How often to look.
const PACE: Duration = Duration::from_secs(1);

/// Mails that must have ended before unknown addresses are judged: one in ten of fewer is chance.
const BOUNCES_OF: i64 = 100;

/// The same for refusals by policy, which a filter that dislikes a letter gives to nearly all.
const POLICY_OF: i64 = 20;

/// How many of a hundred may not be refused by policy.
const POLICY_PERCENT: i64 = 50;

/// How long every worker must be refused. What passes by itself, as a name server's hiccup does, must
/// not need a person.
const REFUSED_FOR: Duration = Duration::from_secs(30);

/// Mails of a batch that may be refused for our account's sake while others are accepted.
const REFUSED_MOST: i32 = 20;

/// A batch that somebody let go on is left alone for so long: workers ask a relay in trouble every
/// minute or so, and must find out first whether it takes mail again.
const RESUMED_FOR: Duration = Duration::from_mins(3);

/// So many of a hundred, of at least so many.
#[derive(Clone, Copy, Debug)]
struct Limit {
    /// None for a limit that is never reached.
    percent: Option<i64>,
    of: i64,
}

impl Limit {
    fn is_reached(self, failed: i64, ended: i64) -> bool {
        let Some(percent) = self.percent else { return false };
        ended >= self.of && failed * 100 >= percent * ended
    }

    /// How many must have failed before it can be reached, whatever ends next; so many of so many
    /// have failed by now.
    fn needs(self, failed: i64, ended: i64) -> i64 {
        let Some(percent) = self.percent else { return i64::MAX };
        if ended < self.of {
            return (percent * self.of + 99) / 100;
        }
        // At best, for reaching it, all that end from now on fail.
        let short = (percent * ended - failed * 100).max(0);
        let rest = 100 - percent;
        if rest == 0 {
            return if short == 0 { failed } else { i64::MAX };
        }
        failed + (short + rest - 1) / rest
    }
}

/// What is known of a batch.
#[derive(Clone, Copy, Debug)]
struct Known {
    resumed_at: Option<OffsetDateTime>,
    /// Unknown addresses and refusals by policy, before which it need not be counted.
    needs: (i64, i64),
}

/// Looks after the batches that run.
pub(super) struct AutoPause {
    db: Db,
    metrics: Arc<DispatcherMetrics>,
    bounces: Limit,
    policy: Limit,
    known: HashMap<Uuid, Known>,
}

impl AutoPause {
    /// Lets so many unknown addresses of a hundred pass; any number where that is none.
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

    /// Looks until dropped. A failing statement is logged and tried again.
    pub(super) async fn run(mut self) {
        let mut pace = interval(PACE);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            pace.tick().await;
            if let Err(fault) = self.look().await {
                warn!(error = %fault, cause = %fault.cause(), "Could not see whether a batch should pause itself; trying again");
            }
        }
    }

    /// Pauses what should not go on.
    async fn look(&mut self) -> StoreResult<()> {
        self.look_at_failures().await?;
        self.look_at_refusals().await?;
        self.look_at_the_relay().await
    }

    /// Pauses batches whose mails are refused for our account's sake, or for their letter's.
    async fn look_at_refusals(&self) -> StoreResult<()> {
        for RefusedBatch { resumed_at, refusal } in relay_refusals::refused(&self.db, REFUSED_MOST).await? {
            let running = Running {
                batch: refusal.batch,
                resumed_at,
                unknown: 0,
                policy: 0,
            };
            let brake = match refusal.class.as_str() {
                "policy" if refusal.is_everybodys => Brake::Policy,
                _ => Brake::Relay,
            };
            let details = json!({
                "brake": brake.as_str(),
                "class": refusal.class,
                "affected": refusal.affected,
            });
            self.pause(&running, brake, &words_of(&refusal), details).await?;
        }
        Ok(())
    }

    async fn look_at_failures(&mut self) -> StoreResult<()> {
        let (least_unknown, least_policy) = (self.bounces.needs(0, 0), self.policy.needs(0, 0));
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
            if !self.judge(&running, ended).await? {
                let needs = (
                    self.bounces.needs(running.unknown, ended),
                    self.policy.needs(running.policy, ended),
                );
                let resumed_at = running.resumed_at;
                known.insert(running.batch, Known { resumed_at, needs });
            }
        }
        self.known = known;
        Ok(())
    }

    /// Pauses a batch of which so many mails have ended, if too many of them failed; says whether it
    /// is to be left alone now.
    async fn judge(&self, running: &Running, ended: i64) -> StoreResult<bool> {
        let (brake, failed, words) = if self.bounces.is_reached(running.unknown, ended) {
            let failed = running.unknown;
            let words = format!("{failed} of the last {ended} emails went to addresses that do not exist");
            (Brake::Bounces, failed, words)
        } else if self.policy.is_reached(running.policy, ended) {
            let failed = running.policy;
            let words = format!("your mail server refused {failed} of the last {ended} emails as spam or by policy");
            (Brake::Policy, failed, words)
        } else {
            return Ok(false);
        };
        let details = json!({ "brake": brake.as_str(), "failed": failed, "ended": ended });
        self.pause(running, brake, &words, details).await?;
        Ok(true)
    }

    async fn look_at_the_relay(&self) -> StoreResult<()> {
        let Some(refused) = rows::refused_everywhere(&self.db, REFUSED_FOR).await? else {
            return Ok(());
        };
        let words = match (refused.trouble, refused.refusal.as_deref()) {
            (WorkerTrouble::RelayRefusesSender, _) => words_of_class("sender_refused"),
            (_, Some(class)) => words_of_class(class),
            (_, None) => words_of_class("policy"),
        };
        for running in rows::running(&self.db, RESUMED_FOR).await? {
            let details = json!({ "brake": Brake::Relay.as_str() });
            self.pause(&running, Brake::Relay, words, details).await?;
        }
        Ok(())
    }

    async fn pause(&self, running: &Running, brake: Brake, words: &str, details: serde_json::Value) -> StoreResult<()> {
        let words = format!("Paused by Beckon: {words}");
        if rows::pause(&self.db, running, brake, &words, details).await? {
            self.metrics.batches_braked.with_label_values(&[brake.as_str()]).inc();
            warn!(
                batch.id = %running.batch,
                brake = brake.as_str(),
                "A batch has paused itself; a person decides whether it goes on"
            );
        }
        Ok(())
    }
}

/// What the relay refuses, in words.
fn words_of_class(class: &str) -> &'static str {
    match class {
        "sender_refused" => "your mail server refuses our sender address",
        "auth" => "your mail server wants a login, or another one than Beckon has",
        "relaying_denied" => "your mail server does not pass our mail on to other domains",
        "quota" => "your mail server takes no more mail from this account for now",
        _ => "your mail server turns us away",
    }
}

/// The same with the relay's words, where nearly all recipients of a batch got them.
fn words_of(refusal: &RelayRefusal) -> String {
    let codes = [refusal.code.map(|code| code.to_string()), refusal.enhanced_code.clone()];
    let codes = codes.into_iter().flatten().collect::<Vec<_>>().join(" ");
    // The enhanced code stands in front of the words already.
    let said = match &refusal.enhanced_code {
        Some(enhanced) => refusal.words.trim_start_matches(enhanced.as_str()).trim(),
        None => refusal.words.trim(),
    };
    let cause = match refusal.class.as_str() {
        class @ ("sender_refused" | "auth" | "relaying_denied" | "quota") => words_of_class(class),
        _ => "your mail server gives nearly every recipient the same refusal",
    };
    format!("{cause}. It says “{codes} {said}”")
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNCES: Limit = Limit {
        percent: Some(10),
        of: BOUNCES_OF,
    };

    #[test]
    fn the_limit_is_a_share_of_enough() {
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
        assert_eq!(off.needs(0, 0), i64::MAX);
    }

    #[test]
    fn a_batch_is_counted_again_before_it_can_reach_the_limit_and_seldom() {
        for percent in [1, 10, 50, 99, 100] {
            let limit = Limit {
                percent: Some(percent),
                of: 100,
            };
            for (failed, ended) in [(0, 0), (0, 50), (30, 50), (0, 100), (9, 100), (500, 10_000), (98, 100)] {
                let needs = limit.needs(failed, ended);
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
            failed = BOUNCES.needs(failed, failed * 20);
            counts += 1;
        }
        assert!(
            counts < 15,
            "a batch with five failures in a hundred is counted {counts} times"
        );
    }
}

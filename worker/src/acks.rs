//! Acknowledges finished jobs, in as few frames as possible.
//!
//! One `basic.ack` can cover all jobs up to a delivery tag, at a quarter of the cost of one ack per job. Jobs
//! finish nearly in the order they arrived, so most are acknowledged that way. One slow mail must not hold up
//! the rest forever, so jobs that wait behind it are soon acknowledged individually.

use shared::failpoint::{Point, reach};
use shared::lifecycle::Lifecycle;
use shared::queue::{Acknowledger, QueueError};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tracing::debug;

/// Maximum number of finished jobs that wait behind a slow one: more than are in flight at once, since those
/// finish in any order. After a crash at most these are redelivered, and the claim drops them.
const MAX_WAITING: usize = 1_024;

/// How long they may wait.
const PACE: Duration = Duration::from_millis(500);

/// How a job ended.
enum Ended {
    Done(u64),
    GivenBack(u64),
    /// Requests acknowledgement of everything before it. The sender is dropped afterwards.
    Flush(oneshot::Sender<()>),
}

/// Reports the finished jobs of one inbox. Cheap to clone.
#[derive(Clone)]
pub struct Acks {
    ended: mpsc::UnboundedSender<Ended>,
}

/// The running acknowledgement task of one inbox.
pub struct Acknowledging {
    task: JoinHandle<Result<(), QueueError>>,
}

impl Acknowledging {
    /// Waits until every job is acknowledged and no reporter is left, or until the channel fails.
    ///
    /// # Errors
    ///
    /// The channel's error. The session is over, because the broker sends no further jobs without
    /// acknowledgements.
    pub async fn ended(&mut self) -> Result<(), QueueError> {
        (&mut self.task).await.unwrap_or(Ok(()))
    }
}

impl Acks {
    /// Starts acknowledging for an inbox.
    ///
    /// The task ends when the channel is gone or no reporter is left. Unacknowledged jobs are then redelivered.
    pub fn start(lifecycle: &Lifecycle, acknowledger: Acknowledger) -> (Self, Acknowledging) {
        let (ended, mut arriving) = mpsc::unbounded_channel();
        let task = lifecycle.spawn(async move {
            let mut ledger = Ledger::default();
            let mut group = Vec::new();
            let mut pace = tokio::time::interval(PACE);
            pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                let policy = tokio::select! {
                    count = arriving.recv_many(&mut group, 256) => {
                        if count == 0 { WaitPolicy::NoLonger } else { WaitPolicy::ForMore }
                    }
                    _ = pace.tick() => WaitPolicy::ForOneTick,
                };
                let is_over = matches!(policy, WaitPolicy::NoLonger);
                let reported = report(&acknowledger, &mut ledger, &mut group, policy).await;
                if let Err(fault) = &reported {
                    debug!(error = %fault, "Jobs stay unacknowledged and will be redelivered");
                }
                if is_over || reported.is_err() {
                    return reported;
                }
            }
        });
        (Self { ended }, Acknowledging { task })
    }

    /// Reports the job with this delivery tag as finished.
    pub fn ack(&self, tag: u64) {
        // If the channel is gone, the job is redelivered and the claim drops it.
        let _ = self.ended.send(Ended::Done(tag));
    }

    /// Resolves once everything that ended before is reported to the broker.
    pub async fn flushed(&self) {
        let (flushed, is_flushed) = oneshot::channel();
        let _ = self.ended.send(Ended::Flush(flushed));
        // The sender is dropped without a message, also if the channel is gone.
        let _ = is_flushed.await;
    }

    /// Returns the job with this delivery tag to its queue.
    pub fn requeue(&self, tag: u64) {
        let _ = self.ended.send(Ended::GivenBack(tag));
    }
}

async fn report(
    acknowledger: &Acknowledger,
    ledger: &mut Ledger,
    group: &mut Vec<Ended>,
    mut policy: WaitPolicy,
) -> Result<(), QueueError> {
    let mut waiting = Vec::new();
    for ended in group.drain(..) {
        match ended {
            Ended::Done(tag) => ledger.end(tag),
            Ended::GivenBack(tag) => {
                acknowledger.requeue(tag).await?;
                ledger.mark_settled(tag);
            }
            Ended::Flush(flushed) => {
                policy = WaitPolicy::NoLonger;
                waiting.push(flushed);
            }
        }
    }
    for ack in ledger.acknowledge(policy) {
        acknowledger.ack(ack.tag, ack.and_before).await?;
        reach(Point::JobAcknowledged);
    }
    drop(waiting);
    Ok(())
}

/// How long a finished job waits for those before it.
#[derive(Clone, Copy)]
enum WaitPolicy {
    /// As long as there is room.
    ForMore,
    /// Until the next tick.
    ForOneTick,
    /// Not at all, because no further job ends.
    NoLonger,
}

/// An acknowledgement.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Ack {
    tag: u64,
    and_before: bool,
}

/// Which jobs have finished. A channel numbers its jobs from 1 without gaps.
#[derive(Default)]
struct Ledger {
    /// Every job up to this tag is acknowledged.
    through: u64,
    /// Finished jobs above `through` that are not acknowledged.
    waiting: BTreeSet<u64>,
    /// Those of them that had already finished at the last tick.
    waited: BTreeSet<u64>,
    /// Jobs above `through` that were acknowledged individually.
    alone: Ranges,
}

impl Ledger {
    fn end(&mut self, tag: u64) {
        self.waiting.insert(tag);
    }

    /// Records a job that was acknowledged or returned individually.
    fn mark_settled(&mut self, tag: u64) {
        self.alone.insert(tag);
    }

    fn acknowledge(&mut self, policy: WaitPolicy) -> Vec<Ack> {
        let mut acks = Vec::new();
        let before = self.through;
        let mut last_waiting = None;
        loop {
            let next = self.through + 1;
            if self.waiting.remove(&next) {
                last_waiting = Some(next);
                self.through = next;
            } else if let Some(last) = self.alone.take_from(next) {
                self.through = last;
            } else {
                break;
            }
        }
        if let Some(tag) = last_waiting {
            acks.push(Ack {
                tag,
                and_before: tag > before + 1,
            });
        }
        let overdue = match policy {
            WaitPolicy::NoLonger => std::mem::take(&mut self.waiting),
            WaitPolicy::ForMore if self.waiting.len() > MAX_WAITING => std::mem::take(&mut self.waiting),
            WaitPolicy::ForMore => return acks,
            WaitPolicy::ForOneTick => {
                let overdue = self.waited.intersection(&self.waiting).copied().collect();
                self.waiting = &self.waiting - &overdue;
                self.waited.clone_from(&self.waiting);
                overdue
            }
        };
        for tag in overdue {
            acks.push(Ack { tag, and_before: false });
            self.alone.insert(tag);
        }
        acks
    }
}

/// Numbers as ranges: the first number of each range maps to its last.
///
/// Millions of jobs may be acknowledged behind one that takes twelve minutes. There is at most one range per
/// unfinished job, and the prefetch limits those.
#[derive(Default)]
struct Ranges(BTreeMap<u64, u64>);

impl Ranges {
    /// Adds a number that is in no range.
    fn insert(&mut self, number: u64) {
        let last = self.take_from(number + 1).unwrap_or(number);
        match self.0.range_mut(..number).next_back() {
            Some((_, end)) if *end + 1 == number => *end = last,
            _ => {
                self.0.insert(number, last);
            }
        }
    }

    /// Removes the range that begins with this number and returns its last number.
    fn take_from(&mut self, first: u64) -> Option<u64> {
        self.0.remove(&first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all_at_once(ledger: &mut Ledger, tags: &[u64], policy: WaitPolicy) -> Vec<(u64, bool)> {
        for tag in tags {
            ledger.end(*tag);
        }
        ledger
            .acknowledge(policy)
            .into_iter()
            .map(|ack| (ack.tag, ack.and_before))
            .collect()
    }

    #[test]
    fn jobs_that_end_in_order_share_one_acknowledgement() {
        let mut ledger = Ledger::default();
        assert_eq!(all_at_once(&mut ledger, &[1, 2, 3], WaitPolicy::ForMore), [(3, true)]);
        assert_eq!(all_at_once(&mut ledger, &[4], WaitPolicy::ForMore), [(4, false)]);
    }

    #[test]
    fn a_slow_job_delays_other_acknowledgements_only_briefly() {
        let mut ledger = Ledger::default();
        assert_eq!(all_at_once(&mut ledger, &[2, 3], WaitPolicy::ForMore), []);
        assert_eq!(all_at_once(&mut ledger, &[], WaitPolicy::ForOneTick), []);
        assert_eq!(all_at_once(&mut ledger, &[4], WaitPolicy::ForMore), []);
        assert_eq!(
            all_at_once(&mut ledger, &[], WaitPolicy::ForOneTick),
            [(2, false), (3, false)]
        );
        assert_eq!(all_at_once(&mut ledger, &[5], WaitPolicy::ForMore), []);
        // Jobs 2 and 3 are already acknowledged. Acknowledging a tag twice would close the channel.
        assert_eq!(all_at_once(&mut ledger, &[1], WaitPolicy::ForMore), [(5, true)]);
    }

    #[test]
    fn memory_is_bounded_behind_a_job_that_does_not_end() {
        let mut ledger = Ledger::default();
        let mut acknowledged = 0;

        // Job 9 is returned, and job 70,000 is a second one that does not finish.
        for tag in (2..=200_000).filter(|tag| *tag != 70_000) {
            if tag == 9 {
                ledger.mark_settled(tag);
            } else {
                acknowledged += all_at_once(
                    &mut ledger,
                    &[tag],
                    if tag % 50 == 0 {
                        WaitPolicy::NoLonger
                    } else {
                        WaitPolicy::ForMore
                    },
                )
                .len();
            }
        }
        let ranges = ledger.alone.0.clone();
        let at_last = all_at_once(&mut ledger, &[1, 70_000], WaitPolicy::ForMore);

        assert_eq!(acknowledged, 200_000 - 3);
        assert_eq!(ranges, BTreeMap::from([(2, 69_999), (70_001, 200_000)]));
        assert_eq!(at_last, [(70_000, true)]);
        assert!(ledger.alone.0.is_empty() && ledger.waiting.is_empty());
        assert_eq!(ledger.through, 200_000);
    }

    #[test]
    fn no_delivery_tag_is_acknowledged_twice_in_any_order() {
        let mut seed = 7_u64;
        let mut tags: Vec<u64> = (1..=300).collect();
        for at in (1..tags.len()).rev() {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            tags.swap(at, usize::try_from(seed >> 33).unwrap() % (at + 1));
        }
        let mut ledger = Ledger::default();
        let mut open: BTreeSet<u64> = (1..=300).collect();
        for (n, tag) in tags.iter().enumerate() {
            ledger.end(*tag);
            for ack in ledger.acknowledge(if n % 17 == 0 {
                WaitPolicy::NoLonger
            } else {
                WaitPolicy::ForMore
            }) {
                assert!(open.remove(&ack.tag), "{} twice", ack.tag);
                if ack.and_before {
                    open.retain(|other| *other > ack.tag);
                }
            }
        }
        assert!(open.is_empty(), "{open:?}");
    }
}

//! Telling the broker what is done with, in as few words as possible.
//!
//! One `basic.ack` can cover all jobs up to a number, and costs a quarter of one for each. Jobs
//! end nearly in the order they came, so most of the time that is what happens; one slow mail
//! must not hold up the rest for ever, so jobs that wait behind it are soon acknowledged alone.

use shared::failpoint::{Point, reach};
use shared::lifecycle::Lifecycle;
use shared::queue::{Acknowledger, QueueError};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tracing::debug;

/// How many ended jobs may wait behind a slow one: more than are in hand at once, whose order is none. A
/// crash repeats at most these, and the claim drops them.
const WAITING_MOST: usize = 1_024;

/// How long they may wait.
const PACE: Duration = Duration::from_millis(500);

/// How a job left us.
enum Ended {
    Done(u64),
    GivenBack(u64),
    /// Not a job: everything before it is to be told at once, and the sender is dropped then.
    Flush(oneshot::Sender<()>),
}

/// Where the pipeline reports ended jobs of one inbox. Cheap to clone.
#[derive(Clone)]
pub struct Acks {
    ended: mpsc::UnboundedSender<Ended>,
}

/// The acknowledging of one inbox, under way.
pub struct Acknowledging {
    task: JoinHandle<Result<(), QueueError>>,
}

impl Acknowledging {
    /// Waits until everything is acknowledged and nobody is left to report, or until the channel
    /// takes no acknowledgement any more.
    ///
    /// # Errors
    ///
    /// What the channel says; the session is over, for the broker hands out no further jobs to
    /// whoever acknowledges none.
    pub async fn ended(&mut self) -> Result<(), QueueError> {
        (&mut self.task).await.unwrap_or(Ok(()))
    }
}

impl Acks {
    /// Starts acknowledging for an inbox. It ends when the channel is gone or nobody is left to
    /// report; what is unacknowledged then comes to somebody again.
    pub fn start(lifecycle: &Lifecycle, acknowledger: Acknowledger) -> (Self, Acknowledging) {
        let (ended, mut arriving) = mpsc::unbounded_channel();
        let task = lifecycle.spawn(async move {
            let mut ledger = Ledger::default();
            let mut group = Vec::new();
            let mut pace = tokio::time::interval(PACE);
            pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                let waits = tokio::select! {
                    count = arriving.recv_many(&mut group, 256) => if count == 0 { Waits::NoLonger } else { Waits::ForMore },
                    _ = pace.tick() => Waits::ForOneTick,
                };
                let is_over = matches!(waits, Waits::NoLonger);
                let told = tell(&acknowledger, &mut ledger, &mut group, waits).await;
                if let Err(fault) = &told {
                    debug!(error = %fault, "Jobs stay unacknowledged and come again");
                }
                if is_over || told.is_err() {
                    return told;
                }
            }
        });
        (Self { ended }, Acknowledging { task })
    }

    /// The job with this number is done with.
    pub fn done(&self, tag: u64) {
        // When the channel is gone, the job comes to somebody again, and the claim drops it.
        let _ = self.ended.send(Ended::Done(tag));
    }

    /// Resolves once the broker was told of everything that had ended before.
    pub async fn flushed(&self) {
        let (told, is_told) = oneshot::channel();
        let _ = self.ended.send(Ended::Flush(told));
        // It never gets a word: the sender is dropped, also when the channel is gone.
        let _ = is_told.await;
    }

    /// The job with this number goes back to its queue.
    pub fn give_back(&self, tag: u64) {
        let _ = self.ended.send(Ended::GivenBack(tag));
    }
}

async fn tell(
    acknowledger: &Acknowledger,
    ledger: &mut Ledger,
    group: &mut Vec<Ended>,
    mut waits: Waits,
) -> Result<(), QueueError> {
    let mut waiting = Vec::new();
    for ended in group.drain(..) {
        match ended {
            Ended::Done(tag) => ledger.end(tag),
            Ended::GivenBack(tag) => {
                acknowledger.give_back(tag).await?;
                ledger.is_settled(tag);
            }
            Ended::Flush(told) => {
                waits = Waits::NoLonger;
                waiting.push(told);
            }
        }
    }
    for ack in ledger.acknowledge(waits) {
        acknowledger.done(ack.tag, ack.and_before).await?;
        reach(Point::JobAcknowledged);
    }
    drop(waiting);
    Ok(())
}

/// How long a job that has ended waits for those before it.
#[derive(Clone, Copy)]
enum Waits {
    /// As long as there is room.
    ForMore,
    /// From one tick to the next.
    ForOneTick,
    /// Nothing more comes.
    NoLonger,
}

/// One acknowledgement.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Ack {
    tag: u64,
    and_before: bool,
}

/// Which jobs have ended. A channel numbers its jobs from 1 without gaps.
#[derive(Default)]
struct Ledger {
    /// Everything up to this number is acknowledged.
    through: u64,
    /// Ended, above `through`, not acknowledged,
    waiting: BTreeSet<u64>,
    /// and those of them that had ended at the last tick.
    waited: BTreeSet<u64>,
    /// Acknowledged alone, above `through`.
    alone: Ranges,
}

impl Ledger {
    fn end(&mut self, tag: u64) {
        self.waiting.insert(tag);
    }

    /// The broker knows about this one already.
    fn is_settled(&mut self, tag: u64) {
        self.alone.insert(tag);
    }

    fn acknowledge(&mut self, waits: Waits) -> Vec<Ack> {
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
        let overdue = match waits {
            Waits::NoLonger => std::mem::take(&mut self.waiting),
            Waits::ForMore if self.waiting.len() > WAITING_MOST => std::mem::take(&mut self.waiting),
            Waits::ForMore => return acks,
            Waits::ForOneTick => {
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

/// Numbers as ranges, the last number of each by its first.
///
/// Behind one job that takes twelve minutes, millions may be acknowledged. There is one range for each job
/// that has not ended, and the prefetch bounds those.
#[derive(Default)]
struct Ranges(BTreeMap<u64, u64>);

impl Ranges {
    /// Adds a number that is in none of them.
    fn insert(&mut self, number: u64) {
        let last = self.take_from(number + 1).unwrap_or(number);
        match self.0.range_mut(..number).next_back() {
            Some((_, end)) if *end + 1 == number => *end = last,
            _ => {
                self.0.insert(number, last);
            }
        }
    }

    /// Removes the range that begins with this number and returns its last one.
    fn take_from(&mut self, first: u64) -> Option<u64> {
        self.0.remove(&first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all_at_once(ledger: &mut Ledger, tags: &[u64], waits: Waits) -> Vec<(u64, bool)> {
        for tag in tags {
            ledger.end(*tag);
        }
        ledger
            .acknowledge(waits)
            .into_iter()
            .map(|ack| (ack.tag, ack.and_before))
            .collect()
    }

    #[test]
    fn jobs_that_end_in_order_share_one_acknowledgement() {
        let mut ledger = Ledger::default();
        assert_eq!(all_at_once(&mut ledger, &[1, 2, 3], Waits::ForMore), [(3, true)]);
        assert_eq!(all_at_once(&mut ledger, &[4], Waits::ForMore), [(4, false)]);
    }

    #[test]
    fn a_slow_job_holds_the_others_up_only_for_a_while() {
        let mut ledger = Ledger::default();
        assert_eq!(all_at_once(&mut ledger, &[2, 3], Waits::ForMore), []);
        assert_eq!(all_at_once(&mut ledger, &[], Waits::ForOneTick), []);
        assert_eq!(all_at_once(&mut ledger, &[4], Waits::ForMore), []);
        assert_eq!(
            all_at_once(&mut ledger, &[], Waits::ForOneTick),
            [(2, false), (3, false)]
        );
        assert_eq!(all_at_once(&mut ledger, &[5], Waits::ForMore), []);
        // 2 and 3 are acknowledged already; acknowledging a number twice would end the channel.
        assert_eq!(all_at_once(&mut ledger, &[1], Waits::ForMore), [(5, true)]);
    }

    #[test]
    fn memory_does_not_grow_behind_a_job_that_does_not_end() {
        let mut ledger = Ledger::default();
        let mut acknowledged = 0;

        // A second one that does not end, and one that was given back.
        for tag in (2..=200_000).filter(|tag| *tag != 70_000) {
            if tag == 9 {
                ledger.is_settled(tag);
            } else {
                acknowledged += all_at_once(
                    &mut ledger,
                    &[tag],
                    if tag % 50 == 0 { Waits::NoLonger } else { Waits::ForMore },
                )
                .len();
            }
        }
        let ranges = ledger.alone.0.clone();
        let at_last = all_at_once(&mut ledger, &[1, 70_000], Waits::ForMore);

        assert_eq!(acknowledged, 200_000 - 3);
        assert_eq!(ranges, BTreeMap::from([(2, 69_999), (70_001, 200_000)]));
        assert_eq!(at_last, [(70_000, true)]);
        assert!(ledger.alone.0.is_empty() && ledger.waiting.is_empty());
        assert_eq!(ledger.through, 200_000);
    }

    #[test]
    fn no_number_is_acknowledged_twice_in_any_order() {
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
            for ack in ledger.acknowledge(if n % 17 == 0 { Waits::NoLonger } else { Waits::ForMore }) {
                assert!(open.remove(&ack.tag), "{} twice", ack.tag);
                if ack.and_before {
                    open.retain(|other| *other > ack.tag);
                }
            }
        }
        assert!(open.is_empty(), "{open:?}");
    }
}

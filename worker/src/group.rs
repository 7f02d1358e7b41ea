//! Doing together what many ask for at once.
//!
//! Claims, credentials and outcomes are written to Postgres in groups: one statement over arrays
//! and one commit cost little more than one row alone. A group is whatever has gathered while the
//! group before it was at work. What somebody waits for goes at once, with whatever is there. Bulk
//! mail under load waits a moment for company: a flow limited elsewhere, as that of password mails
//! is by hashing, would otherwise pay for three statements a mail. Groups stay small all the same,
//! because all of a group is repeated when its worker dies.

use futures_util::FutureExt as _;
use shared::batch::Lane;
use shared::lifecycle::Lifecycle;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tracing::error;

/// Groups are no larger. At 200 rows a statement costs 0.008 s of CPU per 1,000 rows, and larger
/// ones hardly less.
const MOST: usize = 256;

/// How many to wait for, under load: there a statement costs little more than for one.
const WORTH: f64 = 64.0;

/// How long to wait for them at most. A batch does not notice a tenth of a second.
const LINGER_MOST: Duration = Duration::from_millis(100);

/// Below this many requests a second there is no load, and nobody is waited for.
const BUSY: f64 = 40.0;

/// Asks for one thing, and is served in a group.
pub struct Group<I, O> {
    requests: mpsc::Sender<Request<I, O>>,
}

struct Request<I, O> {
    item: I,
    /// Whether somebody is at a screen: a group that holds it waits for nobody.
    is_urgent: bool,
    asker: oneshot::Sender<O>,
}

impl<I, O> Clone for Group<I, O> {
    fn clone(&self) -> Self {
        Self {
            requests: self.requests.clone(),
        }
    }
}

impl<I: Send + 'static, O: Send + 'static> Group<I, O> {
    /// Starts a task that serves groups by `work`, which answers in the order of the requests.
    /// The task ends when nobody can ask any more.
    pub fn start<F, W>(lifecycle: &Lifecycle, work: W) -> Self
    where
        W: Fn(Vec<I>) -> F + Send + Sync + 'static,
        F: Future<Output = Vec<O>> + Send,
    {
        let (requests, mut arriving) = mpsc::channel(4 * MOST);
        lifecycle.spawn(async move {
            let mut load = Load::new(Instant::now());
            while let Some(group) = gather(&mut arriving, load.linger()).await {
                load.add(group.len(), Instant::now());
                let (items, askers): (Vec<I>, Vec<oneshot::Sender<O>>) =
                    group.into_iter().map(|request| (request.item, request.asker)).unzip();
                // A panic costs its own group the answers and the worker nothing more.
                let Ok(answers) = AssertUnwindSafe(work(items)).catch_unwind().await else {
                    error!(count = askers.len(), "The work for a group came to no end");
                    continue;
                };
                for (asker, answer) in askers.into_iter().zip(answers) {
                    // Whoever went away needs no answer.
                    let _ = asker.send(answer);
                }
            }
        });
        Self { requests }
    }

    /// Asks and waits, for a mail of this lane. Nothing comes back when the work panicked, or the
    /// serving task has ended, as at the end of a process that stops.
    pub async fn ask(&self, item: I, lane: Lane) -> Option<O> {
        let (asker, answer) = oneshot::channel();
        let is_urgent = lane == Lane::Interactive;
        self.requests.send(Request { item, is_urgent, asker }).await.ok()?;
        answer.await.ok()
    }
}

async fn gather<I, O>(arriving: &mut mpsc::Receiver<Request<I, O>>, linger: Duration) -> Option<Vec<Request<I, O>>> {
    let mut group = Vec::with_capacity(MOST);
    if arriving.recv_many(&mut group, MOST).await == 0 {
        return None;
    }
    let deadline = Instant::now() + linger;
    while group.len() < MOST && !linger.is_zero() && !group.iter().any(|request| request.is_urgent) {
        let room = MOST - group.len();
        match tokio::time::timeout_at(deadline, arriving.recv_many(&mut group, room)).await {
            Ok(count) if count > 0 => {}
            _ => break,
        }
    }
    Some(group)
}

/// How many requests a second there have been lately.
struct Load {
    rate: f64,
    at: Instant,
}

impl Load {
    const fn new(now: Instant) -> Self {
        Self { rate: 0.0, at: now }
    }

    /// A group was gathered.
    fn add(&mut self, requests: usize, now: Instant) {
        let elapsed = now.duration_since(self.at).as_secs_f64().max(0.000_1);
        self.at = now;
        let rate = f64::from(u32::try_from(requests).unwrap_or(u32::MAX)) / elapsed;
        // Over about a third of a second, so that one quick pair is no load.
        let weight = (elapsed * 3.0).min(1.0);
        self.rate += (rate - self.rate) * weight;
    }

    /// How long it takes until a group worth its statement has come together.
    fn linger(&self) -> Duration {
        if self.rate < BUSY {
            return Duration::ZERO;
        }
        Duration::from_secs_f64(WORTH / self.rate).min(LINGER_MOST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load_of(per_second: f64, group: usize) -> Load {
        let start = Instant::now();
        let mut load = Load::new(start);
        let step = Duration::from_secs_f64(f64::from(u32::try_from(group).unwrap()) / per_second);
        for n in 1..200_u32 {
            load.add(group, start + step * n);
        }
        load
    }

    #[test]
    fn a_lone_request_waits_for_nobody_and_many_wait_for_each_other() {
        assert_eq!(load_of(5.0, 1).linger(), Duration::ZERO);
        assert_eq!(load_of(80.0, 2).linger(), LINGER_MOST);
        let fast = load_of(6_400.0, 64).linger();
        assert!((9..=11).contains(&fast.as_millis()), "{fast:?}");
    }

    #[test]
    fn a_quick_pair_is_no_load() {
        let mut load = load_of(1.0, 1);
        let now = load.at + Duration::from_millis(5);
        load.add(1, now);
        assert_eq!(load.linger(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn what_somebody_waits_for_goes_at_once_and_takes_the_others_along() {
        let (requests, mut arriving) = mpsc::channel(8);
        let send = async |is_urgent| {
            let (asker, _) = oneshot::channel::<()>();
            requests
                .send(Request {
                    item: (),
                    is_urgent,
                    asker,
                })
                .await
                .unwrap();
        };
        let began = Instant::now();

        send(false).await;
        send(true).await;
        let urgent = gather(&mut arriving, LINGER_MOST).await.unwrap();
        let after_urgent = began.elapsed();
        send(false).await;
        let patient = gather(&mut arriving, LINGER_MOST).await.unwrap();

        assert_eq!((urgent.len(), after_urgent), (2, Duration::ZERO));
        assert_eq!(patient.len(), 1);
        assert!(began.elapsed() >= LINGER_MOST);
    }

    #[tokio::test]
    async fn a_panic_costs_its_own_group_and_no_other() {
        let lifecycle = Lifecycle::new();
        let group = Group::start(&lifecycle, |items: Vec<u32>| async move {
            assert!(!items.contains(&13), "thirteen");
            items
        });

        assert_eq!(group.ask(13, Lane::Interactive).await, None);
        assert_eq!(group.ask(14, Lane::Interactive).await, Some(14));
    }

    #[tokio::test]
    async fn everybody_gets_their_own_answer_and_many_share_a_group() {
        let lifecycle = Lifecycle::new();
        let group = Group::start(&lifecycle, |items: Vec<u32>| async move {
            tokio::time::sleep(Duration::from_millis(5)).await;
            let size = items.len();
            items.into_iter().map(|item| (item * 2, size)).collect()
        });

        let asked: Vec<_> = (0..500_u32)
            .map(|n| {
                let group = group.clone();
                tokio::spawn(async move { (n, group.ask(n, Lane::Bulk).await) })
            })
            .collect();

        let mut largest = 0;
        for task in asked {
            let (n, answer) = task.await.unwrap();
            let (doubled, size) = answer.unwrap();
            assert_eq!(doubled, n * 2);
            largest = largest.max(size);
        }
        assert!((2..=MOST).contains(&largest), "largest group: {largest}");
    }
}

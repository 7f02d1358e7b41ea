//! Gathering what is written to Postgres together.
//!
//! One statement over arrays and one commit cost little more than those for one row. A group is
//! whatever has come while the group before it was gathered. What a person waits for goes at once,
//! with whatever is there; bulk mail under load waits a moment for more. Groups stay small all the
//! same, because all of a group is repeated when its worker dies.

use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Groups are no larger. At 200 rows a statement costs 0.008 s of CPU per 1,000 rows, and larger
/// ones hardly less.
pub const MOST: usize = 256;

/// How many to wait for, under load: there a statement costs little more than for one.
const WORTH: f64 = 128.0;

/// How long to wait for them at most. A batch does not notice a tenth of a second.
const LINGER_MOST: Duration = Duration::from_millis(100);

/// Below this many items a second there is no load, and nothing is waited for.
const BUSY: f64 = 40.0;

/// Gathers items into groups.
pub struct Batcher<T> {
    arriving: mpsc::UnboundedReceiver<T>,
    load: Load,
}

impl<T> Batcher<T> {
    /// Gathers what arrives.
    pub fn new(arriving: mpsc::UnboundedReceiver<T>) -> Self {
        Self {
            arriving,
            load: Load::new(Instant::now()),
        }
    }

    /// The next group. None when nothing can arrive any more.
    pub async fn next(&mut self, is_urgent: impl Fn(&T) -> bool) -> Option<Vec<T>> {
        let mut group = Vec::with_capacity(MOST);
        if self.arriving.recv_many(&mut group, MOST).await == 0 {
            return None;
        }
        let linger = self.load.linger();
        let deadline = Instant::now() + linger;
        while group.len() < MOST && !linger.is_zero() && !group.iter().any(&is_urgent) {
            let room = MOST - group.len();
            match tokio::time::timeout_at(deadline, self.arriving.recv_many(&mut group, room)).await {
                Ok(count) if count > 0 => {}
                _ => break,
            }
        }
        self.load.add(group.len(), Instant::now());
        Some(group)
    }
}

/// How many items a second there have been lately.
struct Load {
    rate: f64,
    at: Instant,
}

impl Load {
    const fn new(now: Instant) -> Self {
        Self { rate: 0.0, at: now }
    }

    /// A group was gathered.
    fn add(&mut self, items: usize, now: Instant) {
        let elapsed = now.duration_since(self.at).as_secs_f64().max(0.000_1);
        self.at = now;
        let rate = f64::from(u32::try_from(items).unwrap_or(u32::MAX)) / elapsed;
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
    fn a_lone_item_waits_for_nothing_and_many_wait_for_each_other() {
        assert_eq!(load_of(5.0, 1).linger(), Duration::ZERO);
        assert_eq!(load_of(80.0, 2).linger(), LINGER_MOST);
        let fast = load_of(6_400.0, 64).linger();
        assert!((19..=21).contains(&fast.as_millis()), "{fast:?}");
    }

    #[test]
    fn a_quick_pair_is_no_load() {
        let mut load = load_of(1.0, 1);
        let now = load.at + Duration::from_millis(5);
        load.add(1, now);
        assert_eq!(load.linger(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_person_waits_for_goes_at_once_and_takes_the_others_along() {
        let (items, arriving) = mpsc::unbounded_channel();
        let mut batcher = Batcher {
            arriving,
            load: load_of(80.0, 2),
        };
        let began = Instant::now();

        items.send(false).unwrap();
        items.send(true).unwrap();
        let urgent = batcher.next(|is_urgent| *is_urgent).await.unwrap();
        let after_urgent = began.elapsed();
        batcher.load = load_of(80.0, 2);
        items.send(false).unwrap();
        let patient = batcher.next(|is_urgent| *is_urgent).await.unwrap();

        assert_eq!((urgent.len(), after_urgent), (2, Duration::ZERO));
        assert_eq!(patient.len(), 1);
        assert!(began.elapsed() >= LINGER_MOST);
    }

    #[tokio::test]
    async fn many_share_a_group_and_none_is_lost() {
        let (items, arriving) = mpsc::unbounded_channel();
        let mut batcher = Batcher::new(arriving);
        (0..1_000_u32).for_each(|n| items.send(n).unwrap());
        drop(items);

        let mut gathered = Vec::new();
        while let Some(group) = batcher.next(|_| false).await {
            assert!(group.len() <= MOST);
            gathered.extend(group);
        }

        assert_eq!(gathered, (0..1_000).collect::<Vec<_>>());
    }
}

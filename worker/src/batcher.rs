//! Groups rows so that they are written to Postgres in one statement.
//!
//! One statement over arrays and one commit cost little more than those for one row. A group holds what
//! arrived while the previous one was processed. Urgent items go at once with whatever is there; bulk mail
//! under load waits a moment for more. Groups stay small, because a whole group is repeated when its worker
//! dies.

use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Maximum size of a group. At 200 rows a statement costs 0.008 s of CPU per 1,000 rows, and larger ones
/// hardly less.
pub const MOST: usize = 256;

/// Number of items to wait for under load. Their statement costs little more than one for a single item.
const WORTH: f64 = 128.0;

/// Maximum wait for them. A tenth of a second makes no difference to a batch.
const MAX_LINGER: Duration = Duration::from_millis(100);

/// Below this many items per second there is no load, and a group does not wait.
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

    /// Returns the next group, or `None` once the channel is closed and empty.
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

/// The recent rate of items per second.
struct Load {
    rate: f64,
    at: Instant,
}

impl Load {
    const fn new(now: Instant) -> Self {
        Self { rate: 0.0, at: now }
    }

    /// Updates the rate after a group.
    fn add(&mut self, items: usize, now: Instant) {
        let elapsed = now.duration_since(self.at).as_secs_f64().max(0.000_1);
        self.at = now;
        let rate = f64::from(u32::try_from(items).unwrap_or(u32::MAX)) / elapsed;
        // Averaged over about a third of a second, so that one quick pair does not count as load.
        let weight = (elapsed * 3.0).min(1.0);
        self.rate += (rate - self.rate) * weight;
    }

    /// How long to wait for a group of [`WORTH`] items.
    fn linger(&self) -> Duration {
        if self.rate < BUSY {
            return Duration::ZERO;
        }
        Duration::from_secs_f64(WORTH / self.rate).min(MAX_LINGER)
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
    fn a_lone_item_goes_at_once_and_many_are_grouped() {
        assert_eq!(load_of(5.0, 1).linger(), Duration::ZERO);
        assert_eq!(load_of(80.0, 2).linger(), MAX_LINGER);
        let fast = load_of(6_400.0, 64).linger();
        assert!((19..=21).contains(&fast.as_millis()), "{fast:?}");
    }

    #[test]
    fn two_items_in_quick_succession_are_no_load() {
        let mut load = load_of(1.0, 1);
        let now = load.at + Duration::from_millis(5);
        load.add(1, now);
        assert_eq!(load.linger(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn an_interactive_item_goes_at_once_with_the_waiting_others() {
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
        assert!(began.elapsed() >= MAX_LINGER);
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

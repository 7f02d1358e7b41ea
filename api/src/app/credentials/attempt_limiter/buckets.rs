//! Token buckets in bounded memory.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hash, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Maximum number of buckets. A bucket is stored until it is full again: an hour at most, usually under two minutes.
/// 100,000 take about 4 MB.
const BUCKETS_MAX: usize = 100_000;

/// Number of buckets left after evicting some. Finding candidates takes a scan of all buckets, so a tenth is evicted at
/// a time.
const BUCKETS_KEPT: usize = BUCKETS_MAX / 10 * 9;

/// The size of a bucket: `at_once` tokens, then one more every `pause`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limit {
    pub(super) at_once: u32,
    pub(super) pause: Duration,
}

/// Buckets by key. Keys are hashed with a random key of this process, so a caller cannot craft a collision with another
/// caller's bucket.
#[derive(Debug, Default)]
pub(super) struct Buckets {
    state: RandomState,
    /// When each bucket is full again.
    full_at: Mutex<HashMap<u64, Instant>>,
}

/// Tokens that were taken.
#[must_use]
#[derive(Debug)]
pub(super) struct Taken(Vec<(u64, Duration)>);

impl Buckets {
    /// Takes a token from each bucket, or from none.
    ///
    /// # Errors
    ///
    /// Index in `wanted` of the first empty bucket, and how long until it has a token.
    pub(super) fn take(&self, wanted: &[(impl Hash, Limit)], now: Instant) -> Result<Taken, (usize, Duration)> {
        let wanted: Vec<(u64, Limit)> = wanted
            .iter()
            .map(|(key, limit)| (self.state.hash_one(key), *limit))
            .collect();
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        let after = |full_at: &HashMap<u64, Instant>, key: &u64, limit: &Limit| {
            full_at.get(key).map_or(now, |at| (*at).max(now)) + limit.pause
        };
        for (place, (key, limit)) in wanted.iter().enumerate() {
            let missing = after(&full_at, key, limit)
                .duration_since(now)
                .saturating_sub(limit.pause * limit.at_once);
            if missing > Duration::ZERO {
                return Err((place, missing));
            }
        }
        for (key, limit) in &wanted {
            if full_at.len() >= BUCKETS_MAX && !full_at.contains_key(key) {
                make_room(&mut full_at, now);
            }
            let at = after(&full_at, key, limit);
            full_at.insert(*key, at);
        }
        Ok(Taken(
            wanted.into_iter().map(|(key, limit)| (key, limit.pause)).collect(),
        ))
    }

    /// Number of tokens missing from a bucket.
    pub(super) fn missing(&self, key: &impl Hash, limit: Limit, now: Instant) -> u32 {
        let full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        let until_full = full_at
            .get(&self.state.hash_one(key))
            .map_or(Duration::ZERO, |at| at.saturating_duration_since(now));
        let tokens = until_full.as_nanos().div_ceil(limit.pause.as_nanos().max(1));
        u32::try_from(tokens).unwrap_or(u32::MAX)
    }

    /// Gives tokens back.
    pub(super) fn refund(&self, taken: Taken) {
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, pause) in taken.0 {
            if let Some(at) = full_at.get_mut(&key) {
                *at = at.checked_sub(pause).unwrap_or(*at);
            }
        }
    }
}

/// Evicts buckets that are full again; if that is not enough, also those that will be full first.
fn make_room(full_at: &mut HashMap<u64, Instant>, now: Instant) {
    full_at.retain(|_, at| *at > now);
    if full_at.len() <= BUCKETS_KEPT {
        return;
    }
    let mut times: Vec<Instant> = full_at.values().copied().collect();
    let surplus = times.len() - BUCKETS_KEPT;
    let (_, last_forgotten, _) = times.select_nth_unstable(surplus - 1);
    let last_forgotten = *last_forgotten;
    full_at.retain(|_, at| *at >= last_forgotten);
    // Of the buckets that are full at exactly that time, evict only as many as needed.
    let mut left = full_at.len().saturating_sub(BUCKETS_KEPT);
    full_at.retain(|_, at| {
        let goes = left > 0 && *at == last_forgotten;
        left -= usize::from(goes);
        !goes
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEN: Limit = Limit {
        at_once: 10,
        pause: Duration::from_secs(10),
    };

    fn taken(buckets: &Buckets, key: &str, now: Instant) -> usize {
        (0..100)
            .take_while(|_| buckets.take(&[(key, TEN)], now).is_ok())
            .count()
    }

    #[test]
    fn a_bucket_refills_token_by_token() {
        let (buckets, start) = (Buckets::default(), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);

        assert_eq!(taken(&buckets, "ada", start), 10);
        assert_eq!(taken(&buckets, "bob", start), 10);

        let refused = buckets.take(&[("ada", TEN)], after(4)).unwrap_err();
        assert_eq!(refused, (0, Duration::from_secs(6)));
        assert_eq!(buckets.missing(&"ada", TEN, after(4)), 10);
        assert_eq!(taken(&buckets, "ada", after(10)), 1);
        assert_eq!(taken(&buckets, "ada", after(19)), 0);
        assert_eq!(taken(&buckets, "ada", after(45)), 3);
        assert_eq!(buckets.missing(&"ada", TEN, after(500)), 0);
        assert_eq!(taken(&buckets, "ada", after(500)), 10);
    }

    #[test]
    fn a_refused_attempt_takes_no_token_and_does_not_extend_the_wait() {
        let (buckets, now) = (Buckets::default(), Instant::now());
        assert_eq!(taken(&buckets, "ada", now), 10);

        for _ in 0..1_000 {
            let refused = buckets.take(&[("overall", TEN), ("ada", TEN)], now).unwrap_err();
            assert_eq!(refused, (1, TEN.pause));
        }

        assert_eq!(taken(&buckets, "overall", now), 10);
    }

    #[test]
    fn memory_is_bounded_and_the_fullest_bucket_is_dropped() {
        let (buckets, now) = (Buckets::default(), Instant::now());
        assert_eq!(taken(&buckets, "guessed at", now), 10);

        for n in 0..BUCKETS_MAX * 3 {
            assert!(buckets.take(&[(n, TEN)], now).is_ok());
            assert!(buckets.full_at.lock().unwrap().len() <= BUCKETS_MAX);
        }

        assert_eq!(taken(&buckets, "guessed at", now), 0);
    }

    #[test]
    fn many_buckets_are_dropped_at_once() {
        let (buckets, start) = (Buckets::default(), Instant::now());
        let later = |n: usize| start + Duration::from_millis(n as u64);
        for n in 0..=BUCKETS_MAX {
            assert!(buckets.take(&[(n, TEN)], later(n / 100)).is_ok());
        }

        assert_eq!(buckets.full_at.lock().unwrap().len(), BUCKETS_KEPT + 1);
        assert!(buckets.take(&[(0, TEN)], later(1_001)).is_ok());
        assert_eq!(
            buckets.missing(&0, TEN, later(1_001)),
            1,
            "the oldest was not forgotten"
        );
        assert_eq!(buckets.missing(&BUCKETS_MAX, TEN, later(1_001)), 1);
    }
}

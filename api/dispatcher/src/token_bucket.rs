//! The rate limit over all workers (`BECKON_MAIL_RATE`), enforced at the one point that all jobs pass.
//!
//! Each lane has a token bucket that fills at the rate. Tokens and queued jobs together never exceed one second's
//! worth: when idle workers resume, both go out at once, in addition to what the next second earns. The
//! interactive lane's bucket gets four fifths. A lane may use the other's tokens while the other has nothing due.

use shared::batch::Lane;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Each lane's share of the rate while both have deliveries due, the interactive lane first.
const SHARES: [f64; 2] = [0.8, 0.2];

/// A token bucket for each lane.
#[derive(Debug)]
pub(super) struct TokenBucket {
    /// Mails per second; `None` for no limit.
    rate: Option<f64>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    refilled_at: Option<Instant>,
    lanes: [LaneState; 2],
}

#[derive(Clone, Copy, Debug, Default)]
struct LaneState {
    tokens: f64,
    queued: f64,
    has_due: bool,
}

impl State {
    /// This lane's bucket and the other one's.
    fn pair(&mut self, lane: Lane) -> (&mut LaneState, &mut LaneState) {
        let [interactive, bulk] = &mut self.lanes;
        match lane {
            Lane::Interactive => (interactive, bulk),
            Lane::Bulk => (bulk, interactive),
        }
    }

    fn usable(&mut self, lane: Lane) -> f64 {
        let (own, other) = self.pair(lane);
        own.tokens + if other.has_due { 0.0 } else { other.tokens.max(0.0) }
    }
}

impl TokenBucket {
    /// Creates buckets that fill at `rate` mails per second, or without a limit.
    pub(super) fn new(rate: Option<f64>) -> Self {
        let lanes = SHARES.map(|tokens| LaneState {
            tokens,
            ..LaneState::default()
        });
        Self {
            rate,
            state: Mutex::new(State {
                refilled_at: None,
                lanes,
            }),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds what a lane, whose queue holds `queued` jobs, has earned since its last round. The saved tokens
    /// are limited to what the queues leave of one second.
    pub(super) fn refill(&self, lane: Lane, queued: i64, now: Instant) {
        let Some(rate) = self.rate else { return };
        let mut state = self.state();
        let elapsed = state
            .refilled_at
            .replace(now)
            .map_or(Duration::ZERO, |at| now.duration_since(at));
        let earned = elapsed.as_secs_f64() * rate;
        #[expect(clippy::cast_precision_loss, reason = "queues are far below 2^52")]
        let queued = queued as f64;
        state.pair(lane).0.queued = queued;
        let in_queues: f64 = state.lanes.iter().map(|lane| lane.queued).sum();
        for (own, share) in state.lanes.iter_mut().zip(SHARES) {
            // At least one token each, or a low rate would never allow a whole mail.
            let saved = own.tokens.min(((rate - in_queues) * share).max(1.0));
            own.tokens = (saved + earned * share).min((rate * share).max(1.0));
        }
    }

    /// Returns how many of `wanted` mails may go now.
    pub(super) fn allow(&self, lane: Lane, wanted: i64) -> i64 {
        if self.rate.is_none() {
            return wanted;
        }
        #[expect(clippy::cast_possible_truncation, reason = "far below 2^63")]
        let whole = self.state().usable(lane).max(0.0) as i64;
        wanted.min(whole)
    }

    /// Records whether a lane has deliveries due.
    pub(super) fn set_due(&self, lane: Lane, has_due: bool) {
        self.state().pair(lane).0.has_due = has_due;
    }

    /// Takes the tokens of jobs that are being published.
    pub(super) fn take(&self, lane: Lane, jobs: usize) {
        let jobs = f64::from(u32::try_from(jobs).unwrap_or(u32::MAX));
        let mut state = self.state();
        let (own, other) = state.pair(lane);
        let borrowed = (jobs - own.tokens.max(0.0)).max(0.0).min(other.tokens.max(0.0));
        own.tokens -= jobs - borrowed;
        other.tokens -= borrowed;
    }

    /// Returns the tokens of jobs that were not published.
    pub(super) fn refund(&self, lane: Lane, jobs: usize) {
        let jobs = f64::from(u32::try_from(jobs).unwrap_or(u32::MAX));
        self.state().pair(lane).0.tokens += jobs;
    }

    /// Time until the next mail may go.
    pub(super) fn wait(&self) -> Duration {
        let Some(rate) = self.rate else { return Duration::ZERO };
        Duration::try_from_secs_f64(1.0 / rate)
            .unwrap_or(Duration::from_secs(1))
            .clamp(Duration::from_millis(10), Duration::from_secs(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes all that each lane is allowed, in steps of one millisecond.
    fn taken(bucket: &TokenBucket, lanes: &[Lane], start: Instant, seconds: u32) -> Vec<i64> {
        let mut taken = vec![0; lanes.len()];
        for millisecond in 0..seconds * 1_000 {
            let now = start + Duration::from_millis(1) * millisecond;
            for (lane, taken) in lanes.iter().zip(&mut taken) {
                bucket.refill(*lane, 0, now);
                bucket.set_due(*lane, true);
                let allowed = bucket.allow(*lane, 1_000);
                bucket.take(*lane, usize::try_from(allowed).unwrap());
                *taken += allowed;
            }
        }
        taken
    }

    #[test]
    fn the_rate_is_never_exceeded() {
        let start = Instant::now();
        for lane in Lane::ALL {
            let bucket = TokenBucket::new(Some(50.0));
            let gone = taken(&bucket, &[lane], start, 10)[0];
            assert!((490..=501).contains(&gone), "{lane:?}: {gone}");
        }
    }

    #[test]
    fn under_contention_the_interactive_lane_gets_four_fifths() {
        for rate in [5.0, 50.0, 500.0] {
            let bucket = TokenBucket::new(Some(rate));
            let gone = taken(&bucket, &[Lane::Bulk, Lane::Interactive], Instant::now(), 20);
            let all: i64 = gone.iter().sum();
            #[expect(clippy::cast_precision_loss, reason = "a test")]
            let (interactive, all) = (gone[1] as f64, all as f64);
            assert!((interactive / all - 0.8).abs() < 0.03, "{gone:?} at {rate}");
            assert!((all - rate * 20.0).abs() < rate, "{gone:?} at {rate}");
        }
    }

    #[test]
    fn a_pause_saves_up_at_most_one_second() {
        let start = Instant::now();
        let bucket = TokenBucket::new(Some(50.0));
        bucket.refill(Lane::Bulk, 0, start);
        bucket.refill(Lane::Bulk, 0, start + Duration::from_hours(1));
        assert_eq!(bucket.allow(Lane::Bulk, 1_000), 50);
    }

    #[test]
    fn queued_and_saved_tokens_are_limited_to_one_second_and_a_mail_per_lane() {
        let start = Instant::now();
        let bucket = TokenBucket::new(Some(50.0));
        bucket.refill(Lane::Bulk, 0, start);
        for (hour, queued, saved) in [(1, 0, 50), (2, 20, 30), (3, 50, 2), (4, 1_000, 2)] {
            let now = start + Duration::from_hours(hour);
            bucket.refill(Lane::Bulk, 0, now);
            bucket.refill(Lane::Bulk, queued, now);
            assert_eq!(bucket.allow(Lane::Bulk, 1_000), saved, "{queued} queued");
        }
    }

    #[test]
    fn a_rate_below_one_per_second_works() {
        let start = Instant::now();
        let bucket = TokenBucket::new(Some(0.5));
        let mut gone = vec![];
        for second in 0..6_u32 {
            bucket.refill(Lane::Bulk, 1, start + Duration::from_secs(1) * second);
            let allowed = bucket.allow(Lane::Bulk, 10);
            bucket.take(Lane::Bulk, usize::try_from(allowed).unwrap());
            gone.push(allowed);
        }
        assert_eq!(gone.iter().sum::<i64>(), 3, "{gone:?}");
    }

    #[test]
    fn unpublished_jobs_use_no_tokens() {
        let bucket = TokenBucket::new(Some(50.0));
        let start = Instant::now();
        bucket.refill(Lane::Bulk, 0, start);
        bucket.refill(Lane::Bulk, 0, start + Duration::from_secs(10));
        let before = bucket.allow(Lane::Bulk, 1_000);
        bucket.take(Lane::Bulk, 20);
        bucket.refund(Lane::Bulk, 20);
        assert_eq!(bucket.allow(Lane::Bulk, 1_000), before);
    }

    #[test]
    fn without_a_rate_nothing_is_limited() {
        let bucket = TokenBucket::new(None);
        bucket.refill(Lane::Bulk, 1_000, Instant::now());
        assert_eq!(bucket.allow(Lane::Bulk, 7), 7);
    }
}

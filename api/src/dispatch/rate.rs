//! The relay's limit, kept for all workers together at the one place all jobs pass.

use std::time::{Duration, Instant};

/// Mails that may go now: a bucket that fills with the rate. With what lies in the queues it holds at
/// most one second of it: when workers wake that stood still, both go out at once, beside what the next
/// second earns.
#[derive(Debug)]
pub(super) struct Bucket {
    rate: Option<f64>,
    tokens: f64,
    at: Instant,
}

impl Bucket {
    /// A bucket for `rate` mails a second, or one that never runs out.
    pub(super) const fn new(rate: Option<f64>, now: Instant) -> Self {
        Self {
            rate,
            tokens: 1.0,
            at: now,
        }
    }

    /// A round begins: what was earned since the last one may go.
    pub(super) fn earn(&mut self, now: Instant) {
        let Some(rate) = self.rate else { return };
        let earned = now.duration_since(self.at).as_secs_f64() * rate;
        self.at = now;
        self.tokens = (self.tokens + earned).min(rate.max(1.0));
    }

    /// A round ends and leaves `queued` jobs in the queues: no more is saved up than they leave of a second.
    /// That is not asked before each lane has had its turn, so a lane whose queue is full takes nothing
    /// from the other.
    pub(super) fn save(&mut self, queued: i64) {
        let Some(rate) = self.rate else { return };
        #[expect(clippy::cast_precision_loss, reason = "queues are far below 2^52")]
        let left = rate - queued as f64;
        self.tokens = self.tokens.min(left.max(1.0));
    }

    /// How many of `wanted` may go now.
    pub(super) fn allow(&self, wanted: i64) -> i64 {
        if self.rate.is_none() {
            return wanted;
        }
        #[expect(clippy::cast_possible_truncation, reason = "far below 2^63")]
        let whole = self.tokens as i64;
        wanted.min(whole)
    }

    /// They went.
    pub(super) fn take(&mut self, mails: usize) {
        if self.rate.is_some() {
            self.tokens -= f64::from(u32::try_from(mails).unwrap_or(u32::MAX));
        }
    }

    /// How long until the next one may go.
    pub(super) fn wait(&self) -> Duration {
        let Some(rate) = self.rate else { return Duration::ZERO };
        Duration::try_from_secs_f64((1.0 - self.tokens).max(0.0) / rate)
            .unwrap_or(Duration::from_secs(1))
            .clamp(Duration::from_millis(10), Duration::from_secs(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_mails_go_than_the_rate_allows() {
        let start = Instant::now();
        let mut bucket = Bucket::new(Some(50.0), start);
        let mut gone = 0;
        for millisecond in 0..10_000_u32 {
            bucket.earn(start + Duration::from_millis(1) * millisecond);
            let allowed = bucket.allow(1000);
            bucket.take(usize::try_from(allowed).unwrap());
            bucket.save(0);
            gone += allowed;
        }
        assert!((495..=501).contains(&gone), "{gone}");
    }

    #[test]
    fn a_pause_earns_one_second_at_most() {
        let start = Instant::now();
        let mut bucket = Bucket::new(Some(50.0), start);
        bucket.earn(start + Duration::from_hours(1));
        assert_eq!(bucket.allow(1000), 50);
    }

    #[test]
    fn what_is_queued_and_what_is_saved_up_are_one_second_together() {
        let start = Instant::now();
        let mut bucket = Bucket::new(Some(50.0), start);
        for (hour, queued, saved) in [(1, 0, 50), (2, 20, 30), (3, 50, 1), (4, 1000, 1)] {
            bucket.earn(start + Duration::from_hours(hour));
            bucket.save(queued);
            assert_eq!(bucket.allow(1000), saved, "{queued} queued");
        }
    }

    #[test]
    fn a_full_queue_takes_nothing_from_the_other_lane() {
        let start = Instant::now();
        let mut bucket = Bucket::new(Some(50.0), start);
        let mut gone = 0;
        for round in 0..100_u32 {
            bucket.earn(start + Duration::from_millis(100) * round);
            let allowed = bucket.allow(1000);
            bucket.take(usize::try_from(allowed).unwrap());
            bucket.save(50);
            gone += allowed;
        }
        assert!((490..=500).contains(&gone), "{gone}");
    }

    #[test]
    fn one_mail_in_two_seconds_is_a_rate_too() {
        let start = Instant::now();
        let mut bucket = Bucket::new(Some(0.5), start);
        let mut gone = vec![];
        for second in 0..5_u32 {
            bucket.earn(start + Duration::from_secs(1) * second);
            gone.push(bucket.allow(10));
            bucket.take(usize::try_from(bucket.allow(10)).unwrap());
            bucket.save(1);
        }
        assert_eq!(gone, [1, 0, 1, 0, 1]);
    }

    #[test]
    fn without_a_rate_everything_goes() {
        let mut bucket = Bucket::new(None, Instant::now());
        bucket.save(1000);
        assert_eq!(bucket.allow(7), 7);
    }
}

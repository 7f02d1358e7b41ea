//! The relay's limit, kept for all workers together at the one place all jobs pass.

use std::time::{Duration, Instant};

/// Mails that may go now: a bucket that fills with the rate and holds at most one second of it.
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

    /// How many of `wanted` may go now.
    pub(super) fn allow(&mut self, wanted: i64, now: Instant) -> i64 {
        let Some(rate) = self.rate else { return wanted };
        let earned = now.duration_since(self.at).as_secs_f64() * rate;
        self.at = now;
        self.tokens = (self.tokens + earned).min(rate.max(1.0));
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
            let allowed = bucket.allow(1000, start + Duration::from_millis(1) * millisecond);
            bucket.take(usize::try_from(allowed).unwrap());
            gone += allowed;
        }
        assert!((495..=501).contains(&gone), "{gone}");
    }

    #[test]
    fn a_pause_earns_one_second_at_most() {
        let start = Instant::now();
        let mut bucket = Bucket::new(Some(50.0), start);
        assert_eq!(bucket.allow(1000, start + Duration::from_hours(1)), 50);
    }

    #[test]
    fn one_mail_in_two_seconds_is_a_rate_too() {
        let start = Instant::now();
        let mut bucket = Bucket::new(Some(0.5), start);
        assert_eq!(bucket.allow(10, start), 1);
        bucket.take(1);
        assert_eq!(bucket.allow(10, start + Duration::from_secs(1)), 0);
        assert_eq!(bucket.allow(10, start + Duration::from_secs(2)), 1);
    }

    #[test]
    fn without_a_rate_everything_goes() {
        assert_eq!(Bucket::new(None, Instant::now()).allow(7, Instant::now()), 7);
    }
}

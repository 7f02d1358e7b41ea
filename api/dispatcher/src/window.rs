//! Limits the number of jobs in a lane's queue.
//!
//! The dispatcher cannot reorder queued jobs: a batch accepted later waits behind them. So a queue holds
//! about one second of work. The rate at which jobs leave it is measured, and the window follows. The window
//! starts small and doubles as long as a full queue runs empty between two checks, so it reaches the speed of
//! a fast relay within a few rounds. If a rate limit is set, a queue never holds more than one second of it:
//! otherwise the queued jobs would exceed the limit after a pause of all workers.

use std::time::{Duration, Instant};

/// Minimum, however slow the relay, so that each of several workers has some jobs and none is idle.
const LEAST: i64 = 200;

/// Maximum. Larger windows publish no faster.
const MOST: i64 = 20_000;

/// How much work a queue holds.
const AHEAD: Duration = Duration::from_secs(1);

/// How soon to check a full window again. The queue is then a quarter emptier, so no worker is idle, and few
/// large rounds cost less than many small ones.
const FULL_POLL: Duration = Duration::from_millis(250);

/// The same after the queue was found empty, which shows that the window is still too small.
const DRY_POLL: Duration = Duration::from_millis(25);

/// The window of one lane.
#[derive(Debug)]
pub(super) struct Window {
    size: i64,
    least: i64,
    most: i64,
    /// Jobs per second that left the queue, smoothed.
    rate: f64,
    /// Length of the queue at the last check, and the time of that check.
    before: Option<(i64, Instant)>,
    published: i64,
}

impl Window {
    /// Creates a window without measurements, limited to `rate` mails per second.
    pub(super) fn new(rate: Option<f64>) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_precision_loss,
            reason = "clamped to the window's bounds"
        )]
        let most = rate.map_or(MOST, |rate| {
            (rate * AHEAD.as_secs_f64()).ceil().clamp(1.0, MOST as f64) as i64
        });
        let least = LEAST.min(most);
        Self {
            size: least,
            least,
            most,
            rate: 0.0,
            before: None,
            published: 0,
        }
    }

    /// Counts published jobs.
    pub(super) fn add(&mut self, jobs: usize) {
        self.published += i64::try_from(jobs).unwrap_or(MOST);
    }

    /// Updates the window from the number of queued jobs, and returns how many more may be published.
    pub(super) fn available(&mut self, queued: i64, now: Instant) -> i64 {
        if let Some((before, at)) = self.before {
            let elapsed = now.duration_since(at).as_secs_f64();
            if elapsed < 0.01 {
                return (self.size - queued).max(0);
            }
            let left = (before + self.published - queued).max(0);
            let was_full = before + self.published >= self.size;
            self.learn(left, elapsed, queued == 0 && was_full);
        }
        self.before = Some((queued, now));
        self.published = 0;
        (self.size - queued).max(0)
    }

    /// How soon to check again when the window is full.
    pub(super) fn poll_interval(&self) -> Duration {
        match self.before {
            Some((0, _)) => DRY_POLL,
            _ => FULL_POLL,
        }
    }

    fn learn(&mut self, left: i64, elapsed: f64, ran_dry: bool) {
        #[expect(clippy::cast_precision_loss, reason = "windows are far below 2^52")]
        let rate = left as f64 / elapsed;
        let weight = elapsed.min(1.0);
        self.rate += (rate - self.rate) * weight;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_precision_loss,
            reason = "clamped to the window's bounds"
        )]
        let wanted = (self.rate * AHEAD.as_secs_f64()).clamp(0.0, self.most as f64) as i64;
        self.size = if ran_dry {
            self.size.saturating_mul(2).max(wanted)
        } else {
            wanted
        }
        .clamp(self.least, self.most);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Simulates a queue drained at `per_second` and returns the resulting window.
    fn window_at(per_second: f64) -> i64 {
        let (mut window, start) = (Window::new(None), Instant::now());
        let mut queued = 0.0_f64;
        for step in 1..400_u32 {
            queued = (queued - per_second * 0.02).max(0.0);
            #[expect(clippy::cast_possible_truncation, reason = "a test")]
            let seen = queued as i64;
            let available = window.available(seen, start + Duration::from_millis(20) * step);
            window.add(usize::try_from(available).unwrap());
            #[expect(clippy::cast_precision_loss, reason = "a test")]
            let available = available as f64;
            queued += available;
        }
        window.size
    }

    #[test]
    fn a_slow_relay_has_a_small_window() {
        assert_eq!(window_at(10.0), LEAST);
    }

    #[test]
    fn a_fast_relay_has_about_a_second_of_work_in_its_queue() {
        let size = window_at(7_000.0);
        assert!((5_000..=14_000).contains(&size), "{size}");
    }

    #[test]
    fn a_window_that_was_never_full_does_not_grow_because_the_queue_runs_dry() {
        let (mut window, start) = (Window::new(None), Instant::now());
        for step in 1..100_u32 {
            window.available(0, start + Duration::from_millis(500) * step);
            window.add(50);
        }
        assert_eq!(window.size, LEAST);
    }

    #[test]
    fn the_window_holds_at_most_a_second_of_the_rate() {
        let mut window = Window::new(Some(5.0));
        assert_eq!(window.available(0, Instant::now()), 5);
        assert_eq!(Window::new(Some(0.1)).available(0, Instant::now()), 1);
    }

    #[test]
    fn the_window_is_bounded_for_any_relay() {
        assert!(window_at(1e7) <= MOST);
    }
}

//! How long to wait before speaking to a server again that did not answer.
//!
//! The one place that names `backoff`. The crate is unmaintained (RUSTSEC-2025-0012); Beckon uses
//! its arithmetic only, so replacing it touches this file alone.

use backoff::backoff::Backoff as _;
use std::time::Duration;

/// Growing delays with jitter: for Postgres, RabbitMQ and the relay alike.
pub struct Delays {
    inner: backoff::ExponentialBackoff,
    longest: Duration,
}

impl Delays {
    /// Delays that start near `first`, double, and stay near `longest`; each is jittered by half,
    /// so that many processes do not come back in the same moment.
    pub fn between(first: Duration, longest: Duration) -> Self {
        let inner = backoff::ExponentialBackoffBuilder::new()
            .with_initial_interval(first)
            .with_multiplier(2.0)
            .with_randomization_factor(0.5)
            .with_max_interval(longest)
            .with_max_elapsed_time(None)
            .build();
        Self { inner, longest }
    }

    /// For a server on the same network: about 100 ms at first, about 5 s later on.
    pub fn for_a_near_server() -> Self {
        Self::between(Duration::from_millis(100), Duration::from_secs(5))
    }

    /// The next one.
    pub fn next_delay(&mut self) -> Duration {
        // It never gives up, because no total time is set.
        self.inner.next_backoff().unwrap_or(self.longest)
    }

    /// It answered: the next trouble starts with short delays again.
    pub fn reset(&mut self) {
        self.inner.reset();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_to_the_longest_and_start_again() {
        let mut delays = Delays::between(Duration::from_secs(1), Duration::from_secs(8));
        let first = delays.next_delay();
        assert!(first <= Duration::from_millis(1500), "{first:?}");
        for _ in 0..10 {
            delays.next_delay();
        }
        let late = delays.next_delay();
        assert!(
            late >= Duration::from_secs(4) && late <= Duration::from_secs(12),
            "{late:?}"
        );
        delays.reset();
        assert!(delays.next_delay() <= Duration::from_millis(1500));
    }
}

//! How long to wait before retrying a server that did not answer.
//!
//! The only module that uses `backoff`. The crate is unmaintained (RUSTSEC-2025-0012); Beckon uses only its
//! arithmetic, so replacing it affects this file alone.

use backoff::backoff::Backoff as _;
use std::time::Duration;

/// Exponential backoff with jitter, for Postgres, RabbitMQ and the relay.
pub struct Delays {
    inner: backoff::ExponentialBackoff,
    longest: Duration,
}

impl Delays {
    /// Delays that start near `first`, double, and stay near `longest`. Each has a jitter of 50 %, so that
    /// many processes do not retry at the same moment.
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

    /// For a server on the same network: about 100 ms at first, up to about 5 s.
    pub fn for_a_near_server() -> Self {
        Self::between(Duration::from_millis(100), Duration::from_secs(5))
    }

    /// Returns the next delay.
    pub fn next_delay(&mut self) -> Duration {
        // It never gives up, because no total time is set.
        self.inner.next_backoff().unwrap_or(self.longest)
    }

    /// Starts again from the shortest delay after the server answered.
    pub fn reset(&mut self) {
        self.inner.reset();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_to_the_maximum_and_are_reset() {
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

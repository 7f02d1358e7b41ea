//! Notices that the clock of Postgres was set, by comparing it with a clock that never is.

use std::time::Duration;
use time::OffsetDateTime;
use tokio::time::Instant;

/// Differences up to this are slow responses and clocks that run unevenly.
const TOLERANCE: Duration = Duration::from_secs(5);

/// The clock of Postgres as last seen.
#[derive(Debug, Default)]
pub(super) struct DatabaseClock(Option<(OffsetDateTime, Instant)>);

impl DatabaseClock {
    /// Takes a time that Postgres returned at this moment. Returns by how much its clock was set since the previous
    /// one, positive if forward, or `None` if it was not.
    pub(super) fn observe(&mut self, now: OffsetDateTime, seen: Instant) -> Option<time::Duration> {
        let (before, seen_before) = self.0.replace((now, seen))?;
        let elapsed = time::Duration::try_from(seen - seen_before).ok()?;
        let difference = now - before - elapsed;
        (difference.abs() > TOLERANCE).then_some(difference)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_set_is_noticed_once_in_either_direction() {
        let (start, began) = (OffsetDateTime::UNIX_EPOCH, Instant::now());
        let second = Duration::from_secs(1);
        let day = time::Duration::DAY;
        let mut clock = DatabaseClock::default();

        assert_eq!(clock.observe(start, began), None);
        assert_eq!(clock.observe(start + 3 * second, began + second), None);
        assert_eq!(clock.observe(start + day + 4 * second, began + 2 * second), Some(day));
        assert_eq!(clock.observe(start + day + 5 * second, began + 3 * second), None);
        assert_eq!(clock.observe(start + 6 * second, began + 4 * second), Some(-day));
        assert_eq!(clock.observe(start + 36 * second, began + 34 * second), None);
    }
}

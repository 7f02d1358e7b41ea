//! Notices that the clock of Postgres was set, by comparing it with a clock that never is.

use std::time::Duration;
use time::OffsetDateTime;
use tokio::time::Instant;

/// Differences up to this are slow responses and clocks that run unevenly.
const TOLERANCE: Duration = Duration::from_secs(5);

/// The clock of Postgres as last seen: its time, and when it was asked and had answered.
#[derive(Debug, Default)]
pub(super) struct DatabaseClock(Option<(OffsetDateTime, Instant, Instant)>);

impl DatabaseClock {
    /// Takes a time that Postgres returned between these moments. Returns by how much its clock was set since the
    /// previous one, positive if forward, or `None` if it was not.
    ///
    /// Postgres may answer long after it has read its clock, for example because its standby is stalled, so the time
    /// between two readings is known only between limits.
    pub(super) fn observe(&mut self, now: OffsetDateTime, asked: Instant, answered: Instant) -> Option<time::Duration> {
        let (before, asked_before, answered_before) = self.0.replace((now, asked, answered))?;
        let least = time::Duration::try_from(asked.saturating_duration_since(answered_before)).ok()?;
        let most = time::Duration::try_from(answered.saturating_duration_since(asked_before)).ok()?;
        let passed = now - before;
        let difference = passed - passed.clamp(least, most);
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
        let mut observe = |time, seen| clock.observe(time, seen, seen);

        assert_eq!(observe(start, began), None);
        assert_eq!(observe(start + 3 * second, began + second), None);
        assert_eq!(observe(start + day + 4 * second, began + 2 * second), Some(day));
        assert_eq!(observe(start + day + 5 * second, began + 3 * second), None);
        assert_eq!(observe(start + 6 * second, began + 4 * second), Some(-day));
        assert_eq!(observe(start + 36 * second, began + 34 * second), None);
    }

    #[test]
    fn a_late_answer_is_no_clock_that_was_set() {
        let (start, began) = (OffsetDateTime::UNIX_EPOCH, Instant::now());
        let second = Duration::from_secs(1);
        let mut clock = DatabaseClock::default();

        assert_eq!(clock.observe(start, began, began), None);
        assert_eq!(clock.observe(start + second, began + second, began + 20 * second), None);
        assert_eq!(
            clock.observe(start + 21 * second, began + 21 * second, began + 21 * second),
            None
        );
    }
}

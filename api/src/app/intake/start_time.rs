//! When a batch may start: not in the past, and within a year.

use crate::app::problem::{FieldError, Problem};
use serde::Deserializer;
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

/// The latest start, counted from now. A later one is a mistyped year.
const LATEST: Duration = Duration::days(366);

/// Why a start time is rejected.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum StartFault {
    /// It is in the past, or earlier than the minimum lead time allows.
    TooSoon,
    /// It is more than a year ahead.
    TooLate,
}

/// Checks the start time of a batch.
///
/// `now` is Postgres's clock, which also decides when the batch starts. The console requires a start at least
/// `least_ahead` from now, because its pages take minutes to complete; the API accepts any future time.
///
/// # Errors
///
/// If the time is too early or too late.
pub fn check(start: OffsetDateTime, now: OffsetDateTime, least_ahead: Duration) -> Result<(), StartFault> {
    if start < now + least_ahead {
        Err(StartFault::TooSoon)
    } else if start > now + LATEST {
        Err(StartFault::TooLate)
    } else {
        Ok(())
    }
}

/// Parses `start_at`. Null is rejected, because it would start a batch now that was meant for later.
pub(super) fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<OffsetDateTime>, D::Error> {
    time::serde::rfc3339::deserialize(deserializer).map(Some)
}

/// The validation error for `start_at`.
pub(super) fn problem(fault: StartFault, now: OffsetDateTime) -> Problem {
    let now = now.replace_nanosecond(0).unwrap_or(now);
    let clock = now.format(&Rfc3339).unwrap_or_default();
    let (code, message) = match fault {
        StartFault::TooSoon => (
            "in_the_past",
            format!(
                "start_at is in the past; it is {clock} now. Choose a later time, or leave start_at out to start now."
            ),
        ),
        StartFault::TooLate => (
            "too_late",
            format!("start_at is more than a year ahead; it is {clock} now. Choose a time within a year."),
        ),
    };
    let error = FieldError::in_field("start_at", code, message);
    Problem::invalid("invalid_request", "The start time cannot be used; see errors.").with_errors(vec![error])
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn a_start_must_be_in_the_next_year() {
        let now = datetime!(2026-12-01 09:00 UTC);
        let two_minutes = Duration::minutes(2);
        for (start, least_ahead, expected) in [
            (now, Duration::ZERO, Ok(())),
            (datetime!(2026-12-01 10:00 +1), Duration::ZERO, Ok(())),
            (
                datetime!(2026-12-01 08:59:59.999 UTC),
                Duration::ZERO,
                Err(StartFault::TooSoon),
            ),
            (datetime!(2020-01-01 0:00 UTC), Duration::ZERO, Err(StartFault::TooSoon)),
            (datetime!(2026-12-01 09:01 UTC), two_minutes, Err(StartFault::TooSoon)),
            (datetime!(2026-12-01 09:02 UTC), two_minutes, Ok(())),
            (datetime!(2027-12-01 09:00 UTC), two_minutes, Ok(())),
            (datetime!(2027-12-03 09:00 UTC), two_minutes, Err(StartFault::TooLate)),
            (
                datetime!(9999-12-31 23:59:59 -23:59),
                Duration::ZERO,
                Err(StartFault::TooLate),
            ),
            (
                datetime!(0000-01-01 0:00 +23:59),
                Duration::ZERO,
                Err(StartFault::TooSoon),
            ),
        ] {
            assert_eq!(check(start, now, least_ahead), expected, "{start}");
        }
    }
}

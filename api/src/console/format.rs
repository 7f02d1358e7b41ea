//! Formats numbers and times for pages.

use std::fmt::Write as _;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

/// Formats a number with thousands separators: 1,204.
pub(super) fn counted(number: impl Into<i64>) -> String {
    let number: i64 = number.into();
    let digits = number.unsigned_abs().to_string();
    let mut shown = String::with_capacity(digits.len() + digits.len() / 3 + 1);
    if number < 0 {
        shown.push('−');
    }
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// Formats a number with its noun: "1 user", "1,204 users".
pub(super) fn some(number: impl Into<i64>, one: &str, many: &str) -> String {
    let number: i64 = number.into();
    format!("{} {}", counted(number), if number == 1 { one } else { many })
}

/// A time for a `<time>` element: machine-readable, and as text with its zone. The script shows it in the browser's
/// time zone.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Moment {
    /// RFC 3339.
    pub(super) machine: String,
    /// "23 Nov 2026, 14:00 UTC".
    pub(super) shown: String,
}

/// Formats a time.
pub(super) fn moment(at: OffsetDateTime) -> Moment {
    let at = at.to_offset(time::UtcOffset::UTC);
    let day = format_description!("[day padding:none] [month repr:short] [year], [hour]:[minute] UTC");
    Moment {
        machine: at
            .replace_nanosecond(0)
            .unwrap_or(at)
            .format(&Rfc3339)
            .unwrap_or_default(),
        shown: at.format(day).unwrap_or_default(),
    }
}

/// The author of an action for display: an administrator by name, a program by the name of its API key.
pub(super) fn author(recorded: &str) -> String {
    match recorded.strip_prefix("key ") {
        Some(name) => format!("the API key “{name}”"),
        None => recorded.to_owned(),
    }
}

/// A time of today to the second: "14:02:30 UTC". Templates add `data-clock`, so that the script keeps the seconds.
pub(super) fn clock(at: OffsetDateTime) -> Moment {
    let shown = at.to_offset(time::UtcOffset::UTC);
    let time = format_description!("[hour]:[minute]:[second] UTC");
    Moment {
        shown: shown.format(time).unwrap_or_default(),
        ..moment(at)
    }
}

/// A time to the second, with its date.
pub(super) fn exact(at: OffsetDateTime) -> Moment {
    let shown = at.to_offset(time::UtcOffset::UTC);
    let format = format_description!("[day padding:none] [month repr:short] [year], [hour]:[minute]:[second] UTC");
    Moment {
        shown: shown.format(format).unwrap_or_default(),
        ..moment(at)
    }
}

/// A future time for a button: "1 Dec, 09:00 UTC", with the year unless it is this year.
pub(super) fn short(at: OffsetDateTime, now: OffsetDateTime) -> String {
    let (at, now) = (at.to_offset(time::UtcOffset::UTC), now.to_offset(time::UtcOffset::UTC));
    if at.year() != now.year() {
        return moment(at).shown;
    }
    let format = format_description!("[day padding:none] [month repr:short], [hour]:[minute] UTC");
    at.format(format).unwrap_or_default()
}

/// Formats a duration, rounded as in speech: "40 seconds", "12 minutes", "3 hours".
pub(super) fn lasting(seconds: i64) -> String {
    let mut shown = String::new();
    let _ = match seconds.max(0) {
        n @ 0..90 => write!(shown, "{}", some(n, "second", "seconds")),
        n @ 90..5_400 => write!(shown, "{}", some((n + 30) / 60, "minute", "minutes")),
        n @ 5_400..172_800 => write!(shown, "{}", some((n + 1_800) / 3_600, "hour", "hours")),
        n => write!(shown, "{}", some((n + 43_200) / 86_400, "day", "days")),
    };
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn thousands_stand_apart() {
        let shown = [0, 7, 999, 1_000, 12_345, 1_234_567, -1_234].map(counted);
        assert_eq!(shown, ["0", "7", "999", "1,000", "12,345", "1,234,567", "−1,234"]);
        assert_eq!(some(1, "user", "users"), "1 user");
        assert_eq!(some(1_204, "user", "users"), "1,204 users");
    }

    #[test]
    fn a_moment_has_its_zone() {
        let moment = moment(datetime!(2026-11-03 15:04:05.678 +1));
        assert_eq!(moment.shown, "3 Nov 2026, 14:04 UTC");
        assert_eq!(moment.machine, "2026-11-03T14:04:05Z");
    }

    #[test]
    fn a_moment_of_another_year_has_its_year() {
        let now = datetime!(2026-11-30 12:00 UTC);
        assert_eq!(short(datetime!(2026-12-01 09:00 +1), now), "1 Dec, 08:00 UTC");
        assert_eq!(short(datetime!(2027-01-02 09:00 UTC), now), "2 Jan 2027, 09:00 UTC");
    }

    #[test]
    fn spans_are_rounded_as_people_say_them() {
        let shown = [1, 89, 90, 720, 5_400, 14_400, 172_800].map(lasting);
        assert_eq!(
            shown,
            [
                "1 second",
                "89 seconds",
                "2 minutes",
                "12 minutes",
                "2 hours",
                "4 hours",
                "2 days"
            ]
        );
    }
}

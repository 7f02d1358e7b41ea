//! A later start, as the page "Check before you send" takes and shows it.
//!
//! The page sends it in UTC. Without a script the administrator types it in UTC; the script shows the field
//! in the reader's own zone and converts it (`console.js`).

use crate::console::words::{lasting, short};
use crate::intake::start_time::{self, StartFault};
use crate::problem::Problem;
use crate::state::Api;
use shared::store::system_emails;
use std::time::Duration;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};

/// A start is no closer than this: whoever means a closer one sends at once and has the hold.
const LEAST_AHEAD: Duration = Duration::from_mins(2);

/// What is in the field.
#[derive(Clone, Debug, Default)]
pub(super) struct Schedule {
    /// As it was sent.
    pub(super) typed: String,
    /// The moment it says; none when the field is empty or wrong.
    pub(super) start_at: Option<OffsetDateTime>,
    /// How the page names that moment.
    pub(super) shown: String,
    /// What is wrong with it.
    pub(super) fault: Option<String>,
}

impl Schedule {
    /// Reads the field, and compares it with Postgres's clock.
    pub(super) async fn read(api: &Api, typed: &str) -> Result<Self, Problem> {
        if typed.is_empty() {
            return Ok(Self::default());
        }
        let now = system_emails::now(&api.db).await?;
        let (start_at, fault) = match checked(typed, now, api.hold) {
            Ok(start_at) => (Some(start_at), None),
            Err(fault) => (None, Some(fault)),
        };
        Ok(Self {
            typed: typed.to_owned(),
            shown: start_at.map(|at| short(at, now)).unwrap_or_default(),
            start_at,
            fault,
        })
    }
}

fn checked(typed: &str, now: OffsetDateTime, hold: Duration) -> Result<OffsetDateTime, String> {
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]");
    let start_at = PrimitiveDateTime::parse(typed, format)
        .map_err(|_| "Enter a date and a time, or leave the field empty to start now".to_owned())?
        .assume_utc();
    // A start within the hold would be put off to its end.
    let lead = LEAST_AHEAD.max(hold);
    let least = time::Duration::try_from(lead).unwrap_or(time::Duration::MAX);
    match start_time::check(start_at, now, least) {
        Ok(()) => Ok(start_at),
        Err(StartFault::TooSoon) => Err(format!(
            "The start must be at least {} from now. Leave the field empty to start now",
            lasting(least.whole_seconds())
        )),
        Err(StartFault::TooLate) => Err("The start must be within a year from now".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn a_start_is_at_least_two_minutes_and_the_hold_ahead() {
        let now = datetime!(2026-11-30 12:00:30 UTC);
        let read = |typed| checked(typed, now, Duration::from_secs(30));

        assert_eq!(read("2026-12-01T09:30"), Ok(datetime!(2026-12-01 09:30 UTC)));
        assert_eq!(read("2026-11-30T12:03"), Ok(datetime!(2026-11-30 12:03 UTC)));
        for past in ["2020-01-01T00:00", "2026-11-30T11:59", "2026-11-30T12:02"] {
            let told = read(past).unwrap_err();
            assert!(
                told.starts_with("The start must be at least 2 minutes from now."),
                "{told}"
            );
        }
        assert!(read("2028-01-01T00:00").unwrap_err().contains("within a year"));
        assert!(read("9999-01-01T00:00").unwrap_err().contains("within a year"));
        assert!(read("tomorrow").unwrap_err().starts_with("Enter a date and a time"));
        let held = checked("2026-11-30T12:08", now, Duration::from_mins(10));
        assert!(held.unwrap_err().contains("at least 10 minutes from now"));
    }
}

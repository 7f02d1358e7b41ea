//! The scheduled start on the page "Check before you send".
//!
//! The form submits it in UTC. Without JavaScript, the administrator enters UTC; the script shows the field in the
//! browser's time zone and converts it (`console.js`).

use crate::app::intake::start_time::{self, StartFault};
use crate::app::problem::Problem;
use crate::app::state::AppState;
use crate::console::format::{lasting, short};
use shared::store::system_emails;
use std::time::Duration;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};

/// Minimum time until a scheduled start. For an earlier start, send now and use the hold.
const LEAST_AHEAD: Duration = Duration::from_mins(2);

/// The value of the field.
#[derive(Clone, Debug, Default)]
pub(super) struct Schedule {
    /// As submitted.
    pub(super) typed: String,
    /// The start; `None` if the field is empty or invalid.
    pub(super) start_at: Option<OffsetDateTime>,
    /// The start as text.
    pub(super) shown: String,
    /// Validation error.
    pub(super) fault: Option<String>,
}

impl Schedule {
    /// Reads the field and checks it against Postgres's clock.
    pub(super) async fn read(api: &AppState, typed: &str) -> Result<Self, Problem> {
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
    // A start during the hold would be delayed to its end.
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
            let fault = read(past).unwrap_err();
            assert!(
                fault.starts_with("The start must be at least 2 minutes from now."),
                "{fault}"
            );
        }
        assert!(read("2028-01-01T00:00").unwrap_err().contains("within a year"));
        assert!(read("9999-01-01T00:00").unwrap_err().contains("within a year"));
        assert!(read("tomorrow").unwrap_err().starts_with("Enter a date and a time"));
        let held = checked("2026-11-30T12:08", now, Duration::from_mins(10));
        assert!(held.unwrap_err().contains("at least 10 minutes from now"));
    }
}

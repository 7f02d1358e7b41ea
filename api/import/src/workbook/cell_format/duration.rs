//! Durations: `[h]:mm` shows a day and a half as "36:00".

use std::fmt::Write as _;

use super::super::numbers::MAX_DAYS;
use super::code::Token;

/// Decimal places of seconds.
const MAX_DECIMALS: u8 = 3;

/// The unit in brackets, which is counted beyond its usual limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Hours,
    Minutes,
    Seconds,
}

/// The format of a duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Duration {
    unit: Unit,
    /// Digits of the unit, padded with zeros.
    width: usize,
    has_minutes: bool,
    has_seconds: bool,
    decimals: u8,
}

impl Duration {
    /// The duration that a format describes; `None` for any other format, also a date with counted hours.
    pub(super) fn of(tokens: impl Iterator<Item = Token>) -> Option<Self> {
        let mut found: Option<Self> = None;
        for token in tokens {
            match (token, &mut found) {
                (Token::Bracket(inside), None) => found = Self::counting(&inside),
                (Token::Sign('d' | 'D' | 'y' | 'Y'), _) => return None,
                (Token::Sign('m' | 'M'), Some(duration)) => duration.has_minutes = duration.unit == Unit::Hours,
                (Token::Sign('s' | 'S'), Some(duration)) => duration.has_seconds = duration.unit != Unit::Seconds,
                (Token::Sign('0'), Some(duration)) => duration.decimals = MAX_DECIMALS.min(duration.decimals + 1),
                _ => {}
            }
        }
        found
    }

    fn counting(inside: &str) -> Option<Self> {
        let unit = match inside.to_ascii_lowercase().as_str() {
            "h" | "hh" => Unit::Hours,
            "m" | "mm" => Unit::Minutes,
            "s" | "ss" => Unit::Seconds,
            _ => return None,
        };
        Some(Self {
            unit,
            width: inside.len(),
            has_minutes: false,
            has_seconds: false,
            decimals: 0,
        })
    }

    /// Formats days; `None` for more of them than a spreadsheet has.
    pub(super) fn shown(&self, days: f64) -> Option<String> {
        if days.abs() >= MAX_DAYS || !days.is_finite() {
            return None;
        }
        let parts_of_second = 10_u64.pow(u32::from(self.decimals));
        let all = count(days.abs() * 86_400.0 * 10_f64.powi(i32::from(self.decimals)));
        let (seconds, part) = (all / parts_of_second, all % parts_of_second);
        let counted = match self.unit {
            Unit::Hours => seconds / 3_600,
            Unit::Minutes => seconds / 60,
            Unit::Seconds => seconds,
        };
        let sign = if days < 0.0 && all > 0 { "-" } else { "" };
        let mut text = format!("{sign}{counted:0width$}", width = self.width);
        if self.has_minutes {
            let _ = write!(text, ":{:02}", seconds / 60 % 60);
        }
        if self.has_seconds {
            let _ = write!(text, ":{:02}", seconds % 60);
        }
        if self.decimals > 0 {
            let _ = write!(text, ".{part:0width$}", width = usize::from(self.decimals));
        }
        Some(text)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "fewer than a quadrillion, from zero"
)]
fn count(number: f64) -> u64 {
    number.round() as u64
}

#[cfg(test)]
mod tests {
    use super::super::CellFormat;

    #[test]
    fn durations_are_shown_as_spreadsheets_show_them() {
        for (code, days, text) in [
            ("[h]:mm", 36.5 / 24.0, "36:30"),
            ("[h]:mm", 8.25 / 24.0, "8:15"),
            ("[hh]:mm", 8.25 / 24.0, "08:15"),
            ("[h]:mm:ss", 1.0, "24:00:00"),
            ("[H]:MM:SS", 1.0, "24:00:00"),
            ("[h]:mm", 2.0 - 1e-9, "48:00"),
            ("[h]:mm", 0.0, "0:00"),
            ("[h]:mm", -36.5 / 24.0, "-36:30"),
            ("[h]", 1.5, "36"),
            ("[mm]:ss", 1.5 / 24.0, "90:00"),
            ("[m]:ss.0", 90.5 / 86_400.0, "1:30.5"),
            ("[s]", 90.0 / 86_400.0, "90"),
            ("[ss].00", 90.25 / 86_400.0, "90.25"),
            ("[h]\" Std. \"mm", 36.5 / 24.0, "36:30"),
            ("[$-F400][h]:mm;@", 36.5 / 24.0, "36:30"),
            ("[h]:mm", 1e9, "########"),
        ] {
            assert_eq!(CellFormat::of_code(code).shown(days, false), text, "{code} {days}");
        }
        assert_eq!(CellFormat::built_in(46).shown(1.5, false), "36:00:00");
    }

    #[test]
    fn a_date_with_counted_hours_is_a_date() {
        assert_eq!(
            CellFormat::of_code("dd/mm/yyyy [hh]:mm").shown(46_296.5, false),
            "2026-10-01 12:00"
        );
    }
}

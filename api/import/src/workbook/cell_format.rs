//! Number formats of cells, and the text that a spreadsheet shows for a number in one.
//!
//! Only what changes the meaning is shown as formatted: dates, times, durations, percentages, and the zeros and
//! separators of codes such as postcodes. Decimal places and thousands separators are not, because they round or
//! decorate.

mod code;
mod duration;
mod mask;

use std::rc::Rc;

use super::numbers::{self, NumberFormat};
pub(super) use code::{Token, tokens};
use duration::Duration;
use mask::Mask;

/// Hashes, which spreadsheets show for a number that is no date in their calendar. An import reports them as an error.
const NO_DATE: &str = "########";

/// Numbers from here on have 16 digits, and spreadsheets keep 15.
const TOO_LONG: f64 = 1e15;

/// Significant digits of a number that is round, and so lost none: ten quadrillion.
const ROUND: usize = 3;

/// The number format of a cell.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum CellFormat {
    /// A number, a number with leading zeros, or a date or time of unknown kind.
    Plain(NumberFormat),
    /// A date, perhaps with a time.
    Date,
    /// A time of day, without its date.
    Time,
    /// A duration, such as `[h]:mm`.
    Duration(Duration),
    /// A percentage.
    Percent,
    /// Digits with separators, such as `000-00-0000`.
    Mask(Rc<Mask>),
}

impl Default for CellFormat {
    fn default() -> Self {
        Self::Plain(NumberFormat::Number)
    }
}

impl CellFormat {
    /// A built-in format, known to every program by number (ECMA-376, part 1, section 18.8.30).
    pub(super) fn built_in(id: u16) -> Self {
        match id {
            9 | 10 => Self::Percent,
            14..=17 | 22 => Self::Date,
            18..=21 | 45 | 47 => Self::Time,
            46 => Self::of_code("[h]:mm:ss"),
            _ => Self::Plain(numbers::built_in(id)),
        }
    }

    /// A custom format.
    pub(super) fn of_code(code: &str) -> Self {
        // A format may have separate parts for positive and negative numbers, zero and text.
        let first = code.split(';').next().unwrap_or(code);
        if let Some(duration) = Duration::of(tokens(first)) {
            return Self::Duration(duration);
        }
        let has = |letters: &str| {
            let mut signs = tokens(first);
            signs.any(|token| matches!(token, Token::Sign(c) if letters.contains(c.to_ascii_lowercase())))
        };
        match numbers::of_code(code) {
            NumberFormat::Moment if has("dy") || !has("hs") => Self::Date,
            NumberFormat::Moment => Self::Time,
            NumberFormat::Number if has("%") => Self::Percent,
            NumberFormat::Number => match Mask::of(tokens(first)) {
                Some(mask) => Self::Mask(Rc::new(mask)),
                None => Self::default(),
            },
            digits @ NumberFormat::Digits(_) => Self::Plain(digits),
        }
    }

    /// Whether it shows the time of day without its date.
    pub(super) fn is_time(&self) -> bool {
        *self == Self::Time
    }

    /// Formats a number.
    pub(super) fn shown(&self, number: f64, is_1904: bool) -> String {
        match self {
            Self::Date => numbers::date_of(number, is_1904).unwrap_or_else(|| NO_DATE.to_owned()),
            Self::Time => numbers::time_of(number).unwrap_or_else(|| NO_DATE.to_owned()),
            Self::Duration(duration) => duration.shown(number).unwrap_or_else(|| NO_DATE.to_owned()),
            Self::Percent => percentage(number),
            Self::Mask(mask) => shortened(number).unwrap_or_else(|| {
                let digits = numbers::shown(number, NumberFormat::Number, false);
                mask.fill(&digits).unwrap_or(digits)
            }),
            Self::Plain(NumberFormat::Moment) => numbers::shown(number, NumberFormat::Moment, is_1904),
            Self::Plain(format) => shortened(number).unwrap_or_else(|| numbers::shown(number, *format, is_1904)),
        }
    }
}

/// A share as a percentage, with all of its decimal places: 0.125 is "12.5%".
pub(super) fn percentage(share: f64) -> String {
    numbers::shown(share * 100.0, NumberFormat::Number, false) + "%"
}

/// A number with more digits than spreadsheets keep, as they show it: "4.11111111111111E+15". An import reports such a
/// text as a shortened number. `None` for a number that is complete.
fn shortened(number: f64) -> Option<String> {
    if number.abs() < TOO_LONG || !number.is_finite() {
        return None;
    }
    let text = format!("{number:E}");
    let (digits, exponent) = text.split_once('E')?;
    let significant = digits.bytes().filter(u8::is_ascii_digit).count();
    (significant > ROUND).then(|| format!("{digits}E+{exponent}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(code: &str, number: f64) -> String {
        CellFormat::of_code(code).shown(number, false)
    }

    #[test]
    fn a_number_of_sixteen_digits_is_shown_as_shortened() {
        for code in ["General", "0", "0000000000000000", "0000-0000-0000-0000", "#,##0"] {
            assert_eq!(shown(code, 4_111_111_111_111_110.0), "4.11111111111111E+15", "{code}");
        }
        assert_eq!(shown("General", -4_111_111_111_111_110.0), "-4.11111111111111E+15");
        assert_eq!(shown("General", 1_234_567_890_123_456.0), "1.234567890123456E+15");
        for (number, text) in [
            (411_111_111_111_111.0, "411111111111111"),
            (1e15, "1000000000000000"),
            (-2e18, "-2000000000000000000"),
            (0.123_456_789_012_345_68, "0.123456789012346"),
        ] {
            assert_eq!(shown("General", number), text);
        }
    }

    #[test]
    fn a_date_that_is_no_date_is_shown_as_spreadsheets_do() {
        for code in ["dd/mm/yyyy", "mmm-yy", "m/d/yy h:mm", "yyyy\\-mm\\-dd"] {
            assert_eq!(shown(code, 0.0), "1900-01-00", "{code}");
            assert_eq!(shown(code, -1.0), NO_DATE, "{code}");
            assert_eq!(shown(code, 3e6), NO_DATE, "{code}");
            assert_eq!(shown(code, 46_296.0), "2026-10-01", "{code}");
            assert_eq!(shown(code, 0.5), "12:00", "{code}");
        }
        assert_eq!(CellFormat::built_in(14).shown(0.0, true), "1904-01-01");
        assert_eq!(CellFormat::built_in(14).shown(44_834.0, true), "2026-10-01");
        assert_eq!(CellFormat::built_in(22).shown(0.0, false), "1900-01-00");
    }

    #[test]
    fn a_time_is_shown_without_a_date() {
        for code in ["h:mm", "hh:mm:ss", "h:mm AM/PM", "[$-F400]h:mm:ss\\ AM/PM", "mm:ss"] {
            assert_eq!(shown(code, 0.343_75), "08:15", "{code}");
            assert_eq!(shown(code, 0.0), "00:00", "{code}");
            assert_eq!(shown(code, 46_296.343_75), "08:15", "{code}");
            assert_eq!(shown(code, 0.999_999_99), "00:00", "{code}");
            assert_eq!(shown(code, -0.25), NO_DATE, "{code}");
        }
        assert_eq!(CellFormat::built_in(20).shown(0.5, true), "12:00");
    }

    #[test]
    fn a_percentage_keeps_its_decimal_places() {
        for (number, text) in [
            (0.5, "50%"),
            (0.07, "7%"),
            (1.0, "100%"),
            (-0.125, "-12.5%"),
            (0.0, "0%"),
        ] {
            assert_eq!(shown("0%", number), text);
            assert_eq!(CellFormat::built_in(10).shown(number, false), text);
        }
        assert_eq!(shown("0.00\" % of\"", 0.5), "0.5");
        assert_eq!(shown("0\\%", 50.0), "50");
    }
}

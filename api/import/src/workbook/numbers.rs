//! Formats numbers as a spreadsheet shows them, as far as it matters: dates, leading zeros and fifteen digits.

use super::cell_format::{Token, tokens};

/// Seconds of a day.
const SECONDS: f64 = 86_400.0;

/// The first serial number after the year 9999, where the calendar of spreadsheets ends.
pub(super) const MAX_DAYS: f64 = 2_958_466.0;

/// The meaning of a cell's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum NumberFormat {
    /// A number.
    #[default]
    Number,
    /// A date, a date with a time, or a time of day.
    Moment,
    /// Padded with leading zeros to this many digits, like postcodes.
    Digits(u8),
}

/// Built-in formats, known to every program by number (ECMA-376, part 1, section 18.8.30).
pub(super) fn built_in(id: u16) -> NumberFormat {
    match id {
        14..=22 | 27..=36 | 45..=47 | 50..=58 => NumberFormat::Moment,
        _ => NumberFormat::Number,
    }
}

/// A custom format, such as `dd/mm/yyyy` or `00000`.
pub(super) fn of_code(code: &str) -> NumberFormat {
    // A format may have separate parts for positive and negative numbers, zero and text.
    let first = code.split(';').next().unwrap_or(code);
    let zeros = first.len();
    if zeros > 1 && first.bytes().all(|b| b == b'0') {
        return NumberFormat::Digits(u8::try_from(zeros).unwrap_or(u8::MAX));
    }
    for token in tokens(first) {
        match token {
            // "[h]:mm" counts hours; "[Red]" and "[$-407]" are not part of the text.
            Token::Bracket(inside) => {
                if matches!(
                    inside.to_ascii_lowercase().as_str(),
                    "h" | "hh" | "m" | "mm" | "s" | "ss"
                ) {
                    return NumberFormat::Moment;
                }
            }
            Token::Sign('d' | 'D' | 'm' | 'M' | 'y' | 'Y' | 'h' | 'H' | 's' | 'S') => return NumberFormat::Moment,
            Token::Sign(_) | Token::Shown(_) | Token::Fill => {}
        }
    }
    NumberFormat::Number
}

/// Formats a number.
pub(super) fn shown(number: f64, format: NumberFormat, is_1904: bool) -> String {
    match format {
        NumberFormat::Moment => moment(number, is_1904).unwrap_or_else(|| plain(number)),
        NumberFormat::Digits(digits) if number >= 0.0 && number.fract() == 0.0 => {
            format!("{:0>width$}", plain(number), width = usize::from(digits))
        }
        NumberFormat::Digits(_) | NumberFormat::Number => plain(number),
    }
}

/// A number with the fifteen digits that spreadsheets show, without an exponent and without ".0".
fn plain(number: f64) -> String {
    if !number.is_finite() {
        return String::new();
    }
    let rounded: f64 = format!("{number:.14e}").parse().unwrap_or(number);
    rounded.to_string()
}

/// The date of a serial number, with the time of day if it has one; a time alone if it has only that, and "1900-01-00"
/// if it has neither. `None` for negative numbers and beyond the year 9999.
pub(super) fn date_of(days: f64, is_1904: bool) -> Option<String> {
    if !is_1904 && (0.0..0.5 / SECONDS).contains(&days) {
        return Some("1900-01-00".to_owned());
    }
    moment(days, is_1904)
}

/// The time of day of a serial number; `None` for negative numbers and beyond the year 9999.
pub(super) fn time_of(days: f64) -> Option<String> {
    let seconds = (days * SECONDS).round();
    (0.0..MAX_DAYS)
        .contains(&days)
        .then(|| Time::of(seconds % SECONDS).to_text())
}

/// A serial number as an ISO date, with the time of day if it has one; `None` beyond the year 9999.
fn moment(days: f64, is_1904: bool) -> Option<String> {
    if !(0.0..MAX_DAYS).contains(&days) {
        return None;
    }
    // Rounds to whole seconds, as spreadsheets do.
    let seconds = (days * SECONDS).round();
    let whole = (seconds / SECONDS).floor();
    let time = seconds - whole * SECONDS;
    let time = Time::of(time);
    if whole == 0.0 && !is_1904 {
        return Some(time.to_text());
    }
    // Excel counts from 1900 and treats that year as a leap year: dates before its 29 February are off by one.
    let offset = match (is_1904, whole < 60.0) {
        (true, _) => 1_462.0,
        (false, true) => 1.0,
        (false, false) => 0.0,
    };
    let date = date(whole + offset);
    Some(if time.is_midnight() {
        date
    } else {
        format!("{date} {}", time.to_text())
    })
}

struct Time {
    hours: u32,
    minutes: u32,
    seconds: u32,
}

impl Time {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "seconds of one day, from zero"
    )]
    fn of(seconds: f64) -> Self {
        let seconds = seconds as u32;
        Self {
            hours: seconds / 3_600,
            minutes: seconds / 60 % 60,
            seconds: seconds % 60,
        }
    }

    fn is_midnight(&self) -> bool {
        self.hours + self.minutes + self.seconds == 0
    }

    fn to_text(&self) -> String {
        time_text(self.hours, self.minutes, self.seconds)
    }
}

/// A time of day, without seconds if there are none.
pub(super) fn time_text(hours: u32, minutes: u32, seconds: u32) -> String {
    if seconds == 0 {
        format!("{hours:02}:{minutes:02}")
    } else {
        format!("{hours:02}:{minutes:02}:{seconds:02}")
    }
}

/// Formats days since 30 December 1899 as year, month and day.
#[expect(clippy::cast_possible_truncation, reason = "fewer than three million days")]
fn date(days: f64) -> String {
    // Howard Hinnant's `civil_from_days`, with days counted from 1 March of the year 0.
    let days = days as i64 - 25_569 + 719_468;
    let era = days / 146_097;
    let of_era = days - era * 146_097;
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_formatted_as_displayed() {
        for (number, shown) in [
            (1007.0, "1007"),
            (0.1 + 0.2, "0.3"),
            (-2.5, "-2.5"),
            (491_234_567_890.0, "491234567890"),
            (1e15, "1000000000000000"),
            (f64::NAN, ""),
        ] {
            assert_eq!(super::shown(number, NumberFormat::Number, false), shown);
        }
        assert_eq!(super::shown(1234.0, NumberFormat::Digits(5), false), "01234");
    }

    #[test]
    fn day_numbers_become_dates_and_times() {
        for (days, is_1904, shown) in [
            (46_296.0, false, "2026-10-01"),
            (46_296.343_75, false, "2026-10-01 08:15"),
            (0.5, false, "12:00"),
            (1.0, false, "1900-01-01"),
            (59.0, false, "1900-02-28"),
            (61.0, false, "1900-03-01"),
            (44_834.0, true, "2026-10-01"),
            (45_351.0, false, "2024-02-29"),
            (-1.0, false, "-1"),
            (1e9, false, "1000000000"),
        ] {
            assert_eq!(super::shown(days, NumberFormat::Moment, is_1904), shown, "{days}");
        }
    }

    #[test]
    fn a_format_with_days_or_hours_is_a_date() {
        for code in [
            "dd/mm/yyyy",
            "d. mmmm yyyy",
            "[$-407]d. mmm yy;@",
            "h:mm AM/PM",
            "[h]:mm",
            "yyyy\\-mm\\-dd",
            "m/d/yy h:mm",
        ] {
            assert_eq!(of_code(code), NumberFormat::Moment, "{code}");
        }
        for code in [
            "General",
            "0.00",
            "#,##0",
            "0%",
            "@",
            "[Red]0",
            "\"days\" 0",
            "0.00E+00",
            "_-* #,##0\\ \"DM\"_-",
            "0",
        ] {
            assert_eq!(of_code(code), NumberFormat::Number, "{code}");
        }
        assert_eq!(of_code("00000"), NumberFormat::Digits(5));
        assert_eq!(built_in(14), NumberFormat::Moment);
    }
}

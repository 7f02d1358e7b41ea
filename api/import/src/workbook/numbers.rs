//! Formats numbers as a spreadsheet shows them, as far as it matters: dates, leading zeros and fifteen digits.

use std::fmt::Write as _;

/// Maximum length of the mantissa of a long number that is round, such as a quadrillion.
const ROUND_DIGITS: usize = 12;

/// The meaning of a cell's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum NumberFormat {
    /// A number.
    #[default]
    Number,
    /// A date, a date with a time, or a time of day.
    Moment,
    /// Padded with leading zeros to this many digits, like postcodes. The bits are the places of hyphens: bit 4 stands
    /// for one before the last four digits, as in `00000-0000`.
    Digits(u8, u32),
    /// A time that may be longer than a day, counted in its largest unit, such as `[h]:mm`.
    Duration {
        /// Seconds of the largest unit.
        unit: u32,
        /// Number of units shown.
        parts: u8,
    },
}

/// Maximum number of digits that are padded.
const MAX_DIGITS: usize = 32;

/// Built-in formats, known to every program by number (ECMA-376, part 1, section 18.8.30).
pub(super) fn built_in(id: u16) -> NumberFormat {
    match id {
        14..=22 | 27..=36 | 45 | 47 | 50..=58 => NumberFormat::Moment,
        46 => NumberFormat::Duration { unit: 3_600, parts: 3 },
        _ => NumberFormat::Number,
    }
}

/// A custom format, such as `dd/mm/yyyy` or `00000`.
pub(super) fn of_code(code: &str) -> NumberFormat {
    // A format may have separate parts for positive and negative numbers, zero and text.
    let first = code.split(';').next().unwrap_or(code);
    if let Some(digits) = digits_of(first) {
        return digits;
    }
    let mut chars = first.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' | '_' | '*' => drop(chars.next()),
            '"' => drop(chars.by_ref().find(|&c| c == '"')),
            '[' => {
                let inside: String = chars.by_ref().take_while(|&c| c != ']').collect();
                // "[h]:mm" counts hours; "[Red]" and "[$-407]" are not part of the text.
                let unit = match inside.to_ascii_lowercase().as_str() {
                    "h" | "hh" => 3_600,
                    "m" | "mm" => 60,
                    "s" | "ss" => 1,
                    _ => continue,
                };
                let smaller = chars.as_str().matches(':').count();
                let parts = u8::try_from(smaller.saturating_add(1)).unwrap_or(3).min(3);
                return NumberFormat::Duration { unit, parts };
            }
            'd' | 'D' | 'm' | 'M' | 'y' | 'Y' | 'h' | 'H' | 's' | 'S' => return NumberFormat::Moment,
            _ => {}
        }
    }
    NumberFormat::Number
}

/// A format of zeros, which may have hyphens between them: `00000` or `000\-00\-0000`.
fn digits_of(code: &str) -> Option<NumberFormat> {
    let plain = code.replace("\\-", "-");
    let zeros = plain.bytes().filter(|b| *b == b'0').count();
    let is_digits = plain.starts_with('0') && plain.ends_with('0') && plain.bytes().all(|b| matches!(b, b'0' | b'-'));
    if !is_digits || !(2..=MAX_DIGITS).contains(&zeros) {
        return None;
    }
    let (mut hyphens, mut behind) = (0, 0);
    for b in plain.bytes().rev() {
        if b == b'-' {
            hyphens |= 1 << behind;
        } else {
            behind += 1;
        }
    }
    Some(NumberFormat::Digits(u8::try_from(zeros).ok()?, hyphens))
}

/// Formats a number.
pub(super) fn shown(number: f64, format: NumberFormat, is_1904: bool) -> String {
    match format {
        NumberFormat::Moment => moment(number, is_1904).unwrap_or_else(|| plain(number)),
        NumberFormat::Digits(digits, hyphens) if number >= 0.0 && number.fract() == 0.0 => {
            padded(&plain(number), usize::from(digits), hyphens)
        }
        NumberFormat::Duration { unit, parts } => duration(number, unit, parts).unwrap_or_else(|| plain(number)),
        NumberFormat::Digits(..) | NumberFormat::Number => plain(number),
    }
}

/// A number with the fifteen digits that spreadsheets show, without an exponent and without ".0".
///
/// A spreadsheet replaces all digits after the fifteenth by zeros, so a longer number has lost some. It gets the
/// exponent with which spreadsheets show it, which is reported as a shortened number.
fn plain(number: f64) -> String {
    if !number.is_finite() {
        return String::new();
    }
    let digits = format!("{number:.14e}");
    if number.abs() >= 1e15
        && let Some((mantissa, exponent)) = digits.split_once('e')
        && mantissa.trim_end_matches('0').len() > ROUND_DIGITS
    {
        return format!("{}E+{exponent}", mantissa.trim_end_matches('0'));
    }
    let rounded: f64 = digits.parse().unwrap_or(number);
    rounded.to_string()
}

/// Pads a number with zeros and inserts hyphens.
fn padded(number: &str, digits: usize, hyphens: u32) -> String {
    let padded = format!("{number:0>digits$}");
    let mut text = String::with_capacity(padded.len() + 4);
    for (place, digit) in padded.chars().enumerate() {
        let behind = padded.len() - place;
        if place > 0 && behind < MAX_DIGITS && hyphens & (1 << behind) != 0 {
            text.push('-');
        }
        text.push(digit);
    }
    text
}

/// A number of days as a duration, such as `36:30`; `None` if it is negative or longer than a century.
fn duration(days: f64, unit: u32, parts: u8) -> Option<String> {
    if !(0.0..36_525.0).contains(&days) {
        return None;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "seconds of a century, from zero"
    )]
    let seconds = (days * 86_400.0).round() as u32;
    let mut text = (seconds / unit).to_string();
    let mut smaller = unit;
    for _ in 1..parts {
        if smaller == 1 {
            break;
        }
        let rest = seconds % smaller;
        smaller /= 60;
        let _ = write!(text, ":{:02}", rest / smaller);
    }
    Some(text)
}

/// A serial number as an ISO date, with the time of day if it has one; `None` beyond the year 9999.
fn moment(days: f64, is_1904: bool) -> Option<String> {
    if !(0.0..2_958_466.0).contains(&days) {
        return None;
    }
    // Rounds to whole seconds, as spreadsheets do.
    let seconds = (days * 86_400.0).round();
    let whole = (seconds / 86_400.0).floor();
    let time = seconds - whole * 86_400.0;
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
        let Self {
            hours,
            minutes,
            seconds,
        } = self;
        if *seconds == 0 {
            format!("{hours:02}:{minutes:02}")
        } else {
            format!("{hours:02}:{minutes:02}:{seconds:02}")
        }
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
            (4_111_111_111_111_110.0, "4.11111111111111E+15"),
            (12_345_678_901_234_567_890.0, "1.23456789012346E+19"),
            (2_500_000_000_000_000_000.0, "2500000000000000000"),
            (123_456_789_012_345.0, "123456789012345"),
            (f64::NAN, ""),
        ] {
            assert_eq!(super::shown(number, NumberFormat::Number, false), shown);
        }
        for (number, code, shown) in [
            (1234.0, "00000", "01234"),
            (21_012_345.0, "00000-0000", "02101-2345"),
            (12_345_678.0, "000\\-00\\-0000", "012-34-5678"),
            (7.0, "00000-0000", "00000-0007"),
            (1.5, "[h]:mm", "36:00"),
            (1.520_833_333_333_333_3, "[hh]:mm", "36:30"),
            (1.520_833_333_333_333_3, "[h]:mm:ss", "36:30:00"),
            (0.051_041_666_666_667, "[mm]:ss", "73:30"),
            (0.001, "[s]", "86"),
            (-1.0, "[h]:mm", "-1"),
        ] {
            assert_eq!(super::shown(number, of_code(code), false), shown, "{code}");
        }
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
        assert_eq!(of_code("00000"), NumberFormat::Digits(5, 0));
        assert_eq!(built_in(14), NumberFormat::Moment);
        let hours = |parts| NumberFormat::Duration { unit: 3_600, parts };
        assert_eq!((of_code("[h]:mm"), built_in(46)), (hours(2), hours(3)));
    }
}

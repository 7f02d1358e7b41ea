//! Dates as text: those that stand for "none", and those that are in no calendar.

/// Dates that directories, databases and spreadsheets use for a missing one, as year, month and day.
const NO_DATES: [[u32; 3]; 8] = [
    [0, 0, 0],
    [1, 1, 1],
    // Active Directory counts from 1601; the day before is the same moment in a time zone of America.
    [1601, 1, 1],
    [1600, 12, 31],
    [1899, 12, 30],
    [1899, 12, 31],
    [1900, 1, 0],
    [9999, 12, 31],
];

/// Years in which a date must be in the Gregorian calendar. Others may count by another one: 31/02/1405 is a day in
/// Persia.
const GREGORIAN: std::ops::RangeInclusive<u32> = 1900..=2069;

/// Parts of the names of date columns.
const COLUMNS: [&str; 9] = [
    "date",
    "datum",
    "fecha",
    "fechas",
    "data",
    "birth",
    "geburt",
    "naissance",
    "dato",
];

/// A date in digits, in the ways it can be read.
struct Digits<'a> {
    /// Year, month and day.
    readings: Vec<[u32; 3]>,
    /// Whether the year has four digits.
    has_whole_year: bool,
    /// The time of day behind it, or nothing.
    time: &'a str,
}

/// Whether the name of a column says that it has dates.
pub(super) fn is_date_column(name: &str) -> bool {
    let name = name.to_lowercase();
    name.split(|c: char| !c.is_alphanumeric())
        .any(|word| COLUMNS.contains(&word) || word.starts_with("geburt") || word.ends_with("datum"))
}

/// Whether this is a date, perhaps with a time: "2026-01-02", "2.1.2026", "1/2/26".
pub(super) fn is_date(text: &str) -> bool {
    digits(text).is_some()
}

/// Whether this date stands for none, perhaps with a time: "1601-01-01", "31.12.9999", "1/1/0001 12:00:00 AM".
pub(super) fn is_no_date(text: &str) -> bool {
    let Some(date) = digits(text).filter(|date| date.has_whole_year) else {
        return false;
    };
    // A time of day without a date is stored as a time on the first day of a spreadsheet.
    let has_no_time = date.time.is_empty()
        || ["00:00", "0:00", "12:00:00 AM"]
            .iter()
            .any(|t| date.time.starts_with(t));
    let is_none = |day: &[u32; 3]| NO_DATES.contains(day) && (has_no_time || day[0] != 1899);
    date.readings.iter().any(is_none)
}

/// Whether this is written like a date but is in no calendar, however it is read: "31.02.2026", "2026-13-01".
pub(super) fn is_impossible(text: &str) -> bool {
    let Some(date) = digits(text).filter(|date| date.has_whole_year) else {
        return false;
    };
    date.readings
        .iter()
        .all(|day| GREGORIAN.contains(&day[0]) && !exists(*day))
}

fn exists([year, month, day]: [u32; 3]) -> bool {
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    (1..=days).contains(&day)
}

/// Reads three numbers between dots, hyphens or slashes, with the year first or last.
fn digits(text: &str) -> Option<Digits<'_>> {
    let text = text.trim();
    let separator = text.chars().find(|c| !c.is_ascii_digit())?;
    if !matches!(separator, '-' | '.' | '/') {
        return None;
    }
    let mut parts = text.splitn(3, separator);
    let (first, second, rest) = (parts.next()?, parts.next()?, parts.next()?.trim_start());
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (third, time) = rest.split_at(end);
    let time = time_of_day(time)?;
    let [a, b, c] = [number(first)?, number(second.trim_start())?, number(third)?];
    let is_short = |part: &str| part.trim_start().len() <= 2;
    let year_first = first.len() == 4 && is_short(second) && is_short(third);
    let year_last = matches!(third.len(), 2 | 4) && is_short(first) && is_short(second);
    let readings = match (year_first, year_last) {
        (true, _) => vec![[a, b, c]],
        // Day and month, or month and day.
        (_, true) => vec![[c, b, a], [c, a, b]],
        _ => return None,
    };
    Some(Digits {
        readings,
        has_whole_year: year_first || third.len() == 4,
        time,
    })
}

fn number(part: &str) -> Option<u32> {
    let is_number = (1..=4).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    is_number.then(|| part.parse().ok()).flatten()
}

/// The time behind a date: "T10:00:00Z", " 12:00:00 AM", or nothing. `None` if it is something else.
fn time_of_day(behind: &str) -> Option<&str> {
    // In Hungary a full stop follows the day.
    let time = behind.trim_start_matches(['T', ' ', '.']);
    let fits = |c: char| c.is_ascii_digit() || ":.,+- APMZ".contains(c.to_ascii_uppercase());
    let is_time = time.starts_with(|c: char| c.is_ascii_digit()) && time.contains(':') && time.chars().all(fits);
    (time.is_empty() || (is_time && time.len() < behind.len())).then_some(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_detected_and_other_numbers_are_not() {
        for text in [
            "2026-01-02",
            "02.01.2026",
            "2. 1. 2026",
            "1/2/2026",
            "1/2/26",
            "2026-01-02T08:00:00Z",
            "2026.01.02.",
        ] {
            assert!(is_date(text), "{text}");
        }
        for text in [
            "",
            "1-2",
            "2026",
            "1-2-3",
            "12345-1-2",
            "1.2.3.4",
            "555-123-4567",
            "01.02.2026 Berlin",
            "A-1-2026",
            "1.2.20267",
            "2026-01-0210:00",
            "٢-١-٢٠٢٦",
            "1-2/2026",
            "2026-2026-2026",
        ] {
            assert!(!is_date(text), "{text}");
        }
    }

    #[test]
    fn dates_that_stand_for_none_are_detected_however_they_are_written() {
        for text in [
            "0000-00-00",
            "00/00/0000",
            "00.00.0000",
            "0000-00-00 00:00:00",
            "0001-01-01",
            "1/1/0001 12:00:00 AM",
            "0001-01-01T00:00:00Z",
            "1601-01-01",
            "1601-01-01 01:00:00",
            "01.01.1601",
            "12/31/1600 4:00:00 PM",
            "1899-12-30",
            "1899-12-30 00:00:00",
            "30.12.1899",
            "12/30/1899",
            "1900-01-00",
            "1/0/1900",
            "9999-12-31",
            "31.12.9999",
            "12/31/9999 23:59:59",
            "9999-12-31T23:59:59.9999999",
        ] {
            assert!(is_no_date(text), "{text}");
        }
        for text in [
            "2026-01-02",
            "1970-01-01",
            "1900-01-01",
            "1.1.01",
            "31.12.99",
            "1899-12-30 08:15",
            "9999",
            "9999-12-3",
            "1601",
            "0001-01-01-7",
        ] {
            assert!(!is_no_date(text), "{text}");
        }
    }

    #[test]
    fn dates_in_no_calendar_are_detected() {
        for text in [
            "31.02.2026",
            "30. 2. 2026",
            "2026-13-01",
            "2026-00-10",
            "29/02/2025",
            "13/31/2026",
            "31.04.2026 10:00",
            "32.01.2026",
        ] {
            assert!(is_impossible(text), "{text}");
        }
        for text in [
            "28.02.2026",
            "29.02.2024",
            "02/28/2026",
            "12/31/2026",
            "31/12/2026",
            // Thailand, Persia and a short year.
            "29/02/2567",
            "1405/02/31",
            "31.02.26",
            "next week",
            "2026-Q1",
            "31.02.",
            "0000-00-00",
        ] {
            assert!(!is_impossible(text), "{text}");
        }
    }

    #[test]
    fn date_columns_are_known_by_their_name() {
        for name in ["Start date", "start_date", "Geburtsdatum", "Date of birth", "Fecha"] {
            assert!(is_date_column(name), "{name}");
        }
        for name in ["candidate", "update", "room", "database"] {
            assert!(!is_date_column(name), "{name}");
        }
    }
}

//! Dates and times that a file stores as ISO 8601 text, in the form in which serial numbers are shown: a date without a
//! time has none, and whole minutes have no seconds.

use super::numbers::time_text;

/// Dates with the serial number zero, which stand for a time without a date.
const NO_DATES: [&str; 2] = ["1899-12-30", "1899-12-31"];

/// Formats a date, a date with a time, or a time. `is_time` leaves out the date.
pub(super) fn shown(text: &str, is_time: bool) -> String {
    let text = text.trim();
    let (date, time) = match text.split_once(['T', 't', ' ']) {
        Some(parts) => parts,
        None if text.contains(':') => ("", text),
        None => return text.to_owned(),
    };
    let (time, zone) = match time.find(['Z', 'z', '+', '-']) {
        Some(at) => time.split_at(at),
        None => (time, ""),
    };
    let Some(time) = clock(time) else {
        return text.replace('T', " ");
    };
    let is_midnight = time == "00:00" && matches!(zone, "" | "Z" | "z");
    if date.is_empty() || is_time || (NO_DATES.contains(&date) && !is_midnight) {
        return time + zone;
    }
    if is_midnight {
        return date.to_owned();
    }
    format!("{date} {time}{zone}")
}

/// A time of day, without seconds and decimal places that are zero; `None` for other text.
fn clock(text: &str) -> Option<String> {
    let (whole, part) = text.split_once(['.', ',']).unwrap_or((text, ""));
    let mut numbers = whole.split(':').map(number);
    let (hours, minutes) = (numbers.next()??, numbers.next()??);
    let seconds = numbers.next().unwrap_or(Some(0))?;
    if numbers.next().is_some() || hours > 24 || !part.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let part = part.trim_end_matches('0');
    if part.is_empty() {
        return Some(time_text(hours, minutes, seconds));
    }
    Some(format!("{hours:02}:{minutes:02}:{seconds:02}.{part}"))
}

/// The hours, minutes and seconds of `PT36H30M00S`, as spreadsheets store times and durations.
pub(super) fn duration(text: &str) -> Option<String> {
    let mut rest = text.strip_prefix("PT")?;
    let mut next = |unit: char| match rest.split_once(unit) {
        Some((count, behind)) => {
            rest = behind;
            number(count.split(['.', ',']).next().unwrap_or(count))
        }
        None => Some(0),
    };
    let (hours, minutes, seconds) = (next('H')?, next('M')?, next('S')?);
    rest.is_empty().then(|| time_text(hours, minutes, seconds))
}

fn number(digits: &str) -> Option<u32> {
    let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    is_number.then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_without_a_time_is_a_plain_date() {
        for (text, expected) in [
            ("2026-10-01", "2026-10-01"),
            ("2026-10-01T00:00:00", "2026-10-01"),
            ("2026-10-01T00:00:00.000", "2026-10-01"),
            ("2026-10-01T00:00:00.000000000", "2026-10-01"),
            ("2026-10-01 00:00:00.000", "2026-10-01"),
            ("2026-10-01T00:00:00Z", "2026-10-01"),
            ("2026-10-01T00:00", "2026-10-01"),
            ("2026-10-01T08:15:00", "2026-10-01 08:15"),
            ("2026-10-01T08:15:30", "2026-10-01 08:15:30"),
            ("2026-10-01T08:15:30.500", "2026-10-01 08:15:30.5"),
            ("2026-10-01T08:15:00+02:00", "2026-10-01 08:15+02:00"),
            ("2026-10-01T00:00:00+02:00", "2026-10-01 00:00+02:00"),
            ("1899-12-31T12:00:00", "12:00"),
            ("1899-12-30T00:00:00", "1899-12-30"),
            ("T08:15:00", "08:15"),
            ("08:15:00", "08:15"),
            ("next week", "next week"),
            ("PT1H", "P 1H"),
            ("", ""),
        ] {
            assert_eq!(shown(text, false), expected, "{text}");
        }
        assert_eq!(shown("2026-10-01T08:15:00", true), "08:15");
        assert_eq!(shown("1899-12-31T00:00:00", true), "00:00");
    }

    #[test]
    fn a_stored_duration_is_hours_and_minutes() {
        assert_eq!(duration("PT36H30M00S").as_deref(), Some("36:30"));
        assert_eq!(duration("PT08H15M30.5S").as_deref(), Some("08:15:30"));
        assert_eq!(duration("PT8H").as_deref(), Some("08:00"));
        for text in ["-PT1H", "P1D", "PTH", "PT1X", "8:15"] {
            assert_eq!(duration(text), None, "{text}");
        }
    }
}

//! Placeholders that programs write for a missing value.

use super::{Damage, dates, escapes, not_names};

/// Placeholders that databases and programs write for a missing value.
const NOTHINGS: [&str; 16] = [
    "NULL",
    "null",
    "(null)",
    "(NULL)",
    "<null>",
    "<NULL>",
    "[NULL]",
    "[null]",
    "\\N",
    "undefined",
    "NaN",
    "nan",
    "nil",
    "None",
    "[object Object]",
    "<NA>",
];

/// Placeholders that people and programs write for an unknown name.
const NO_NAMES: [&str; 17] = [
    "N/A", "n/a", "NA", "N.A.", "n.a.", "-", "--", "---", "—", "–", "?", "??", "???", ".", "..", "none", "unknown",
];

/// HTML entities that occur in names, and their characters.
const ENTITIES: [(&str, &str); 26] = [
    ("&amp;", "&"),
    ("&lt;", "<"),
    ("&gt;", ">"),
    ("&quot;", "\""),
    ("&apos;", "'"),
    ("&nbsp;", " "),
    ("&auml;", "ä"),
    ("&ouml;", "ö"),
    ("&uuml;", "ü"),
    ("&Auml;", "Ä"),
    ("&Ouml;", "Ö"),
    ("&Uuml;", "Ü"),
    ("&szlig;", "ß"),
    ("&eacute;", "é"),
    ("&egrave;", "è"),
    ("&aacute;", "á"),
    ("&iacute;", "í"),
    ("&oacute;", "ó"),
    ("&uacute;", "ú"),
    ("&ntilde;", "ñ"),
    ("&ccedil;", "ç"),
    ("&atilde;", "ã"),
    ("&aring;", "å"),
    ("&oslash;", "ø"),
    ("&rsquo;", "’"),
    ("&euml;", "ë"),
];

/// Month abbreviations of spreadsheets.
const MONTHS: [&str; 16] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec", "mrz", "mai", "okt", "dez",
];

/// Finds `&uuml;` and `&#252;`.
pub(super) fn entities(text: &str) -> Option<Damage> {
    let (_, behind) = text.split_once('&')?;
    let (name, _) = behind.split_once(';')?;
    let is_entity = name.len() <= 8
        && match name.strip_prefix('#') {
            Some(number) => !number.is_empty() && number.bytes().all(|b| b.is_ascii_hexdigit() || b == b'x'),
            None => name.len() > 1 && name.bytes().all(|b| b.is_ascii_alphabetic()),
        };
    if !is_entity {
        return None;
    }
    let damage = Damage::new("html_entity", "Contains an HTML code in place of a letter");
    let mut meant = text.to_owned();
    for (entity, letter) in ENTITIES {
        meant = meant.replace(entity, letter);
    }
    meant = meant.replace("&#39;", "'").replace("&#039;", "'");
    Some(if meant == text || meant.contains("&#") {
        damage
    } else {
        damage.meaning(meant)
    })
}

/// Finds damage in a name.
pub(super) fn in_a_name(text: &str) -> Option<Damage> {
    if NOTHINGS.contains(&text) || NO_NAMES.contains(&text) {
        return Some(Damage::new(
            "placeholder",
            "Stands for “nothing” – leave the cell empty if there is no name",
        ));
    }
    if let Some(damage) = not_names::find(text).or_else(|| escapes::in_a_name(text)) {
        return Some(damage);
    }
    if is_month_and_number(text) {
        return Some(Damage::new(
            "became_a_date",
            "A spreadsheet may have turned this name into a date – write it again and format the column as text",
        ));
    }
    if is_letter_lost(text) {
        return Some(Damage::new(
            "lost_letter",
            "A letter may have been lost here (?) – write it again and save the file as CSV UTF-8",
        ));
    }
    if is_all_lost(text) {
        return Some(Damage::new(
            "lost_letter",
            "Letters were lost here (?) – write them again and save the file as CSV UTF-8",
        ));
    }
    if text.bytes().all(|b| b.is_ascii_digit()) {
        return Some(Damage::new("number_as_name", "Is a number, not a name"));
    }
    if let Some(damage) = shortened(text) {
        return Some(damage);
    }
    text.contains('√')
        .then(|| Damage::new("double_encoded", "Letters were garbled when this file was saved"))
}

/// Whether a question mark is inside or at the end of a word: "Bj?rn", "Jos?".
fn is_letter_lost(text: &str) -> bool {
    let is_lost = |(place, _): (usize, &str)| {
        let before = text.get(..place).and_then(|start| start.chars().next_back());
        let behind = text.get(place + 1..).and_then(|rest| rest.chars().next());
        before.is_some_and(char::is_alphabetic) && behind.is_none_or(char::is_alphabetic)
    };
    text.match_indices('?').any(is_lost)
}

/// Whether question marks took the place of every letter: "???? ????", "???-???".
fn is_all_lost(text: &str) -> bool {
    text.starts_with('?') && text.chars().all(|c| c.is_whitespace() || "?-.'’".contains(c))
}

/// Finds damage in a value of another column.
pub(super) fn in_a_field(text: &str, column: &str) -> Option<Damage> {
    if NOTHINGS.contains(&text) {
        return Some(Damage::new(
            "placeholder",
            "Stands for “nothing” – leave the cell empty if there is no value",
        ));
    }
    if let Some(damage) = not_names::type_name(text) {
        return Some(damage);
    }
    if dates::is_no_date(text) {
        return Some(Damage::new(
            "placeholder",
            "Stands for “no date” – leave the cell empty if there is none",
        ));
    }
    if let Some(damage) = shortened(text) {
        return Some(damage);
    }
    if !dates::is_date_column(column) {
        return None;
    }
    if let Some(day) = crate::workbook::day_of_serial(text) {
        let damage = Damage::new("serial_date", "Is the number that a spreadsheet stores for a date");
        return Some(damage.meaning(day));
    }
    dates::is_impossible(text).then(|| Damage::new("impossible_date", "Is not a date in the calendar"))
}

/// Finds a number that a spreadsheet shortened.
fn shortened(text: &str) -> Option<Damage> {
    let message = "A spreadsheet shortened this number – format the column as text and enter the number again";
    is_shortened(text).then(|| Damage::new("shortened_number", message))
}

/// Matches "4.91E+11", the format in which spreadsheets show long numbers, and "4.91E11".
///
/// Without the plus sign it may be a room or a part ("1E5"), so more must be as spreadsheets write it.
fn is_shortened(text: &str) -> bool {
    let is_number =
        |part: &str, also: &[u8]| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit() || also.contains(&b));
    if let Some((digits, exponent)) = text.split_once("E+") {
        return is_number(digits, b".,-") && digits.bytes().any(|b| b.is_ascii_digit()) && is_number(exponent, b"");
    }
    let Some((digits, exponent)) = text.split_once('E') else {
        return false;
    };
    let has_decimals = digits
        .split_once(['.', ','])
        .is_some_and(|(whole, decimals)| is_number(whole.trim_start_matches('-'), b"") && is_number(decimals, b""));
    has_decimals && is_number(exponent, b"") && exponent.parse().is_ok_and(|exponent| (6..=15_u32).contains(&exponent))
}

/// Matches "Mar-01" and "1-Mar": what spreadsheets make of "March 1", and of a name such as May or June with a number.
fn is_month_and_number(text: &str) -> bool {
    let Some((one, other)) = text.split_once(['-', '.']) else {
        return false;
    };
    let is_number = |part: &str| {
        let part = part.trim();
        (1..=2).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit())
    };
    let is_month = |part: &str| MONTHS.contains(&part.trim().to_lowercase().as_str());
    (is_number(one) && is_month(other)) || (is_month(one) && is_number(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholder_names_are_detected_and_real_names_are_not() {
        for (text, code) in [
            ("NULL", "placeholder"),
            ("N/A", "placeholder"),
            ("-", "placeholder"),
            ("undefined", "placeholder"),
            ("Bj?rn", "lost_letter"),
            ("Jos?", "lost_letter"),
            ("1-Mar", "became_a_date"),
            ("Jun-01", "became_a_date"),
            ("4711", "number_as_name"),
            ("4.11111111111111E+15", "shortened_number"),
            ("Jos√©", "double_encoded"),
            ("??????", "lost_letter"),
            ("???? ????", "lost_letter"),
            ("???-???? ?.", "lost_letter"),
            ("???", "placeholder"),
        ] {
            assert_eq!(in_a_name(text).map(|damage| damage.code), Some(code), "{text}");
        }
        for text in [
            "Null",
            "Nan",
            "Na",
            "None-Marie",
            "Mar",
            "May",
            "June",
            "Jan-Ove",
            "Jan",
            "O'Neill",
            "X",
            "Mai-Britt",
            "3rd",
            "Prof.in Anna",
            "April",
            "Will?am Shatner 2",
            "D",
        ] {
            let code = in_a_name(text).map(|damage| damage.code);
            let expected = (text.contains('?')).then_some("lost_letter");
            assert_eq!(code, expected, "{text}");
        }
    }

    #[test]
    fn shortened_numbers_and_date_numbers_are_detected() {
        for (text, column, code) in [
            ("4.91E+11", "phone", "shortened_number"),
            ("4,91E+11", "phone", "shortened_number"),
            ("46296", "Start date", "serial_date"),
            ("46296", "Geburtsdatum", "serial_date"),
            ("0000-00-00", "start", "placeholder"),
            ("NULL", "room", "placeholder"),
            ("4.91E11", "phone", "shortened_number"),
            ("4,91E11", "phone", "shortened_number"),
            ("-4.91E6", "phone", "shortened_number"),
            ("1601-01-01 00:00:00", "last logon", "placeholder"),
            ("31.12.9999", "valid until", "placeholder"),
            ("System.Object[]", "groups", "placeholder"),
            ("31.02.2026", "Geburtsdatum", "impossible_date"),
            ("2026-13-01", "Start date", "impossible_date"),
        ] {
            assert_eq!(in_a_field(text, column).map(|damage| damage.code), Some(code), "{text}");
        }
        for (text, column) in [
            ("46296", "room"),
            ("E+", "x"),
            ("N/A", "room"),
            ("-", "room"),
            ("12", "date"),
            ("1E", "x"),
            ("1E5", "room"),
            ("12E7", "room"),
            ("1.2E5", "room"),
            ("1.2E16", "room"),
            ("E11", "room"),
            (".E11", "room"),
            ("1.E11", "room"),
            ("1.2.3E11", "room"),
            ("1.2E11b", "room"),
            ("31.02.2026", "version"),
            ("2026-13-01", "ticket"),
            ("29.02.2024", "date"),
            ("to be agreed", "date"),
        ] {
            assert_eq!(in_a_field(text, column), None, "{text}");
        }
        assert_eq!(
            in_a_field("46296", "Start date").unwrap().sentence(),
            "Is the number that a spreadsheet stores for a date – did you mean 2026-10-01?"
        );
    }

    #[test]
    fn html_entities_are_detected_with_their_character() {
        let found = |text: &str| entities(text).map(|damage| damage.suggestion);
        assert_eq!(found("M&uuml;ller"), Some(Some("Müller".to_owned())));
        assert_eq!(found("O&#39;Brien"), Some(Some("O'Brien".to_owned())));
        assert_eq!(found("Dvo&#345;&aacute;k"), Some(None));
        for text in ["R&D; sales", "Smith & Co", "a & b; c", "&;", "Q&A; more"] {
            assert_eq!(found(text), None, "{text}");
        }
    }
}

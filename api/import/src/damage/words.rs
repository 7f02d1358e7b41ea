//! Placeholders that programs write for a missing value.

use super::Damage;

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

/// Dates that databases and spreadsheets use for a missing one.
const NO_DAYS: [&str; 12] = [
    "0000-00-00",
    "00/00/0000",
    "00.00.0000",
    "0000-00-00 00:00:00",
    "1900-01-00",
    "1899-12-30",
    "1899-12-31",
    "30.12.1899",
    "30/12/1899",
    "12/30/1899",
    "00.01.1900",
    "1/0/1900",
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

/// Parts of the names of date columns.
const DAY_COLUMNS: [&str; 9] = [
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
    if is_month_and_number(text) {
        return Some(Damage::new(
            "became_a_date",
            "A spreadsheet may have turned this name into a date – write it again and format the column as text",
        ));
    }
    let is_letter_lost = |(place, _): (usize, &str)| {
        let before = text.get(..place).and_then(|start| start.chars().next_back());
        let behind = text.get(place + 1..).and_then(|rest| rest.chars().next());
        before.is_some_and(char::is_alphabetic) && behind.is_none_or(char::is_alphabetic)
    };
    if text.match_indices('?').any(is_letter_lost) {
        return Some(Damage::new(
            "lost_letter",
            "A letter may have been lost here (?) – write it again and save the file as CSV UTF-8",
        ));
    }
    if text.bytes().all(|b| b.is_ascii_digit()) {
        return Some(Damage::new("number_as_name", "Is a number, not a name"));
    }
    text.contains('√')
        .then(|| Damage::new("double_encoded", "Letters were garbled when this file was saved"))
}

/// Finds damage in a value of another column.
pub(super) fn in_a_field(text: &str, column: &str) -> Option<Damage> {
    if NOTHINGS.contains(&text) {
        return Some(Damage::new(
            "placeholder",
            "Stands for “nothing” – leave the cell empty if there is no value",
        ));
    }
    if NO_DAYS.contains(&text) {
        return Some(Damage::new(
            "placeholder",
            "Stands for “no date” – leave the cell empty if there is none",
        ));
    }
    if is_shortened(text) {
        return Some(Damage::new(
            "shortened_number",
            "A spreadsheet shortened this number – format the column as text and export it again",
        ));
    }
    let column = column.to_lowercase();
    let is_of_days = column
        .split(|c: char| !c.is_alphanumeric())
        .any(|word| DAY_COLUMNS.contains(&word) || word.starts_with("geburt") || word.ends_with("datum"));
    if let (true, Some(day)) = (is_of_days, crate::workbook::day_of_serial(text)) {
        let damage = Damage::new("serial_date", "Is the number that a spreadsheet stores for a date");
        return Some(damage.meaning(day));
    }
    None
}

/// Matches "4.91E+11", the format in which spreadsheets show long numbers.
fn is_shortened(text: &str) -> bool {
    let Some((digits, exponent)) = text.split_once("E+") else {
        return false;
    };
    let is_number =
        |part: &str, also: &[u8]| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit() || also.contains(&b));
    is_number(digits, b".,-") && digits.bytes().any(|b| b.is_ascii_digit()) && is_number(exponent, b"")
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
            ("Jos√©", "double_encoded"),
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

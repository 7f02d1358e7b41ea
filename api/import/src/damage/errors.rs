//! Errors that spreadsheets show in place of a value.

/// Errors of cells that could not be computed and that do not end with a mark, in the languages of spreadsheet programs.
const WITHOUT_MARK: [&str; 10] = [
    "#N/A",
    "#GETTING_DATA",
    "#NV",
    "#N/D",
    "#N/B",
    "#NENÍ_K_DISPOZICI",
    "#I/T",
    "#Н/Д",
    "#YOK",
    "#HIÁNYZIK",
];

/// Whether a spreadsheet wrote this in place of a value: an error, or hashes for a column that was too narrow.
pub(super) fn is_spreadsheet_error(text: &str) -> bool {
    let Some(behind) = text.strip_prefix('#') else {
        return text.starts_with("Err:") && text.len() > 4 && text.bytes().skip(4).all(|b| b.is_ascii_digit());
    };
    let is_hashes = text.len() >= 3 && behind.bytes().all(|b| b == b'#');
    is_hashes || is_capitals_with_mark(behind) || WITHOUT_MARK.contains(&text.to_uppercase().as_str())
}

/// Whether this is an error in any language: "WERT!", "¿NOMBRE?", "DIV/0!", "ЗНАЧ!".
fn is_capitals_with_mark(text: &str) -> bool {
    let Some(name) = text.strip_suffix(['!', '?']) else {
        return false;
    };
    let fits = |c: char| c.is_uppercase() || c.is_ascii_digit() || matches!(c, '/' | '_' | '¡' | '¿');
    name.chars().any(char::is_uppercase) && name.chars().all(fits)
}

#[cfg(test)]
mod tests {
    use super::is_spreadsheet_error;

    #[test]
    fn spreadsheet_errors_are_detected_in_any_language() {
        for text in [
            "#N/A",
            "#NV",
            "#WERT!",
            "#BEZUG!",
            "#NOM?",
            "#¡VALOR!",
            "#SAKNAS!",
            "########",
            "###",
            "#n/a",
            "Err:502",
            "#DIV/0!",
            "#ЗНАЧ!",
            "#Н/Д",
            "#DEĞER!",
            "#ÉRTÉK!",
            "#NAMN?",
            "#DĚLENÍ_NULOU!",
        ] {
            assert!(is_spreadsheet_error(text), "{text}");
        }
        for text in [
            "#teamblue",
            "#Teamwork!",
            "#!",
            "# 7",
            "#",
            "##",
            "#1",
            "Err:",
            "Err: what",
            "N/A",
            "Nv",
        ] {
            assert!(!is_spreadsheet_error(text), "{text}");
        }
    }
}

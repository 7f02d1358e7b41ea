//! Errors that spreadsheets show in place of a value.

/// Errors of cells that could not be computed, in the languages of spreadsheet programs.
const SPREADSHEET_ERRORS: [&str; 74] = [
    // English
    "#N/A",
    "#NAME?",
    "#REF!",
    "#VALUE!",
    "#DIV/0!",
    "#NULL!",
    "#NUM!",
    "#SPILL!",
    "#CALC!",
    "#FIELD!",
    "#BLOCKED!",
    "#CONNECT!",
    "#BUSY!",
    "#GETTING_DATA",
    "#UNKNOWN!",
    "#ERROR!",
    "#PYTHON!",
    // German
    "#NV",
    "#WERT!",
    "#BEZUG!",
    "#ZAHL!",
    "#ÜBERLAUF!",
    "#KALK!",
    "#FELD!",
    // French
    "#NOM?",
    "#VALEUR!",
    "#NOMBRE!",
    "#NUL!",
    "#PROPAGATION!",
    "#EPARS!",
    "#CALCUL!",
    "#CHAMP!",
    // Spanish
    "#N/D",
    "#¿NOMBRE?",
    "#¡VALOR!",
    "#¡REF!",
    "#¡DIV/0!",
    "#¡NUM!",
    "#¡NULO!",
    "#¡DESBORDAMIENTO!",
    "#NOMBRE?",
    "#¡CALC!",
    // Portuguese, Italian
    "#NOME?",
    "#VALOR!",
    "#DESPEJAR!",
    "#NÚM!",
    "#NULO!",
    "#NULLO!",
    "#VALORE!",
    "#RIF!",
    "#ESPANSIONE!",
    "#CALCOLO!",
    // Dutch
    "#N/B",
    "#NAAM?",
    "#WAARDE!",
    "#VERW!",
    "#DEEL/0!",
    "#GETAL!",
    "#LEEG!",
    "#OVERLOOP!",
    // Polish, Czech
    "#N/D!",
    "#NAZWA?",
    "#ARG!",
    "#ADR!",
    "#LICZBA!",
    "#ZERO!",
    "#NENÍ_K_DISPOZICI",
    "#HODNOTA!",
    "#ODKAZ!",
    // Swedish, Danish, Norwegian, Finnish
    "#SAKNAS!",
    "#VÄRDEFEL!",
    "#I/T",
    "#VERDI!",
    "#PUUTTUU!",
];

/// Whether a spreadsheet wrote this in place of a value: an error, or hashes for a column that was too narrow.
pub(super) fn is_spreadsheet_error(text: &str) -> bool {
    let Some(behind) = text.strip_prefix('#') else {
        return text.starts_with("Err:") && text.len() > 4 && text.bytes().skip(4).all(|b| b.is_ascii_digit());
    };
    let is_hashes = text.len() >= 3 && behind.bytes().all(|b| b == b'#');
    is_hashes || SPREADSHEET_ERRORS.contains(&text) || SPREADSHEET_ERRORS.contains(&text.to_uppercase().as_str())
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
        ] {
            assert!(is_spreadsheet_error(text), "{text}");
        }
        for text in ["#teamblue", "# 7", "#", "##", "#1", "Err:", "Err: what", "N/A", "Nv"] {
            assert!(!is_spreadsheet_error(text), "{text}");
        }
    }
}

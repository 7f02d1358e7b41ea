//! Splits a full name into first and last name.

/// Splits a name: "Lovelace, Ada" at the comma, "Ada Lovelace" after the first word, "山田 太郎" with family name first.
///
/// Titles and initials stay with the first name: "Dr. Ada Lovelace" is "Dr. Ada" and "Lovelace".
pub(super) fn split(name: &str) -> (Option<String>, Option<String>) {
    if let Some((last, first)) = name.split_once(',').filter(|(_, behind)| !is_suffix(behind)) {
        return (some(first), some(last));
    }
    let mut end = 0;
    for word in name.split_inclusive(char::is_whitespace) {
        end += word.len();
        if !word.trim_end().ends_with('.') {
            break;
        }
    }
    let (start, rest) = name.split_at(end);
    if start.chars().any(has_family_first) && !rest.trim().is_empty() {
        return (some(rest), some(start));
    }
    (some(start), some(rest))
}

fn some(part: &str) -> Option<String> {
    let part = part.trim();
    (!part.is_empty()).then(|| part.to_owned())
}

/// Whether this is a suffix after a comma: "Sammy Davis, Jr.".
fn is_suffix(text: &str) -> bool {
    let text = text.trim().trim_end_matches('.').to_ascii_lowercase();
    matches!(
        text.as_str(),
        "jr" | "sr"
            | "ii"
            | "iii"
            | "iv"
            | "phd"
            | "ph.d"
            | "md"
            | "m.d"
            | "msc"
            | "m.sc"
            | "ba"
            | "ma"
            | "mba"
            | "esq"
    )
}

/// Whether names in this script start with the family name: Chinese, Japanese and Korean.
fn has_family_first(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30FF}' | '\u{4E00}'..='\u{9FFF}' | '\u{AC00}'..='\u{D7A3}')
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn a_full_name_is_split_into_first_and_last_name() {
        for (name, first, last) in [
            ("Ada Lovelace", "Ada", "Lovelace"),
            ("Lovelace, Ada", "Ada", "Lovelace"),
            ("Ludwig van Beethoven", "Ludwig", "van Beethoven"),
            ("Dr. Ada Lovelace", "Dr. Ada", "Lovelace"),
            ("J. R. R. Tolkien", "J. R. R. Tolkien", ""),
            ("Ada", "Ada", ""),
            ("Sammy Davis, Jr.", "Sammy", "Davis, Jr."),
            ("太郎", "太郎", ""),
            ("山田 太郎", "太郎", "山田"),
            ("", "", ""),
        ] {
            let (found_first, found_last) = split(name);
            let found = (found_first.unwrap_or_default(), found_last.unwrap_or_default());
            assert_eq!(found, (first.to_owned(), last.to_owned()), "{name}");
        }
    }
}

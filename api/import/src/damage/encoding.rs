//! UTF-8 text that was decoded as Windows-1252 and encoded as UTF-8 again: `JosÃ©`.

/// The characters of Windows-1252 from 0x80 to 0x9F; undefined ones are control characters.
const HIGH: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8D}', 'Ž', '\u{8F}', '\u{90}', '‘', '’',
    '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9D}', 'ž', 'Ÿ',
];

/// Maximum number of superfluous encodings that are undone.
const MAX_ENCODINGS: usize = 3;

/// The text before it was encoded once too often; `None` if it was not.
///
/// Decoded as Windows-1252, a UTF-8 letter becomes a sequence that occurs in no language: two or more characters, all
/// but the first from the upper half of that table ("Ã©", "â€™"). "JOÃO" and "Évora" do not match. The few
/// sequences that do occur are no sign by themselves ("KŘÍŽ").
pub(super) fn encoded_twice(text: &str) -> Option<String> {
    if text.is_ascii() {
        return None;
    }
    let mut meant = decoded(text)?;
    for _ in 1..MAX_ENCODINGS {
        match decoded(&meant) {
            Some(again) => meant = again,
            None => break,
        }
    }
    Some(meant.trim().to_owned())
}

fn decoded(text: &str) -> Option<String> {
    let mut meant = String::with_capacity(text.len());
    let mut is_other = false;
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some((letter, length)) = letter_at(rest) {
            meant.push(letter);
            is_other |= !may_be_written(rest.get(..length).unwrap_or_default());
            rest = rest.get(length..).unwrap_or_default();
        } else {
            meant.push(c);
            rest = rest.get(c.len_utf8()..).unwrap_or_default();
        }
    }
    is_other.then_some(meant)
}

/// The non-ASCII letter whose bytes appear as characters at the start of `text`, and the length of that sequence.
fn letter_at(text: &str) -> Option<(char, usize)> {
    let mut bytes = [0; 4];
    let mut taken = 0;
    let length = match byte_of(text.chars().next()?)? {
        0xC2..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xF4 => 4,
        _ => return None,
    };
    for (place, c) in text.chars().take(length).enumerate() {
        *bytes.get_mut(place)? = byte_of(c)?;
        taken += c.len_utf8();
    }
    let letter = std::str::from_utf8(bytes.get(..length)?).ok()?.chars().next()?;
    // "Â " and "Ã‰" represent real letters; a control character was never typed.
    (!letter.is_control()).then_some((letter, taken))
}

/// Whether a sequence may be part of a word, and so is no sign of garbled text: "KŘÍŽ", "Weiß–Ray", "RENÉ’S".
fn may_be_written(sequence: &str) -> bool {
    let mut rest = sequence.chars();
    match rest.next() {
        // The first character for the letters of Europe and Arabia, and for punctuation.
        Some('Â' | 'Ã' | 'Ä' | 'Ð' | 'Ñ' | 'Î' | 'Ï' | 'Ø' | 'Ù' | '×' | 'â') => false,
        Some('Å') => rest.all(|c| matches!(c, '–' | '—')),
        // "Èš" and "È›" are Romanian letters.
        Some('È') => rest.all(|c| "‘’‚“”„–—…«»‹".contains(c)),
        _ => rest.all(|c| "ŠšŽž‘’‚“”„–—…«»‹›".contains(c)),
    }
}

/// The byte of a character in Windows-1252.
fn byte_of(c: char) -> Option<u8> {
    // Programs that know only Latin-1 write 0x80 to 0x9F as control characters.
    if let Ok(byte) = u8::try_from(u32::from(c)) {
        return Some(byte);
    }
    let place = HIGH.iter().position(|&high| high == c)?;
    u8::try_from(0x80 + place).ok()
}

/// The character of a byte in Windows-1252, which contains Latin-1.
pub(super) fn windows_1252(byte: u8) -> char {
    let high = byte.checked_sub(0x80).and_then(|place| HIGH.get(usize::from(place)));
    high.copied().unwrap_or(char::from(byte))
}

#[cfg(test)]
mod tests {
    use super::encoded_twice;

    #[test]
    fn doubly_encoded_text_is_detected_with_the_original() {
        for (garbled, meant) in [
            ("JosÃ©", "José"),
            ("NÃºÃ±ez", "Núñez"),
            ("Oâ€™Brien", "O’Brien"),
            ("ZoÃ«", "Zoë"),
            ("MÃ¼ller", "Müller"),
            ("UmeÃ¥", "Umeå"),
            ("Ã\u{81}lvaro", "Álvaro"),
            ("VoilÃ\u{A0}", "Voilà"),
            ("StanisÅ‚aw", "Stanisław"),
            ("Ð\u{98}Ð²Ð°Ð½", "Иван"),
            ("JosÃƒÂ©", "José"),
            ("æ\u{9D}\u{8E}", "李"),
            ("É™li", "əli"),
            ("LucreÈ›ia", "Lucreția"),
            ("NicuÈ™or", "Nicușor"),
            ("LUCENÈšIU", "LUCENȚIU"),
            ("Ø¹Ù„ÙŠ", "علي"),
            ("Ã–zil", "Özil"),
            ("Å’uvre", "Œuvre"),
        ] {
            assert_eq!(encoded_twice(garbled).as_deref(), Some(meant), "{garbled}");
        }
    }

    #[test]
    fn ordinary_names_are_not_changed() {
        for name in [
            "JOÃO",
            "DA SILVA",
            "SÃO PAULO",
            "Ângela",
            "Assunção",
            "Évora",
            "ÅSA",
            "Škoda",
            "Đặng",
            "Ærø",
            "Łódź",
            "Zoë",
            "Ñandú",
            "Ðóra",
            "À la carte",
            "«Émile»",
            "€ 5",
            "Ada",
            "李",
            "Иван",
            "Ø",
            "Ý",
            "GARÇÃO",
            "Ünal",
            "Ìfẹ́",
            "KRÍŽ",
            "KŘÍŽ",
            "MÍŠEK",
            "Úžek",
            "BÚŠ",
            "Weiß–Ray",
            "Weiß’",
            "„Weiß“",
            "JOSÉ–MARIA",
            "RENÉ’S",
            "CAFFÈ–BAR",
            "«CAFÉ»",
            "UMEÅ–LULEÅ",
        ] {
            assert_eq!(encoded_twice(name), None, "{name}");
        }
    }
}

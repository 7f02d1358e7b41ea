//! Text whose UTF-8 was once read as Windows-1252 and written as UTF-8 again: `JosÃ©`.

/// The characters of Windows-1252 from 0x80 to 0x9F; those it does not define are controls.
const HIGH: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8D}', 'Ž', '\u{8F}', '\u{90}', '‘', '’',
    '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9D}', 'ž', 'Ÿ',
];

/// How often a text may have been encoded once too often.
const TIMES_MOST: usize = 3;

/// What the text was before it was encoded once too often; none if it was not.
///
/// Read as Windows-1252, a letter of UTF-8 becomes a sequence that no language has: two signs or more of which all but
/// the first are from the upper half of that table ("Ã©", "â€™"). "JOÃO" and "Évora" are none.
pub(super) fn encoded_twice(text: &str) -> Option<String> {
    if text.is_ascii() {
        return None;
    }
    let mut meant = decoded(text)?;
    for _ in 1..TIMES_MOST {
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
            is_other = true;
            rest = rest.get(length..).unwrap_or_default();
        } else {
            meant.push(c);
            rest = rest.get(c.len_utf8()..).unwrap_or_default();
        }
    }
    is_other.then_some(meant)
}

/// The letter beyond ASCII whose bytes stand at the start of `text` as characters, and how much of it they take.
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
    // "Â " and "Ã‰" stand for real letters; a control is what nobody wrote.
    (!letter.is_control()).then_some((letter, taken))
}

/// The byte that a character is in Windows-1252.
fn byte_of(c: char) -> Option<u8> {
    // Programs that know only Latin-1 write 0x80 to 0x9F as controls.
    if let Ok(byte) = u8::try_from(u32::from(c)) {
        return Some(byte);
    }
    let place = HIGH.iter().position(|&high| high == c)?;
    u8::try_from(0x80 + place).ok()
}

#[cfg(test)]
mod tests {
    use super::encoded_twice;

    #[test]
    fn what_was_encoded_twice_is_recognised_with_what_it_was() {
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
        ] {
            assert_eq!(encoded_twice(garbled).as_deref(), Some(meant), "{garbled}");
        }
    }

    #[test]
    fn names_as_people_write_them_are_left_alone() {
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
        ] {
            assert_eq!(encoded_twice(name), None, "{name}");
        }
    }
}

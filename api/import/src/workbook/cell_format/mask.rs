//! Codes with leading zeros and separators: `000-00-0000` shows 12345678 as "012-34-5678".

use super::code::Token;

/// Characters that a format shows without quotation marks and that separate the parts of a code.
const SEPARATORS: &str = "-+() :'&";

/// Maximum length; real ones are as long as a phone number.
const MAX_LENGTH: usize = 64;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// A digit, or nothing if the number has none here.
    Digit,
    /// A digit, or a zero.
    Zero,
    Separator(char),
}

/// The format of a code with leading zeros.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mask(Vec<Part>);

impl Mask {
    /// The code that a format describes; `None` for one that pads nothing, and for the format of a quantity.
    pub(super) fn of(tokens: impl Iterator<Item = Token>) -> Option<Self> {
        let (mut parts, mut zeros) = (Vec::new(), 0);
        for token in tokens {
            if parts.len() >= MAX_LENGTH {
                return None;
            }
            match token {
                // After the first zero, every position shows one.
                Token::Sign('0' | '#') if zeros > 0 => {
                    zeros += 1;
                    parts.push(Part::Zero);
                }
                Token::Sign('0') => {
                    zeros = 1;
                    parts.push(Part::Zero);
                }
                Token::Sign('#') => parts.push(Part::Digit),
                Token::Sign(c) if SEPARATORS.contains(c) => parts.push(Part::Separator(c)),
                Token::Shown(c) => parts.push(Part::Separator(c)),
                Token::Bracket(inside) if is_silent(&inside) => {}
                Token::Sign(_) | Token::Bracket(_) | Token::Fill => return None,
            }
        }
        (zeros > 1).then_some(Self(parts))
    }

    /// Puts the digits of a number into their places; `None` if it is negative or has decimal places.
    pub(super) fn fill(&self, digits: &str) -> Option<String> {
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let is_place = |part: &&Part| !matches!(part, Part::Separator(_));
        let places = self.0.iter().filter(is_place).count();
        // Digits beyond the places come before the first of them.
        let (mut more, rest) = digits.split_at(digits.len().saturating_sub(places));
        let mut missing = places.saturating_sub(digits.len());
        let mut rest = rest.chars();
        let mut text = String::new();
        for part in &self.0 {
            if let Part::Separator(c) = part {
                text.push(*c);
                continue;
            }
            text += std::mem::take(&mut more);
            if missing == 0 {
                text.extend(rest.next());
            } else {
                missing -= 1;
                text.extend((*part == Part::Zero).then_some('0'));
            }
        }
        Some(text)
    }
}

/// Whether the text in brackets shows nothing: a language or a colour, but no condition and no currency.
fn is_silent(inside: &str) -> bool {
    inside.starts_with("$-") || inside.chars().all(char::is_alphanumeric)
}

#[cfg(test)]
mod tests {
    use super::super::CellFormat;

    #[test]
    fn codes_keep_their_zeros_and_separators() {
        for (code, number, text) in [
            ("00000", 1_234.0, "01234"),
            ("00000-0000", 12_340_056.0, "01234-0056"),
            ("00000\\-0000", 12_340_056.0, "01234-0056"),
            ("000-00-0000", 12_345_678.0, "012-34-5678"),
            ("000\\-00\\-0000;@", 12_345_678.0, "012-34-5678"),
            ("[$-413]0000", 42.0, "0042"),
            ("\"D-\"00000", 1_234.0, "D-01234"),
            ("0#\" \"##\" \"##\" \"##\" \"##", 123_456_789.0, "01 23 45 67 89"),
            ("(000) 000-0000", 5_551_234.0, "(000) 555-1234"),
            ("00:00", 815.0, "08:15"),
            ("000-000", 12_345_678.0, "12345-678"),
            ("000-00", -5.0, "-5"),
            ("000-00", 5.5, "5.5"),
            ("##00-00", 12_345.0, "123-45"),
        ] {
            assert_eq!(CellFormat::of_code(code).shown(number, false), text, "{code} {number}");
        }
    }

    #[test]
    fn quantities_are_shown_as_numbers() {
        for code in [
            "0",
            "0.00",
            "#,##0",
            "0\" kg\"",
            "(###) ###-####",
            "[<=9999999]###\\-####;\\(###\\)\\ ###\\-####",
            "# ?/?",
            "[$EUR] 00",
            "_-* #,##0\\ \"DM\"_-",
            "0.00E+00",
            "00.00",
        ] {
            assert_eq!(CellFormat::of_code(code).shown(1_234.0, false), "1234", "{code}");
        }
        let long = "0-".repeat(1_000);
        assert_eq!(CellFormat::of_code(&long).shown(1_234.0, false), "1234");
    }
}

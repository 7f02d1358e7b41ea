//! Names of administrators and API keys: what they may contain, and which ones look alike.
//!
//! The audit log and the batches show these names, so any two must be distinguishable by eye. Invisible
//! characters are rejected, and a name is compared with the others by its skeleton (UTS 39, section 4):
//! `раypal` in Cyrillic and `paypal` in Latin have the same one.

use unicode_normalization::UnicodeNormalization as _;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory as _};
use unicode_security::skeleton;

/// Maximum length of a name in characters.
const MAX_CHARACTERS: usize = 100;

/// Words that no administrator's name begins with, because the audit log uses them for other callers.
const RESERVED: [&str; 5] = ["key", "the command line", "somebody", "unknown", "beckon"];

/// Characters that fonts render as nothing although their category is not Format: default-ignorable code
/// points (UAX 44) and the blank Braille pattern.
const BLANK: [(char, char); 10] = [
    ('\u{034F}', '\u{034F}'),
    ('\u{115F}', '\u{1160}'),
    ('\u{17B4}', '\u{17B5}'),
    ('\u{180B}', '\u{180F}'),
    ('\u{2065}', '\u{2065}'),
    ('\u{2800}', '\u{2800}'),
    ('\u{3164}', '\u{3164}'),
    ('\u{FE00}', '\u{FE0F}'),
    ('\u{FFA0}', '\u{FFA0}'),
    ('\u{E0000}', '\u{E0FFF}'),
];

/// Why a name is rejected.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NameFault {
    /// It has only spaces.
    #[error("Enter a name")]
    Empty,
    /// More than 100 characters.
    #[error("Name must be 100 characters or fewer")]
    TooLong,
    /// A tab, a line break or another control character.
    #[error("Name must not contain tabs, line breaks or other control characters")]
    ControlCharacter,
    /// A character that is not shown or that changes the direction of the text around it.
    #[error("Name must not contain invisible characters; type it instead of pasting it")]
    Invisible,
    /// Begins like the names of keys and programs in the audit log.
    #[error("Name must not begin like those of keys and programs in the audit log")]
    Reserved,
}

/// Checks the name of an administrator.
///
/// # Errors
///
/// A message for the administrator who typed it.
pub fn check_administrator(name: &str) -> Result<(), NameFault> {
    check(name)?;
    let name = Skeletons::of(name);
    let is_reserved = RESERVED.iter().any(|words| name.starts_like(&Skeletons::of(words)));
    if is_reserved { Err(NameFault::Reserved) } else { Ok(()) }
}

/// Checks any name.
///
/// # Errors
///
/// A message for the administrator who typed it.
pub fn check(name: &str) -> Result<(), NameFault> {
    if name.trim().is_empty() {
        Err(NameFault::Empty)
    } else if name.chars().count() > MAX_CHARACTERS {
        Err(NameFault::TooLong)
    } else if name.chars().any(char::is_control) {
        Err(NameFault::ControlCharacter)
    } else if name.chars().any(is_invisible) {
        Err(NameFault::Invisible)
    } else {
        Ok(())
    }
}

/// Whether a character is not shown or changes how others are shown: format characters, which include all
/// direction marks, line separators, unassigned and private code points, and blanks.
pub fn is_invisible(character: char) -> bool {
    let is_blank = BLANK.iter().any(|(first, last)| (*first..=*last).contains(&character));
    is_blank
        || matches!(
            character.general_category(),
            GeneralCategory::Control
                | GeneralCategory::Format
                | GeneralCategory::LineSeparator
                | GeneralCategory::ParagraphSeparator
                | GeneralCategory::PrivateUse
                | GeneralCategory::Unassigned
        )
}

/// Returns the first of `others` that a reader could take for `name`.
pub fn find_lookalike<'o>(name: &str, others: impl IntoIterator<Item = &'o str>) -> Option<&'o str> {
    let wanted = Skeletons::of(name);
    others.into_iter().find(|other| Skeletons::of(other).resembles(&wanted))
}

/// What a name looks like.
///
/// Case does not matter, but each case has its own look-alikes: Cyrillic `В` looks like a Latin `B`, while
/// `в` looks like no Latin letter. So there is a skeleton of the name in lower case and one of the name as
/// shown.
struct Skeletons(String, String);

impl Skeletons {
    fn of(name: &str) -> Self {
        let folded = fold(name);
        let shown: String = name.nfkc().collect();
        Self(
            fold(&skeleton(&folded).collect::<String>()),
            fold(&skeleton(&shown).collect::<String>()),
        )
    }

    fn resembles(&self, other: &Self) -> bool {
        self.0 == other.0 || self.1 == other.1
    }

    /// Whether the first words look like those of the other.
    fn starts_like(&self, other: &Self) -> bool {
        let begins = |name: &str, words: &str| format!("{name} ").starts_with(&format!("{words} "));
        begins(&self.0, &other.0) || begins(&self.1, &other.1)
    }
}

/// A name in compatibility form (NFKC), with case and the number of spaces normalised.
fn fold(name: &str) -> String {
    // Via upper case, where `ß` is `SS` and both sigmas are one.
    let upper: String = name.nfkc().flat_map(char::to_uppercase).collect();
    let lower: String = upper.chars().flat_map(char::to_lowercase).nfkc().collect();
    lower.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_looks_like_another_is_found() {
        let alike = |one: &str, other: &str| find_lookalike(one, [other]).is_some();

        for (one, other) in [
            ("Priya Nair", "priya nair"),
            ("Priya Nair", "Priya  Nair"),
            ("Priya Nair", "Priya\u{a0}Nair"),
            ("Priya Nair", "Рriya Nair"),     // Cyrillic Р
            ("Priya Nair", "Priуa Nair"),     // Cyrillic у
            ("Bob", "Вob"),                   // Cyrillic В, whose lower case looks like no Latin letter
            ("bob", "ΒΟΒ"),                   // Greek capitals
            ("Ana", "Αna"),                   // Greek Α
            ("intranet", "ｉｎｔｒａｎｅｔ"), // full width
            ("payroll", "payro11"),
            ("Modern", "Modem"),
            ("Straße", "STRASSE"),
            ("José", "Jose\u{301}"),
        ] {
            assert!(alike(one, other) && alike(other, one), "{one} {other}");
        }
        for (one, other) in [
            ("Priya Nair", "Priya Nayar"),
            ("intranet", "intranet 2"),
            ("payroll", "pay roll"),
            ("José", "Jose"),
            ("Jonas Weber 0", "Jonas Weber 1"),
        ] {
            assert!(!alike(one, other), "{one} {other}");
        }
    }

    #[test]
    fn invisible_characters_are_refused() {
        for invisible in [
            '\u{ad}',
            '\u{200b}',
            '\u{200c}',
            '\u{200d}',
            '\u{200e}',
            '\u{202e}',
            '\u{2060}',
            '\u{2066}',
            '\u{feff}',
            '\u{61c}',
            '\u{34f}',
            '\u{115f}',
            '\u{3164}',
            '\u{ffa0}',
            '\u{fe0f}',
            '\u{180b}',
            '\u{180e}',
            '\u{2028}',
            '\u{2029}',
            '\u{2800}',
            '\u{e0041}',
            '\u{e0100}',
            '\u{e000}',
            '\u{378}',
            '\u{fff9}',
            '\u{1d173}',
        ] {
            let name = format!("Priya{invisible} Nair");
            assert_eq!(check(&name), Err(NameFault::Invisible), "{invisible:?}");
        }
        for name in [
            "Priya Nair",
            "Ø",
            "Łukasz Żółć",
            "李明",
            "محمد",
            "अनिता",
            "O’Brien-Smith",
            "priya@lerna.example",
        ] {
            assert_eq!(check(name), Ok(()), "{name}");
        }
        assert_eq!(check("a\u{7}b"), Err(NameFault::ControlCharacter));
        assert_eq!(check("\t"), Err(NameFault::Empty));
        assert_eq!(check(&"a".repeat(101)), Err(NameFault::TooLong));
    }

    #[test]
    fn administrators_cannot_be_named_like_keys_and_programs() {
        for name in [
            "Key intranet",
            "key",
            " the command line",
            "Somebody",
            "Beckon",
            "kеy intranet", // Cyrillic е
            "Ｋey intranet",
            "key\u{2003}intranet",
            "Кey",
        ] {
            assert_eq!(check_administrator(name), Err(NameFault::Reserved), "{name}");
        }
        for name in ["Priya", "Keyla Ortiz", "Ana Key", "Ø", "priya@lerna.example"] {
            assert_eq!(check_administrator(name), Ok(()), "{name}");
        }
    }
}

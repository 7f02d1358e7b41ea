//! Languages of emails: which text a user gets, its writing direction, and dates.
//!
//! A table instead of `icu_datetime`: one line of an email does not justify 30 crates and megabytes of locale data.

mod table;

use std::fmt::Write as _;
use std::iter::successors;

use time::{OffsetDateTime, UtcOffset};

/// What an email needs to know about a language.
#[derive(Debug)]
pub struct Language {
    tag: &'static str,
    /// Its English name.
    name: &'static str,
    /// A date and time, with a letter after each `%`; see [`Language::date`].
    date: &'static str,
    /// The months as in a date, separated by spaces.
    months: &'static str,
    /// Last sentence of an invite and of a password email, with `{organisation}` and `{email}`. Empty if there is no
    /// translation.
    footers: [&'static str; 2],
}

/// For a language that the table lacks: unambiguous everywhere.
static ISO: Language = Language {
    tag: "",
    name: "",
    date: "%Y-%0-%D %H:%I UTC",
    months: "",
    footers: ["", ""],
};

/// Scripts written from right to left (ISO 15924).
const RTL_SCRIPTS: [&str; 6] = ["adlm", "arab", "hebr", "nkoo", "syrc", "thaa"];
/// Languages whose usual script is written from right to left.
const RTL_LANGUAGES: [&str; 11] = ["ar", "ckb", "dv", "fa", "he", "iw", "ps", "sd", "ug", "ur", "yi"];

impl Language {
    /// Finds what is known about a language. A text without a language counts as English.
    pub fn of(tag: &str) -> &'static Self {
        let tag = if tag.is_empty() { "en" } else { tag };
        let known = |tag: &str| table::LANGUAGES.iter().find(|known| is_same(known.tag, tag));
        prefixes(tag).find_map(known).unwrap_or(&ISO)
    }

    /// The last sentence of an email, and the language that it is in.
    pub fn footer(&'static self, has_password: bool) -> (&'static str, &'static str) {
        let shown = if self.footers[0].is_empty() {
            Self::of("en")
        } else {
            self
        };
        let [invite, password] = shown.footers;
        (shown.tag, if has_password { password } else { invite })
    }

    /// A time in UTC in this language, such as `26 November 2026, 14:00 UTC`.
    pub fn date(&self, at: OffsetDateTime) -> String {
        let at = at.to_offset(UtcOffset::UTC);
        let mut pieces = self.date.split('%');
        // Long enough for every pattern, so that it is allocated once.
        let mut text = String::with_capacity(64);
        text.push_str(pieces.next().unwrap_or_default());
        for piece in pieces {
            let mut rest = piece.chars();
            // Writing to a string never fails.
            let _ = match rest.next() {
                Some('d') => write!(text, "{}", at.day()),
                Some('D') => write!(text, "{:02}", at.day()),
                Some('m') => write!(text, "{}", u8::from(at.month())),
                Some('0') => write!(text, "{:02}", u8::from(at.month())),
                Some('M') => {
                    let month = usize::from(u8::from(at.month()));
                    text.write_str(self.months.split(' ').nth(month - 1).unwrap_or_default())
                }
                Some('Y') => write!(text, "{}", at.year()),
                Some('H') => write!(text, "{:02}", at.hour()),
                Some('I') => write!(text, "{:02}", at.minute()),
                _ => Ok(()),
            };
            text.push_str(rest.as_str());
        }
        text
    }
}

/// The name of a language for administrators: `German (de-AT)`, or the tag if the name is unknown.
pub fn name_of(tag: &str) -> String {
    match Language::of(tag).name {
        "" => tag.to_owned(),
        _ if tag.is_empty() => String::new(),
        name => format!("{name} ({tag})"),
    }
}

/// The value of HTML's `dir` for a language: `auto` if it is empty.
pub fn direction(tag: &str) -> &'static str {
    if tag.is_empty() {
        return "auto";
    }
    let mut parts = tag.split(['-', '_']);
    let language = parts.next().unwrap_or_default();
    let script = parts.find(|part| part.len() == 4);
    let is_one_of = |known: &[&str], part: &str| known.iter().any(|known| part.eq_ignore_ascii_case(known));
    let is_rtl = script.map_or_else(
        || is_one_of(&RTL_LANGUAGES, language),
        |script| is_one_of(&RTL_SCRIPTS, script),
    );
    if is_rtl { "rtl" } else { "ltr" }
}

/// Whether two tags are the same, in any case and with `-` or `_`.
pub fn is_same(a: &str, b: &str) -> bool {
    let letter = |c: u8| if c == b'_' { b'-' } else { c.to_ascii_lowercase() };
    a.bytes().map(letter).eq(b.bytes().map(letter))
}

/// The tag and its shorter forms: `zh-Hant-TW`, `zh-Hant`, `zh` (RFC 4647, section 3.4).
fn prefixes(tag: &str) -> impl Iterator<Item = &str> {
    successors(Some(tag), |tag| Some(tag.rsplit_once(['-', '_'])?.0))
}

/// A value for each language of an email.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ByLanguage<T> {
    /// The language of the default; may be empty.
    pub language: String,
    /// For users whose language has no value of its own.
    pub default: T,
    /// The other languages and their values.
    pub others: Vec<(String, T)>,
}

impl<T> ByLanguage<T> {
    /// The value for a user with this language, and its own language: `de-AT`, otherwise `de`, otherwise the default.
    pub fn pick(&self, wanted: &str) -> (&str, &T) {
        let default = || (self.language.as_str(), &self.default);
        if self.others.is_empty() {
            return default();
        }
        prefixes(wanted).find_map(|tag| self.find(tag)).unwrap_or_else(default)
    }

    /// The value of exactly this language.
    pub fn find(&self, tag: &str) -> Option<(&str, &T)> {
        self.iter().find(|(language, _)| is_same(language, tag))
    }

    /// All languages and values, the default first.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        let others = self.others.iter().map(|(language, value)| (language.as_str(), value));
        std::iter::once((self.language.as_str(), &self.default)).chain(others)
    }

    /// The same languages with other values.
    pub fn map<U>(&self, mut other: impl FnMut(&str, &T) -> U) -> ByLanguage<U> {
        ByLanguage {
            default: other(&self.language, &self.default),
            language: self.language.clone(),
            others: self
                .others
                .iter()
                .map(|(language, value)| (language.clone(), other(language, value)))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    fn texts(default: &str, others: &[&str]) -> ByLanguage<()> {
        ByLanguage {
            others: others.iter().map(|tag| ((*tag).to_owned(), ())).collect(),
            language: default.to_owned(),
            default: (),
        }
    }

    #[test]
    fn a_user_gets_their_language_a_broader_one_or_the_default() {
        let texts = texts("en", &["de", "de-CH", "zh-Hant", "fr"]);
        for (wanted, picked) in [
            ("de", "de"),
            ("de-AT", "de"),
            ("DE_at", "de"),
            ("de-ch", "de-CH"),
            ("de-CH-1996", "de-CH"),
            ("zh-Hant-TW", "zh-Hant"),
            ("zh", "en"),
            ("fra", "en"),
            ("en-GB", "en"),
            ("ar", "en"),
            ("", "en"),
        ] {
            assert_eq!(texts.pick(wanted).0, picked, "{wanted}");
        }
    }

    #[test]
    fn the_default_text_is_picked_for_its_own_language() {
        assert_eq!(texts("de-CH", &["de"]).pick("de-CH").0, "de-CH");
        assert_eq!(texts("", &["de"]).pick("").0, "");
    }

    #[test]
    fn dates_are_those_of_the_language() {
        let at = datetime!(2026-01-05 09:07 +1);
        for (tag, date) in [
            ("", "5 January 2026, 08:07 UTC"),
            ("en", "5 January 2026, 08:07 UTC"),
            ("en-US", "January 5, 2026, 08:07 UTC"),
            ("de", "5. Januar 2026, 08:07 UTC"),
            ("de_AT", "5. Jänner 2026, 08:07 UTC"),
            ("de-CH", "5. Januar 2026, 08:07 UTC"),
            ("fr", "5 janvier 2026 à 08:07 UTC"),
            ("pl", "5 stycznia 2026, 08:07 UTC"),
            ("ja", "2026年1月5日 08:07 UTC"),
            ("ar", "5 يناير 2026، 08:07 UTC"),
            ("sw", "2026-01-05 08:07 UTC"),
        ] {
            assert_eq!(Language::of(tag).date(at), date, "{tag}");
        }
    }

    #[test]
    fn every_language_of_the_table_is_complete() {
        for language in table::LANGUAGES {
            let tag = language.tag;
            assert_eq!(language.months.split(' ').count(), 12, "{tag}");
            for code in ["%d", "%Y", "%H", "%I", "UTC"] {
                assert_eq!(language.date.matches(code).count(), 1, "{tag}: {code}");
            }
            assert!(language.date(datetime!(2026-09-26 23:59 UTC)).len() <= 64, "{tag}");
            let [invite, password] = language.footers;
            assert_eq!(invite.is_empty(), password.is_empty(), "{tag}");
            for footer in [invite, password].into_iter().filter(|footer| !footer.is_empty()) {
                for field in ["{organisation}", "{email}"] {
                    assert_eq!(footer.matches(field).count(), 1, "{tag}: {footer}");
                }
            }
        }
    }

    #[test]
    fn the_direction_follows_the_script() {
        for (tag, dir) in [
            ("", "auto"),
            ("de", "ltr"),
            ("ar", "rtl"),
            ("he-IL", "rtl"),
            ("ur_PK", "rtl"),
            ("ar-Latn", "ltr"),
            ("az-Arab-IR", "rtl"),
            ("arn", "ltr"),
        ] {
            assert_eq!(direction(tag), dir, "{tag}");
        }
    }
}

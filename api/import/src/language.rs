//! Language names and tags in files.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::header::{folded, normalised, transcribed};
use super::text::{TextFault, clean_text};

/// Maximum length of a language tag (RFC 5646, section 4.4.1).
const LANGUAGE_CHARACTERS: usize = 35;

/// Placeholders for a missing language, normalised.
const NOTHINGS: [&str; 21] = [
    "",
    "null",
    "na",
    "nan",
    "nil",
    "none",
    "n",
    "unknown",
    "undefined",
    "notset",
    "keine",
    "unbekannt",
    "aucune",
    "inconnu",
    "ninguno",
    "desconocido",
    "nessuna",
    "nenhum",
    "geen",
    "brak",
    "なし",
];

/// Tags by the names of languages, and country codes by the names of countries.
static LANGUAGES: LazyLock<Names> = LazyLock::new(|| Names::parse(include_str!("language/names.txt")));
static REGIONS: LazyLock<Names> = LazyLock::new(|| Names::parse(include_str!("language/regions.txt")));

/// Parses a language tag and normalises its case: `pt_br` is `pt-BR`. "German" is `de`, "German (Austria)" is `de-AT`.
pub(super) fn language(raw: &str) -> Result<Option<String>, TextFault> {
    let text = clean_text(raw);
    if text.is_empty() {
        return Ok(None);
    }
    if let Some(tag) = LANGUAGES.code_of(&text) {
        return Ok(Some(tag.to_owned()));
    }
    if let Some(tag) = tag_of_two_names(&text) {
        return Ok(Some(tag));
    }
    // A Unix locale also names its encoding and its currency: "de_DE.UTF-8", "de_DE@euro".
    let tag = text.split_once(['.', '@']).map_or(text.as_ref(), |(locale, _)| locale);
    written_tag(tag).map(Some).ok_or(TextFault::Language)
}

/// Whether a text that [`language`] refuses stands for a missing value: "-", "NULL", "n/a".
pub(super) fn is_no_language(raw: &str) -> bool {
    NOTHINGS.contains(&normalised(raw).as_str())
}

/// A tag in its usual case; `None` if it is not one.
fn written_tag(text: &str) -> Option<String> {
    let mut tag = String::with_capacity(text.len());
    for (place, part) in text.split(['-', '_']).enumerate() {
        let (fewest, most) = if place == 0 { (2, 3) } else { (2, 8) };
        let allowed = |b: u8| b.is_ascii_alphabetic() || (place > 0 && b.is_ascii_digit());
        if !(fewest..=most).contains(&part.len()) || !part.bytes().all(allowed) {
            return None;
        }
        let mut part = part.to_ascii_lowercase();
        if place > 0 {
            tag.push('-');
            // RFC 5646, section 2.1.1: two-letter regions in upper case, four-letter scripts in title case.
            match part.len() {
                2 => part.make_ascii_uppercase(),
                4 => part.get_mut(..1).into_iter().for_each(str::make_ascii_uppercase),
                _ => {}
            }
        }
        tag.push_str(&part);
    }
    (tag.len() <= LANGUAGE_CHARACTERS).then_some(tag)
}

/// The tag of a language with a country or with another name of it: "German (Austria)", "English - UK", "de (Deutsch)".
fn tag_of_two_names(text: &str) -> Option<String> {
    let at = text.find(['(', '（', '[', ',', '-', '–', '—', '/', '_'])?;
    let (name, rest) = text.split_at(at);
    let mark = rest.chars().next()?;
    let other = rest
        .get(mark.len_utf8()..)?
        .trim_matches(|c: char| c.is_whitespace() || "()（）[]".contains(c));
    let is_code = |text: &str| text.len() == 2 && text.bytes().all(|b| b.is_ascii_alphabetic());
    let language = match LANGUAGES.code_of(name) {
        Some(tag) if !tag.contains('-') => tag.to_owned(),
        None if is_code(name.trim()) => name.trim().to_ascii_lowercase(),
        _ => return None,
    };
    if LANGUAGES.code_of(other) == Some(&language) {
        return Some(language);
    }
    // "en, fr" and "en - uk" are two languages.
    let is_list = matches!(mark, ',' | '/') || (is_code(name.trim()) && !matches!(mark, '(' | '（' | '['));
    let is_tag = !text.contains(char::is_whitespace) && !matches!(mark, ',' | '/');
    if is_code(other) && is_list && !is_tag {
        return None;
    }
    let code = other.to_ascii_uppercase();
    let region = REGIONS
        .code_of(other)
        .map(str::to_owned)
        .or_else(|| REGIONS.has_code(&code).then_some(code));
    if let Some(region) = region {
        return Some(format!("{language}-{region}"));
    }
    written_tag(other).filter(|tag| tag.split('-').next() == Some(&language))
}

/// Codes by names.
struct Names {
    codes: HashMap<String, &'static str>,
}

impl Names {
    /// Parses a table: each line has a code and, after a blank, its names between commas.
    fn parse(table: &'static str) -> Self {
        let mut codes = HashMap::new();
        for (code, names) in entries(table) {
            for name in names.split(',').map(normalised) {
                for spelling in [folded(&name), transcribed(&name), name] {
                    codes.entry(spelling).or_insert(code);
                }
            }
        }
        Self { codes }
    }

    fn code_of(&self, name: &str) -> Option<&'static str> {
        let name = normalised(name);
        let code = self.codes.get(&name).or_else(|| self.codes.get(&folded(&name)));
        code.copied()
    }

    fn has_code(&self, code: &str) -> bool {
        self.codes.values().any(|known| *known == code)
    }
}

fn entries(table: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    let lines = table.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_once(' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_has_two_codes() {
        for table in [include_str!("language/names.txt"), include_str!("language/regions.txt")] {
            let mut seen: HashMap<String, &str> = HashMap::new();
            for (code, names) in entries(table) {
                for name in names.split(',').map(normalised) {
                    assert!(!name.is_empty(), "{code}");
                    for spelling in [folded(&name), transcribed(&name)] {
                        let first = *seen.entry(spelling).or_insert(code);
                        assert_eq!(first, code, "{name}");
                    }
                }
            }
            assert!(seen.len() > 100);
        }
    }

    #[test]
    fn languages_in_words_become_tags() {
        for (tag, names) in [
            (
                "de",
                "German, Deutsch, GERMAN, allemand, alemán, aleman, tedesco, Alemão, Duits, niemiecki, deu, ger, DE",
            ),
            ("de", "ドイツ語, 独語"),
            (
                "fr",
                "French, Français, Francais, Französisch, Franzoesisch, francés, francese, francuski, fra, フランス語",
            ),
            (
                "es",
                "Español, Espanol, Spanisch, espagnol, hiszpański, hiszpanski, spa",
            ),
            ("it", "Italiano, Italienisch, italien, Włoski, Wloski"),
            (
                "nl",
                "Nederlands, Niederländisch, néerlandais, Dutch, dut, Nederlands / Dutch",
            ),
            (
                "en",
                "en, EN, eng, Englisch, English (English), en (English), en - English, English [en]",
            ),
            ("tr", "Türkçe, Turkce, TÜRKÇE"),
            (
                "de-DE",
                "German (Germany), Deutsch (Deutschland), de_DE, de-DE, de_DE.UTF-8, de_DE@euro, deu-DE, de (Germany)",
            ),
            (
                "de-AT",
                "German (Austria), Deutsch (Österreich), Deutsch (Oesterreich), German - Austria, German (de-AT)",
            ),
            (
                "en-US",
                "English (United States), English (US), English (U.S.), US English, ENGLISH (USA), 英語（米国）",
            ),
            (
                "en-GB",
                "English (UK), English (United Kingdom), English - UK, British English, en_GB, English (GB)",
            ),
            (
                "pt-BR",
                "Português (Brasil), Portugues (Brasil), Brazilian Portuguese, pt_br, por_BR, Portuguese/Brazil",
            ),
            ("fr-CA", "French (Canada), Canadian French, Français (Canada), fr_CA"),
            ("zh-Hans", "Chinese (Simplified), Simplified Chinese, 简体中文"),
            ("zh-TW", "Chinese (Taiwan), zh_tw"),
            ("zh-Hant-TW", "zh-Hant-TW"),
            ("es-419", "es-419, Español (Latinoamérica)"),
            ("nb-NO", "Norwegian Bokmål (Norway), nb-no"),
            // Tags of languages that look like words for nothing.
            ("na", "na, NA"),
        ] {
            for name in names.split(", ") {
                assert_eq!(language(name), Ok(Some(tag.to_owned())), "{name}");
            }
        }
    }

    #[test]
    fn other_words_are_no_languages() {
        for text in [
            "-", "--", "?", "n/a", "N/A", "NULL", "(null)", "none", "None", "unknown", "keine", "なし",
        ] {
            assert_eq!(language(text), Err(TextFault::Language), "{text}");
            assert!(is_no_language(text), "{text}");
        }
        for text in [
            "Klingon",
            "English please",
            "German, English",
            "German/English",
            "en, fr",
            "EN, UK",
            "en/fr",
            "en - fr",
            "de; fr",
            "de fr",
            "English, FR",
            "German (fluent)",
            "English B2",
            "Germany",
            "Österreich",
            "mother tongue",
            "en-",
            "en--gb",
            "1",
            "1st",
        ] {
            assert_eq!(language(text), Err(TextFault::Language), "{text}");
            assert!(!is_no_language(text), "{text}");
        }
    }
}

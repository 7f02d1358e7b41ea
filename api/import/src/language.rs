//! Language names and tags in files.

use super::header::normalised;
use super::text::{TextFault, clean_text};

/// Maximum length of a language tag (RFC 5646, section 4.4.1).
const LANGUAGE_CHARACTERS: usize = 35;

/// Language names, in English and in the language itself, normalised.
const NAMES: &[(&str, &[&str])] = &[
    ("ar", &["arabic", "العربية"]),
    ("bg", &["bulgarian", "български"]),
    ("cs", &["czech", "čeština", "česky"]),
    ("da", &["danish", "dansk"]),
    ("de", &["german", "deutsch"]),
    ("el", &["greek", "ελληνικά"]),
    (
        "en",
        &[
            "english",
            "englisch",
            "anglais",
            "inglés",
            "inglese",
            "inglês",
            "engels",
            "angielski",
        ],
    ),
    ("es", &["spanish", "español", "castellano"]),
    ("et", &["estonian", "eesti"]),
    ("fi", &["finnish", "suomi"]),
    ("fr", &["french", "français"]),
    ("he", &["hebrew", "עברית"]),
    ("hr", &["croatian", "hrvatski"]),
    ("hu", &["hungarian", "magyar"]),
    ("it", &["italian", "italiano"]),
    ("ja", &["japanese", "日本語"]),
    ("ko", &["korean", "한국어"]),
    ("lt", &["lithuanian", "lietuvių"]),
    ("lv", &["latvian", "latviešu"]),
    ("nb", &["norwegian", "norsk", "bokmål"]),
    ("nl", &["dutch", "nederlands"]),
    ("pl", &["polish", "polski"]),
    ("pt", &["portuguese", "português"]),
    ("ro", &["romanian", "română"]),
    ("ru", &["russian", "русский"]),
    ("sk", &["slovak", "slovenčina", "slovensky"]),
    ("sl", &["slovenian", "slovenščina"]),
    ("sv", &["swedish", "svenska"]),
    ("tr", &["turkish", "türkçe"]),
    ("uk", &["ukrainian", "українська"]),
    ("zh", &["chinese", "中文"]),
];

/// Parses a language tag and normalises its case: `pt_br` is `pt-BR`, and "German" is `de`.
pub(super) fn language(raw: &str) -> Result<Option<String>, TextFault> {
    let text = clean_text(raw);
    if text.is_empty() {
        return Ok(None);
    }
    if let Some(tag) = tag_of(&normalised(&text)) {
        return Ok(Some(tag.to_owned()));
    }
    // A Unix locale also names its encoding: "de_DE.UTF-8".
    let text = text.split_once('.').map_or(text.as_ref(), |(locale, _)| locale);
    let mut tag = String::with_capacity(text.len());
    for (place, part) in text.split(['-', '_']).enumerate() {
        let (fewest, most) = if place == 0 { (2, 3) } else { (2, 8) };
        let allowed = |b: u8| b.is_ascii_alphabetic() || (place > 0 && b.is_ascii_digit());
        if !(fewest..=most).contains(&part.len()) || !part.bytes().all(allowed) {
            return Err(TextFault::Language);
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
    if tag.len() > LANGUAGE_CHARACTERS {
        return Err(TextFault::Language);
    }
    Ok(Some(tag))
}

fn tag_of(name: &str) -> Option<&'static str> {
    let found = NAMES.iter().find(|(_, names)| names.contains(&name));
    found.map(|(tag, _)| *tag)
}

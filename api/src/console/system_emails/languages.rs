//! The languages of a system email, as the editor and the check page name them.

use shared::language::{is_same, name_of};
use shared::system_email::{Template, Texts};

/// A language in the editor's list.
#[derive(Debug)]
pub(super) struct LanguageLine {
    /// Its tag; empty for the default text.
    pub(super) tag: String,
    pub(super) name: String,
    /// Whether its text is in the editor.
    pub(super) is_shown: bool,
    /// Whether the default text was changed after it.
    pub(super) is_older: bool,
}

/// The default text first, then the translations, then one that is not saved yet.
pub(super) fn lines(texts: &Texts, shown: &str) -> Vec<LanguageLine> {
    let line = |tag: &str, name: String, is_older: bool| LanguageLine {
        is_shown: is_same(tag, shown),
        tag: tag.to_owned(),
        name,
        is_older,
    };
    let mut lines = vec![line("", default_name(texts), false)];
    for translation in &texts.translations {
        let tag = &translation.language;
        lines.push(line(tag, name_of(tag), translation.older_than_default.is_some()));
    }
    if lines.iter().all(|line| !line.is_shown) {
        lines.push(line(shown, name_of(shown), false));
    }
    lines
}

/// The name of the default text, with its language if that is stated.
pub(super) fn default_name(texts: &Texts) -> String {
    match texts.language.as_str() {
        "" => "Default text".to_owned(),
        language => format!("Default text: {}", name_of(language)),
    }
}

/// The translations in one sentence; empty if there are none.
pub(super) fn summary(texts: &Texts) -> String {
    let names: Vec<String> = texts
        .translations
        .iter()
        .map(|translation| match translation.older_than_default {
            Some(_) => format!("{}, older than the default text", name_of(&translation.language)),
            None => name_of(&translation.language),
        })
        .collect();
    if names.is_empty() {
        String::new()
    } else {
        format!("Also in {}", names.join("; "))
    }
}

/// The names and texts of all languages.
pub(super) fn named(texts: &Texts) -> Vec<(String, Template)> {
    let default = (default_name(texts), texts.default.clone());
    let others = texts.translations.iter();
    std::iter::once(default)
        .chain(others.map(|other| (name_of(&other.language), other.text.clone())))
        .collect()
}

//! A system email in all its languages.

use super::{Compiled, CustomFields, SystemEmailKind, Template, TemplateFault};
use crate::language::{ByLanguage, is_same};
use serde::{Deserialize, Serialize};

/// Maximum number of translations: every version and every process keeps all of them.
pub const MAX_TRANSLATIONS: usize = 50;

/// A system email in another language than the default text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Translation {
    /// The language tag.
    pub language: String,
    /// The text.
    #[serde(flatten)]
    pub text: Template,
    /// The last version whose default text it translates, if the default text has changed since then.
    pub older_than_default: Option<i32>,
}

/// The texts of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Texts {
    /// The language of the default text; may be empty.
    pub language: String,
    /// The text for users whose language has no translation.
    pub default: Template,
    /// In the order of their tags; none is in the language of the default text.
    pub translations: Vec<Translation>,
}

impl Texts {
    /// A default text without translations.
    pub fn untranslated(language: &str, subject: &str, body: &str) -> Self {
        Self {
            language: language.to_owned(),
            default: Template {
                subject: subject.to_owned(),
                body: body.to_owned(),
            },
            translations: Vec::new(),
        }
    }

    /// Replaces the default text of `version`. All translations are older then, except one in its language, which is
    /// removed.
    pub fn set_default(&mut self, language: &str, text: Template, version: i32) {
        if text != self.default {
            self.default = text;
            for translation in &mut self.translations {
                translation.older_than_default.get_or_insert(version);
            }
        }
        language.clone_into(&mut self.language);
        self.translations.retain(|known| !is_same(&known.language, language));
    }

    /// Replaces or adds a translation, which is then up to date.
    pub fn translate(&mut self, language: &str, text: Template) {
        self.remove(language);
        let at = self
            .translations
            .partition_point(|known| known.language.as_str() < language);
        let translation = Translation {
            language: language.to_owned(),
            text,
            older_than_default: None,
        };
        self.translations.insert(at, translation);
    }

    /// Removes a translation.
    pub fn remove(&mut self, language: &str) {
        self.translations.retain(|known| !is_same(&known.language, language));
    }

    /// The translation in exactly this language.
    pub fn translation(&self, language: &str) -> Option<&Translation> {
        self.translations
            .iter()
            .find(|known| is_same(&known.language, language))
    }

    /// The texts by language.
    pub fn by_language(&self) -> ByLanguage<Template> {
        let others = self.translations.iter();
        ByLanguage {
            language: self.language.clone(),
            default: self.default.clone(),
            others: others
                .map(|other| (other.language.clone(), other.text.clone()))
                .collect(),
        }
    }

    /// Compiles all texts.
    ///
    /// # Errors
    ///
    /// The faults of all texts, each with its language; the language of the default text is `None`.
    pub fn compile(
        &self,
        kind: SystemEmailKind,
        custom: CustomFields<'_>,
    ) -> Result<ByLanguage<Compiled>, Vec<(Option<String>, TemplateFault)>> {
        let mut faults = Vec::new();
        let mut compiled = |language: &str, text: &Template, of: Option<&str>| match text.compile(kind, custom) {
            Ok(compiled) => Some(compiled.in_language(language)),
            Err(found) => {
                faults.extend(found.into_iter().map(|fault| (of.map(str::to_owned), fault)));
                None
            }
        };
        let default = compiled(&self.language, &self.default, None);
        let mut others = Vec::with_capacity(self.translations.len());
        for Translation { language, text, .. } in &self.translations {
            let other = compiled(language, text, Some(language));
            others.extend(other.map(|other| (language.clone(), other)));
        }
        match default {
            Some(default) if faults.is_empty() => Ok(ByLanguage {
                language: self.language.clone(),
                default,
                others,
            }),
            _ => Err(faults),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(body: &str) -> Template {
        Template {
            subject: "Hi".to_owned(),
            body: body.to_owned(),
        }
    }

    #[test]
    fn a_translation_is_older_until_it_is_saved_after_the_default() {
        let mut texts = Texts {
            language: "en".to_owned(),
            default: text("one"),
            translations: Vec::new(),
        };
        texts.translate("fr", text("un"));
        texts.translate("de", text("eins"));
        let older = |texts: &Texts| -> Vec<Option<i32>> {
            texts
                .translations
                .iter()
                .map(|translation| translation.older_than_default)
                .collect()
        };
        texts.set_default("en", text("one"), 3);
        assert_eq!(older(&texts), [None, None]);
        texts.set_default("en", text("two"), 3);
        texts.translate("de", text("zwei"));
        texts.set_default("en", text("three"), 5);
        // In the order of their tags. French still translates version 3.
        assert_eq!(older(&texts), [Some(5), Some(3)]);
        texts.translate("fr", text("un"));
        assert_eq!(older(&texts), [Some(5), None]);
        texts.set_default("de", text("drei"), 6);
        assert_eq!(
            texts
                .by_language()
                .iter()
                .map(|(language, _)| language.to_owned())
                .collect::<Vec<_>>(),
            ["de", "fr"]
        );
    }

    #[test]
    fn faults_name_their_language() {
        let mut texts = Texts {
            language: String::new(),
            default: text("{{ first_nam }}"),
            translations: Vec::new(),
        };
        texts.translate("de", text(""));

        let faults = texts.compile(SystemEmailKind::Invite, CustomFields::Any).map(drop);
        assert_eq!(faults.unwrap_err().len(), 1, "any name may be a field");
        let known = std::collections::BTreeSet::new();
        let faults = texts
            .compile(SystemEmailKind::Invite, CustomFields::Known(&known))
            .unwrap_err();

        let found: Vec<_> = faults
            .iter()
            .map(|(language, fault)| (language.as_deref(), fault.code))
            .collect();
        assert_eq!(found, [(None, "unknown_field"), (Some("de"), "body_missing")]);
    }
}

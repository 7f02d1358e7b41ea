//! The texts of a system email in requests and responses.

use super::{field_error, normalised};
use crate::app::problem::{FieldError, Problem};
use crate::app::validation::not_null;
use import::single;
use serde::{Deserialize, Serialize};
use shared::language::{ByLanguage, is_same};
use shared::store::system_emails::Version;
use shared::system_email::{
    Compiled, CustomFields, MAX_TRANSLATIONS, SystemEmailKind, Template, TemplateFault, Texts, Translation,
};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// The text to save.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SaveRequest {
    /// The subject: one line of up to 200 characters, with merge fields.
    pub subject: String,
    /// The text: Markdown of up to 20,000 characters, with merge fields.
    pub body: String,
    /// The language of subject and body, such as `en` or `pt-BR`; empty for none. Unchanged if omitted.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = String, required = false)]
    pub language: Option<String>,
    /// The same email in other languages, by language tag: all of them, up to 50, and up to date with subject and body.
    /// Unchanged if omitted.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = BTreeMap<String, TextRequest>, required = false)]
    pub translations: Option<BTreeMap<String, TextRequest>>,
    /// The version that was edited. If another version was saved since, nothing is saved.
    pub based_on_version: Option<i32>,
}

/// A text in another language.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TextRequest {
    /// The subject: one line of up to 200 characters, with merge fields.
    pub subject: String,
    /// The text: Markdown of up to 20,000 characters, with merge fields.
    pub body: String,
}

/// A text in another language.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TranslationView {
    /// The subject, with merge fields.
    pub subject: String,
    /// The text, Markdown with merge fields.
    pub body: String,
    /// Whether the default text was changed after this translation.
    pub older_than_default: bool,
}

/// The translations of a version, by language tag.
pub(crate) fn translations(version: &Version) -> BTreeMap<String, TranslationView> {
    let view = |Translation {
                    language,
                    text,
                    older_than_default,
                }: &Translation| {
        let view = TranslationView {
            subject: text.subject.clone(),
            body: text.body.clone(),
            older_than_default: older_than_default.is_some(),
        };
        (language.clone(), view)
    };
    version.translations.iter().map(view).collect()
}

/// The texts of a request. What is `None` stays as it is.
#[derive(Clone, Debug)]
pub(super) struct GivenTexts {
    default: Template,
    language: Option<String>,
    translations: Option<Vec<(String, Template)>>,
}

impl GivenTexts {
    /// Reads the texts of a request that changes the current texts.
    ///
    /// # Errors
    ///
    /// If a language is invalid or occurs twice.
    pub(super) fn read(request: &SaveRequest, now: &Version) -> Result<Self, Problem> {
        let language = request.language.as_deref();
        let language = language.map(|raw| read_language("language", raw)).transpose()?;
        check_number(request.translations.as_ref().map_or(0, BTreeMap::len))?;
        let mut read: Vec<(String, Template)> = Vec::new();
        let of_default = language.as_ref().unwrap_or(&now.language);
        for (raw, text) in request.translations.iter().flatten() {
            let field = format!("translations.{}", single::shown(raw));
            let tag = read_language(&field, raw)?;
            let refuse = |code: &str, message: &str| Err(refused(FieldError::in_field(&field, code, message)));
            if tag.is_empty() {
                return refuse("language_missing", "Name the language of the translation.");
            }
            if is_same(&tag, of_default) {
                return refuse("language_of_default", "This is the language of the default text.");
            }
            if read.iter().any(|(known, _)| is_same(known, &tag)) {
                return refuse("duplicate_language", "This language occurs twice.");
            }
            read.push((tag, normalised(&text.subject, &text.body)));
        }
        Ok(Self {
            default: normalised(&request.subject, &request.body),
            language,
            translations: request.translations.is_some().then_some(read),
        })
    }

    /// The texts of the next version.
    pub(super) fn applied(&self, now: &Version) -> Texts {
        let mut texts = now.texts();
        let language = self.language.as_ref().unwrap_or(&now.language);
        texts.set_default(language, self.default.clone(), now.version);
        if let Some(given) = &self.translations {
            texts.translations.clear();
            for (language, text) in given {
                texts.translate(language, text.clone());
            }
        }
        texts
    }

    /// The given texts alone.
    pub(super) fn texts(&self) -> Texts {
        let language = self.language.as_deref().unwrap_or_default();
        let mut texts = Texts::untranslated(language, &self.default.subject, &self.default.body);
        for (language, text) in self.translations.iter().flatten() {
            texts.translate(language, text.clone());
        }
        texts
    }
}

/// Checks the number of translations.
///
/// # Errors
///
/// `too_many_translations`.
pub(super) fn check_number(translations: usize) -> Result<(), Problem> {
    if translations <= MAX_TRANSLATIONS {
        return Ok(());
    }
    let message = format!("A system email has at most {MAX_TRANSLATIONS} translations.");
    Err(refused(FieldError::in_field(
        "translations",
        "too_many_translations",
        message,
    )))
}

/// Reads a language tag; an empty text stays empty.
///
/// # Errors
///
/// `language_invalid`.
pub(crate) fn read_language(field: &str, raw: &str) -> Result<String, Problem> {
    single::language(raw).map_err(|fault| refused(FieldError::in_field(field, fault.code, fault.message)))
}

fn refused(error: FieldError) -> Problem {
    Problem::invalid("invalid_request", "A language or translation is invalid; see errors.").with_errors(vec![error])
}

/// Compiles all texts.
///
/// # Errors
///
/// `template_invalid` with all errors and their positions; fields of translations begin with `translations.de.`.
pub(crate) fn compile_all(
    kind: SystemEmailKind,
    texts: &Texts,
    custom: CustomFields<'_>,
) -> Result<ByLanguage<Compiled>, Problem> {
    texts.compile(kind, custom).map_err(|faults| {
        let error = |(language, fault): (Option<String>, TemplateFault)| {
            let mut error = field_error(fault);
            if let Some(language) = language {
                error.field = error.field.map(|field| format!("translations.{language}.{field}"));
            }
            error
        };
        super::cannot_be_sent(faults.into_iter().map(error).collect())
    })
}

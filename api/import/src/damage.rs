//! Detects values damaged before the import: by spreadsheets, databases, directories and word processors.
//!
//! Each is a problem that the caller may accept, because what looks damaged may be intended. A value is never changed
//! silently; where the intended value is clear, the problem suggests it.

mod code_pages;
mod dates;
mod domains;
mod encoding;
mod errors;
mod escapes;
mod not_names;
mod words;

pub(super) use domains::{find as of_address, is_impossible};

use std::borrow::Cow;

use super::column::Role;
use super::header::Known;

/// Damage in an otherwise valid value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Damage {
    /// The code for programs.
    pub(super) code: &'static str,
    /// The sentence for the person who fixes the file.
    pub(super) message: Cow<'static, str>,
    /// The value that was probably meant.
    pub(super) suggestion: Option<String>,
}

impl Damage {
    fn new(code: &'static str, message: &'static str) -> Self {
        Self {
            code,
            message: Cow::Borrowed(message),
            suggestion: None,
        }
    }

    fn meaning(self, suggestion: impl Into<String>) -> Self {
        Self {
            suggestion: Some(suggestion.into()),
            ..self
        }
    }

    /// The sentence, with the value that was probably meant.
    pub(super) fn sentence(&self) -> String {
        match &self.suggestion {
            Some(meant) => format!("{} – did you mean {meant}?", self.message),
            None => self.message.clone().into_owned(),
        }
    }
}

/// Finds damage in an otherwise valid value. `column` is its header.
pub(super) fn find(role: &Role, column: Option<&str>, raw: &str) -> Option<Damage> {
    let text = raw.trim();
    if text.is_empty() {
        return None;
    }
    match role {
        Role::Known(Known::FirstName | Known::LastName | Known::FullName) => {
            in_any_text(raw).or_else(|| words::in_a_name(text))
        }
        Role::Field(name) => in_any_text(raw).or_else(|| words::in_a_field(text, column.unwrap_or(name))),
        Role::Known(Known::Email | Known::Language) | Role::Nothing | Role::LeftOut(_) | Role::Problem => None,
    }
}

/// Finds losses that any text can have: replacement characters and spreadsheet errors.
pub(super) fn in_any_text(raw: &str) -> Option<Damage> {
    if raw.contains('\u{FFFD}') {
        return Some(Damage::new(
            "lost_letter",
            "A letter was lost here (�) – write it again and save the file as CSV UTF-8",
        ));
    }
    let text = raw.trim();
    if errors::is_spreadsheet_error(text) {
        return Some(Damage::new(
            "spreadsheet_error",
            "The spreadsheet shows an error in this cell – correct the formula",
        ));
    }
    if let Some(damage) = garbled(raw) {
        return Some(damage);
    }
    escapes::encoded_words(text).or_else(|| words::entities(text))
}

/// Finds UTF-8 text that was decoded with the wrong code page, with the original if it is clear.
fn garbled(raw: &str) -> Option<Damage> {
    let damage = Damage::new("double_encoded", "Letters were garbled when this file was saved");
    let meant = match code_pages::originals(raw).as_slice() {
        [] => {
            let meant = encoding::encoded_twice(raw)?;
            code_pages::central_european(raw).unwrap_or(meant)
        }
        [meant] => meant.clone(),
        _ => return Some(damage),
    };
    Some(damage.meaning(meant))
}

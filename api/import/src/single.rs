//! One user's values outside a file, judged as the values in a file are.

use std::borrow::Cow;

use super::damage;
use super::json::own_name;
use super::text::{self, TextFault};

/// Why a value cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValueFault {
    /// The word for programs.
    pub code: &'static str,
    /// The words for the person who mends it.
    pub message: String,
}

impl From<TextFault> for ValueFault {
    fn from(fault: TextFault) -> Self {
        Self {
            code: fault.code(),
            message: fault.to_string(),
        }
    }
}

/// Refuses a text with a lost letter, or with what a spreadsheet shows for an error.
fn refuse_damage(raw: &str) -> Result<(), ValueFault> {
    match damage::in_any_text(raw) {
        Some(found) if matches!(found.code, "lost_letter" | "spreadsheet_error") => Err(ValueFault {
            code: found.code,
            message: found.sentence(),
        }),
        _ => Ok(()),
    }
}

/// Takes a first or last name; an empty text if nobody would see anything in it.
pub fn name(raw: &str) -> Result<String, ValueFault> {
    refuse_damage(raw)?;
    Ok(text::name(raw)?.map(Cow::into_owned).unwrap_or_default())
}

/// Takes a language tag in its usual case, or an empty text.
pub fn language(raw: &str) -> Result<String, ValueFault> {
    Ok(super::language::language(raw)?.unwrap_or_default())
}

/// Takes a value of a merge field; none if nobody would see anything in it.
pub fn value(raw: &str) -> Result<Option<String>, ValueFault> {
    refuse_damage(raw)?;
    Ok(text::value(raw)?.map(Cow::into_owned))
}

/// The merge field that a key means: "Start date" is `start_date`.
pub fn field_name(key: &str) -> Result<String, ValueFault> {
    own_name(key).map_err(|(code, message)| ValueFault { code, message })
}

/// A text as it is shown back: without controls, and not the whole of a long one.
pub fn shown(raw: &str) -> String {
    text::shown(raw)
}

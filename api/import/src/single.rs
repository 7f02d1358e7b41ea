//! One user's values outside a file, validated like the values in a file.

use std::borrow::Cow;

use super::damage;
use super::merge_field::merge_field;
use super::text::{self, TextFault};

/// Why a value is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValueFault {
    /// The code for programs.
    pub code: &'static str,
    /// The sentence for the person who fixes it.
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

/// Refuses text with a replacement character or a spreadsheet error.
fn refuse_damage(raw: &str) -> Result<(), ValueFault> {
    match damage::in_any_text(raw) {
        Some(found) if matches!(found.code, "lost_letter" | "spreadsheet_error") => Err(ValueFault {
            code: found.code,
            message: found.sentence(),
        }),
        _ => Ok(()),
    }
}

/// Validates a first or last name; returns an empty text if nothing in it is visible.
pub fn name(raw: &str) -> Result<String, ValueFault> {
    refuse_damage(raw)?;
    Ok(text::name(raw)?.map(Cow::into_owned).unwrap_or_default())
}

/// Normalises a language tag; an empty text stays empty.
pub fn language(raw: &str) -> Result<String, ValueFault> {
    Ok(super::language::language(raw)?.unwrap_or_default())
}

/// Validates a value of a merge field; `None` if nothing in it is visible.
pub fn value(raw: &str) -> Result<Option<String>, ValueFault> {
    refuse_damage(raw)?;
    Ok(text::value(raw)?.map(Cow::into_owned))
}

/// The merge field for a key: "Start date" is `start_date`.
pub fn field_name(key: &str) -> Result<String, ValueFault> {
    merge_field(key).map_err(|(code, message)| ValueFault { code, message })
}

/// A text for display: without control characters, and shortened if long.
pub fn shown(raw: &str) -> String {
    text::shown(raw)
}

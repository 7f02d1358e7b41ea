//! Rules for single fields of requests, whether they come from the API or the console.

use crate::app::problem::{FieldError, Problem};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use std::fmt::Write as _;

/// Number of characters of a wrong value that an error repeats.
const SHOWN_CHARACTERS: usize = 80;

/// Reads an optional field and rejects null. A script whose variable is empty sends null; treating it as absent would
/// select other users or start something else.
///
/// # Errors
///
/// If the value is null or of another type.
pub fn not_null<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    match Option::deserialize(deserializer)? {
        None => Err(D::Error::custom(
            "null is not allowed; give a value, or leave the field out",
        )),
        some => Ok(some),
    }
}

/// Rejects control characters (C0 and C1, including NUL), which cannot be stored or shown safely.
///
/// # Errors
///
/// A validation error for the field.
pub fn without_controls(field: &str, text: &str) -> Result<(), FieldError> {
    if text.chars().any(char::is_control) {
        return Err(FieldError::in_field(
            field,
            "control_character",
            format!("{field} has a control character; remove it."),
        ));
    }
    Ok(())
}

/// The problem of a request with one unusable field.
pub(crate) fn unusable(fault: FieldError) -> Problem {
    Problem::invalid("invalid_request", fault.message.clone()).with_errors(vec![fault])
}

/// A value from a request, made safe to repeat: shortened and without control characters.
pub(crate) fn shown(text: &str) -> String {
    let mut visible = text.chars().filter(|c| !c.is_control());
    let mut shown: String = visible.by_ref().take(SHOWN_CHARACTERS).collect();
    if visible.next().is_some() {
        let _ = shown.write_char('…');
    }
    shown
}

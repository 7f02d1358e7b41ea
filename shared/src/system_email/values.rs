//! What the fields of a letter are filled with, for one person.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::password::Password;

use super::{Field, is_same_name};

/// What stands for a password wherever it is not the mail itself.
pub const MASKED_PASSWORD: &str = "••••••••••••";

/// Characters of a value that are used. Imports refuse longer values long before this, so
/// only a fault elsewhere meets it, and it bounds the mail all the same.
const CHARACTERS: usize = 1_000;

/// The password as a letter shows it.
#[derive(Clone, Copy)]
pub enum ShownPassword<'v> {
    /// In the mail to its owner.
    Secret(&'v Password),
    /// In a preview.
    Masked,
}

/// What is known of one person when their letter is written.
///
/// An empty text or one of spaces counts as unknown. All of it is data: nothing in a value
/// can be read as HTML, as Markdown, as a link or as a field.
#[derive(Clone, Copy)]
pub struct LetterValues<'v> {
    /// As imported.
    pub first_name: &'v str,
    /// As imported.
    pub last_name: &'v str,
    /// The address as its owner writes it: [`crate::address::EmailAddress::as_typed`].
    pub email: &'v str,
    /// As imported.
    pub language: &'v str,
    /// The other columns of the import, as Postgres keeps them: texts.
    pub fields: &'v Map<String, Value>,
    /// Who sends.
    pub organisation: &'v str,
    /// Where people sign in. From the configuration, which has checked it: it is put into
    /// links as it is.
    pub sign_in_url: &'v str,
    /// In password mails only.
    pub password: Option<ShownPassword<'v>>,
    /// When the password stops working, for people: `26 November 2026, 14:00 UTC`.
    pub password_expires: Option<&'v str>,
}

impl<'v> LetterValues<'v> {
    /// The value of a field on one line, or an empty text if it is unknown.
    pub fn of(&self, field: &Field) -> Cow<'v, str> {
        match field {
            Field::FirstName => on_one_line(self.first_name),
            Field::LastName => on_one_line(self.last_name),
            Field::FullName => match (on_one_line(self.first_name), on_one_line(self.last_name)) {
                (first, last) if last.is_empty() => first,
                (first, last) if first.is_empty() => last,
                (first, last) => Cow::Owned([&*first, &*last].join(" ")),
            },
            Field::Email => on_one_line(self.email),
            Field::Language => on_one_line(self.language),
            Field::Organisation => on_one_line(self.organisation),
            Field::SignInUrl => on_one_line(self.sign_in_url),
            // Borrowed as it is: a copy would stay in memory.
            Field::Password => Cow::Borrowed(match self.password {
                Some(ShownPassword::Secret(password)) => password.expose_for_mail(),
                Some(ShownPassword::Masked) => MASKED_PASSWORD,
                None => "",
            }),
            Field::PasswordExpires => on_one_line(self.password_expires.unwrap_or_default()),
            Field::Custom(name) => on_one_line(self.custom(name)),
        }
    }

    fn custom(&self, name: &str) -> &'v str {
        let exact = self.fields.get(name);
        let value = exact.or_else(|| {
            self.fields
                .iter()
                .find(|(known, _)| is_same_name(known, name))
                .map(|(_, value)| value)
        });
        value.and_then(Value::as_str).unwrap_or_default()
    }
}

/// A value without what could break a line or turn the text around it.
pub(super) fn on_one_line(value: &str) -> Cow<'_, str> {
    let value = value.trim();
    // Most values are short and plain.
    if value.len() <= CHARACTERS && !value.contains(|c| breaks_line(c) || turns_text(c)) {
        return Cow::Borrowed(value);
    }
    let kept = value.chars().filter(|c| !turns_text(*c)).take(CHARACTERS);
    Cow::Owned(kept.map(|c| if breaks_line(c) { ' ' } else { c }).collect())
}

/// Controls, and the separators that some programs break lines at.
pub(super) fn breaks_line(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

/// Marks that turn the direction of all that follows. Names in Arabic or Hebrew need none.
pub(super) fn turns_text(c: char) -> bool {
    matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

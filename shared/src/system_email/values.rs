//! The values of an email's fields for one user.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::password::Password;

use super::{Field, is_same_name};

/// Shown instead of a password everywhere but in the mail itself.
pub const MASKED_PASSWORD: &str = "••••••••••••";

/// Maximum length of a value in characters. Imports reject longer values long before, so this only bounds the
/// mail in case of a bug elsewhere.
const CHARACTERS: usize = 1_000;

/// The password as shown in an email.
#[derive(Clone, Copy)]
pub enum ShownPassword<'v> {
    /// In the user's mail.
    Secret(&'v Password),
    /// In a preview.
    Masked,
}

/// What is known about a user when their email is written.
///
/// An empty text or one of only spaces counts as unknown. All of it is data: no value is parsed as HTML,
/// Markdown, a link or a field.
#[derive(Clone, Copy)]
pub struct LetterValues<'v> {
    /// As imported.
    pub first_name: &'v str,
    /// As imported.
    pub last_name: &'v str,
    /// The address as typed: [`crate::address::EmailAddress::as_typed`].
    pub email: &'v str,
    /// As imported.
    pub language: &'v str,
    /// The other columns of the import, as Postgres stores them: strings.
    pub fields: &'v Map<String, Value>,
    /// The sending organisation.
    pub organisation: &'v str,
    /// The sign-in page. The configuration has validated it: it is inserted into links unchanged.
    pub sign_in_url: &'v str,
    /// Only in password mails.
    pub password: Option<ShownPassword<'v>>,
    /// When the password expires, in the form `26 November 2026, 14:00 UTC`.
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
            // Borrowed unchanged: a copy would stay in memory.
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

/// A value without characters that break lines or change the direction of text.
pub(super) fn on_one_line(value: &str) -> Cow<'_, str> {
    let value = value.trim();
    // Most values are short and plain.
    if value.len() <= CHARACTERS && !value.contains(|c| breaks_line(c) || changes_direction(c)) {
        return Cow::Borrowed(value);
    }
    let kept = value.chars().filter(|c| !changes_direction(*c)).take(CHARACTERS);
    Cow::Owned(kept.map(|c| if breaks_line(c) { ' ' } else { c }).collect())
}

/// Control characters, and the separators at which some programs break lines.
pub(super) fn breaks_line(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

/// Marks that change the direction of all following text. Names in Arabic or Hebrew need none.
pub(super) fn changes_direction(c: char) -> bool {
    matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

//! The merge fields: their names and meanings.

use crate::address::edit_distance;

use super::{CustomFields, SystemEmailKind};

/// A field in an email that is filled with each user's value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// The user's first name.
    FirstName,
    /// The user's last name.
    LastName,
    /// First and last name, or either one alone.
    FullName,
    /// The user's email address as typed.
    Email,
    /// The user's language, as imported.
    Language,
    /// The sending organisation.
    Organisation,
    /// The sign-in page. The only field that may start a link.
    SignInUrl,
    /// The generated password. Only in password mails.
    Password,
    /// When the password expires. Only in password mails.
    PasswordExpires,
    /// A column of an import, by its name there.
    Custom(String),
}

impl Field {
    /// Every built-in field, in the order in which the editor offers them.
    const BUILT_IN: [Self; 9] = [
        Self::FirstName,
        Self::LastName,
        Self::FullName,
        Self::Email,
        Self::Language,
        Self::Organisation,
        Self::SignInUrl,
        Self::Password,
        Self::PasswordExpires,
    ];

    /// The fields that an email of this kind may use.
    pub fn offered(kind: SystemEmailKind, custom: CustomFields<'_>) -> Vec<Self> {
        let built_in = Self::BUILT_IN.into_iter().filter(|field| field.is_allowed_in(kind));
        let custom = match custom {
            CustomFields::Known(names) => names.iter().cloned().map(Self::Custom).collect(),
            CustomFields::Any => Vec::new(),
        };
        built_in.chain(custom).collect()
    }

    /// The name, as written between the braces.
    pub fn name(&self) -> &str {
        match self {
            Self::FirstName => "first_name",
            Self::LastName => "last_name",
            Self::FullName => "full_name",
            Self::Email => "email",
            Self::Language => "language",
            Self::Organisation => "organisation",
            Self::SignInUrl => "sign_in_url",
            Self::Password => "password",
            Self::PasswordExpires => "password_expires",
            Self::Custom(name) => name,
        }
    }

    /// What it means, shown next to its button in the editor.
    pub fn meaning(&self) -> &'static str {
        match self {
            Self::FirstName => "The person's first name",
            Self::LastName => "The person's last name",
            Self::FullName => "The person's first and last name",
            Self::Email => "The person's email address",
            Self::Language => "The person's language, as imported",
            Self::Organisation => "The name of your organisation",
            Self::SignInUrl => "The address of the sign-in page",
            Self::Password => "The password created for this person when the email is sent",
            Self::PasswordExpires => "The date and time when the password expires",
            Self::Custom(_) => "A column from your import",
        }
    }

    /// Finds the field with this name in any spelling.
    pub(super) fn find(name: &str, custom: CustomFields<'_>) -> Option<Self> {
        let built_in = Self::BUILT_IN.into_iter().find(|field| {
            is_same_name(field.name(), name) || field.other_names().iter().any(|n| is_same_name(n, name))
        });
        built_in.or_else(|| match custom {
            CustomFields::Known(names) => names
                .iter()
                .find(|known| is_same_name(known, name))
                .cloned()
                .map(Self::Custom),
            CustomFields::Any => Some(Self::Custom(name.to_owned())),
        })
    }

    /// The field whose name is closest to an unknown one, if any is close.
    pub(super) fn nearest(name: &str, kind: SystemEmailKind, custom: CustomFields<'_>) -> Option<Self> {
        let bare: String = bare_name(name).collect();
        let distance = |field: &Self| {
            let known: String = bare_name(field.name()).collect();
            let is_start = bare.len() >= 4 && (known.starts_with(&bare) || bare.starts_with(&known));
            if is_start { 1 } else { edit_distance(&bare, &known) }
        };
        let nearest = Self::offered(kind, custom).into_iter().min_by_key(distance)?;
        // Two typos in a name of four letters make it a different name.
        (distance(&nearest) <= if bare.len() < 6 { 1 } else { 2 }).then_some(nearest)
    }

    /// False for fields that are only allowed in password mails, in other mails.
    pub(super) fn is_allowed_in(&self, kind: SystemEmailKind) -> bool {
        let is_about_password = matches!(self, Self::Password | Self::PasswordExpires);
        !is_about_password || kind == SystemEmailKind::PasswordReset
    }

    /// Other spellings used by administrators and import files.
    fn other_names(&self) -> &'static [&'static str] {
        match self {
            Self::Organisation => &["organization"],
            Self::Email => &["email_address"],
            _ => &[],
        }
    }
}

/// Whether two names mean the same field: case, spaces, `_` and `-` are ignored.
///
/// Also the rule for the headers of imports.
pub fn is_same_name(a: &str, b: &str) -> bool {
    bare_name(a).eq(bare_name(b))
}

/// The letters of a name that are compared.
fn bare_name(name: &str) -> impl Iterator<Item = char> {
    name.chars()
        .filter(|c| !c.is_whitespace() && !matches!(c, '_' | '-'))
        .flat_map(char::to_lowercase)
}

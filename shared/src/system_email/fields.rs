//! The merge fields: what they are called and what they mean.

use crate::address::slips_between;

use super::{CustomFields, SystemEmailKind};

/// A place in a letter that each person's own value fills.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// The person's first name.
    FirstName,
    /// The person's last name.
    LastName,
    /// First and last name, or the one of them there is.
    FullName,
    /// The person's email address as its owner writes it.
    Email,
    /// The person's language, as imported.
    Language,
    /// The organisation that sends.
    Organisation,
    /// Where people sign in. The one field that may be the start of a link.
    SignInUrl,
    /// The generated password. In password mails only.
    Password,
    /// When the password stops working. In password mails only.
    PasswordExpires,
    /// A column of an import, by its name there.
    Custom(String),
}

impl Field {
    /// Every field but the custom ones, in the order in which the editor offers them.
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

    /// The fields a letter of this kind may have.
    pub fn offered(kind: SystemEmailKind, custom: CustomFields<'_>) -> Vec<Self> {
        let built_in = Self::BUILT_IN.into_iter().filter(|field| field.is_allowed_in(kind));
        let custom = match custom {
            CustomFields::Known(names) => names.iter().cloned().map(Self::Custom).collect(),
            CustomFields::Any => Vec::new(),
        };
        built_in.chain(custom).collect()
    }

    /// The name, as it is written between the braces.
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

    /// What it stands for, beside its button in the editor.
    pub fn meaning(&self) -> &'static str {
        match self {
            Self::FirstName => "The person's first name",
            Self::LastName => "The person's last name",
            Self::FullName => "The person's first and last name",
            Self::Email => "The person's email address",
            Self::Language => "The person's language, as imported",
            Self::Organisation => "The name of your organisation",
            Self::SignInUrl => "The address of the sign-in page",
            Self::Password => "The password made for this person when the email is sent",
            Self::PasswordExpires => "The date and time until which the password works",
            Self::Custom(_) => "A column of your import",
        }
    }

    /// The field a name means, however it is spelled.
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

    /// The field whose name is nearest to one that means none, if any is near.
    pub(super) fn nearest(name: &str, kind: SystemEmailKind, custom: CustomFields<'_>) -> Option<Self> {
        let bare: String = bare_name(name).collect();
        let distance = |field: &Self| {
            let known: String = bare_name(field.name()).collect();
            let is_start = bare.len() >= 4 && (known.starts_with(&bare) || bare.starts_with(&known));
            if is_start { 1 } else { slips_between(&bare, &known) }
        };
        let nearest = Self::offered(kind, custom).into_iter().min_by_key(distance)?;
        // Two slips in a name of four letters make it another name.
        (distance(&nearest) <= if bare.len() < 6 { 1 } else { 2 }).then_some(nearest)
    }

    /// False for what only password mails may say.
    pub(super) fn is_allowed_in(&self, kind: SystemEmailKind) -> bool {
        let is_about_password = matches!(self, Self::Password | Self::PasswordExpires);
        !is_about_password || kind == SystemEmailKind::PasswordReset
    }

    /// Spellings that people and import files use for the same thing.
    fn other_names(&self) -> &'static [&'static str] {
        match self {
            Self::Organisation => &["organization"],
            Self::Email => &["email_address"],
            _ => &[],
        }
    }
}

/// True if two names mean one field: case, spaces, `_` and `-` do not count.
///
/// The rule for the headers of imports too.
pub fn is_same_name(a: &str, b: &str) -> bool {
    bare_name(a).eq(bare_name(b))
}

/// The letters of a name that count.
fn bare_name(name: &str) -> impl Iterator<Item = char> {
    name.chars()
        .filter(|c| !c.is_whitespace() && !matches!(c, '_' | '-'))
        .flat_map(char::to_lowercase)
}

//! A column of a file, and what its cells are used for.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::header::Known;

/// What the cells of a column are used for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Role {
    /// A built-in value.
    Known(Known),
    /// Values of a merge field.
    Field(String),
    /// Not used: an empty column without a name.
    Nothing,
    /// Not used, for a reason.
    LeftOut(LeftOut),
    /// The problems of the row, written by us in an earlier export.
    Problem,
}

/// Why a column is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LeftOut {
    /// Beckon fills the field itself.
    FilledByBeckon,
    /// It describes passwords.
    AboutPasswords,
    /// Its name cannot be a field name.
    NotAName,
    /// The caller's mapping excludes it.
    ByChoice,
    /// The mapping assigns its value to another column.
    FilledByAnother,
}

impl LeftOut {
    fn reason(self) -> &'static str {
        match self {
            Self::FilledByBeckon => "Not imported: Beckon fills this field itself",
            Self::AboutPasswords => "Not imported: it is about passwords",
            Self::NotAName => {
                "Not imported: the name of a field starts with a letter and has 64 letters or digits at most"
            }
            Self::ByChoice => "Not imported, as chosen",
            Self::FilledByAnother => "Not imported: another column was chosen for this field",
        }
    }
}

/// One column.
#[derive(Debug, Clone)]
pub(super) struct Column {
    /// The header as written, without surrounding blanks.
    pub(super) header: String,
    /// What its cells are used for.
    pub(super) role: Role,
}

/// How a column of a file is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReadColumn {
    /// The header as written.
    pub header: String,
    /// What its cells fill: `email`, `first_name`, `last_name`, `full_name` (split into first and last name),
    /// `language`, or the name of a merge field; none if they are not read.
    pub field: Option<String>,
    /// Why they are not read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl From<&Column> for ReadColumn {
    fn from(column: &Column) -> Self {
        let (field, note) = match &column.role {
            Role::LeftOut(why) => (None, Some(why.reason().to_owned())),
            Role::Nothing | Role::Problem => (None, None),
            role => (Some(own_field(role).to_owned()), None),
        };
        Self {
            header: column.header.clone(),
            field,
            note,
        }
    }
}

/// The name of the field that a role fills.
pub(super) fn own_field(role: &Role) -> &str {
    match role {
        Role::Known(Known::Email) => "email",
        Role::Known(Known::FirstName) => "first_name",
        Role::Known(Known::LastName) => "last_name",
        Role::Known(Known::FullName) => "full_name",
        Role::Known(Known::Language) => "language",
        Role::Field(name) => name,
        Role::Nothing | Role::LeftOut(_) | Role::Problem => "",
    }
}

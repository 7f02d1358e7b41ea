//! Header cells to columns.
//!
//! A header is matched without regard to case, blanks, `_`, hyphens and signs without width,
//! so that "E-Mail Address", `email_address` and "EMAIL" all hold the addresses. Each column
//! that is none of ours becomes a merge field.

use super::FileFault;
use super::cells::Row;
use super::export::as_written;
use super::text::{is_invisible, letter, shown};

/// Merge fields that no import may fill, squeezed: Beckon knows them better, and a password
/// in a file is what Beckon is there to prevent. `organization` is read as `organisation`
/// in a letter, so a column of that name could never be seen.
const RESERVED: [&str; 6] = [
    "password",
    "organisation",
    "organization",
    "signinurl",
    "passwordexpires",
    "fullname",
];

/// Characters the name of a merge field may have.
const NAME_CHARACTERS: usize = 64;

/// The header of our own file of rejected rows, squeezed. See [`super::FixFile`].
const PROBLEM: &str = "problem";

/// What the cells of a column are for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Role {
    /// The addresses.
    Email,
    /// First names.
    FirstName,
    /// Last names.
    LastName,
    /// Language tags.
    Language,
    /// Values of a merge field.
    Field(String),
    /// Nothing: a column without a name, which is empty.
    Nothing,
    /// What was wrong with the row last time, told by us.
    Problem,
}

/// One column.
#[derive(Debug, Clone)]
pub(super) struct Column {
    /// The header as written, without blanks around it.
    pub(super) header: String,
    /// What its cells are for.
    pub(super) role: Role,
}

/// Reads the header row.
pub(super) fn read_header(header: &Row) -> Result<Vec<Column>, FileFault> {
    let names: Vec<String> = header.cells().map(|cell| shown(as_written(cell))).collect();
    let emails = names.iter().filter(|name| is_email(&squeezed(name))).count();
    if emails == 0 {
        return Err(FileFault::NoEmailColumn {
            looks_like_rows: names.iter().any(|name| name.contains('@')),
            columns: names,
        });
    }
    if emails > 1 {
        return Err(FileFault::TwoEmailColumns);
    }
    refuse_duplicates(&names)?;
    let last = names.len() - 1;
    let mut columns = Vec::with_capacity(names.len());
    for (place, header) in names.into_iter().enumerate() {
        let role = if place == last && squeezed(&header) == PROBLEM {
            Role::Problem
        } else {
            role_of(&header, place)?
        };
        columns.push(Column { header, role });
    }
    Ok(columns)
}

/// The field that the cells below a header fill: `email`, `first_name`, `last_name`, `language`, or the
/// name of a merge field; none if they are not read.
pub fn field_of(header: &str) -> Option<String> {
    match role_of(header, 0).ok()? {
        Role::Field(name) => Some(name),
        Role::Nothing | Role::Problem => None,
        role => Some(own_field(&role).to_owned()),
    }
}

/// The name of a field that is no merge field.
pub(super) fn own_field(role: &Role) -> &str {
    match role {
        Role::Email => "email",
        Role::FirstName => "first_name",
        Role::LastName => "last_name",
        Role::Language => "language",
        Role::Field(name) => name,
        Role::Nothing | Role::Problem => "",
    }
}

fn refuse_duplicates(names: &[String]) -> Result<(), FileFault> {
    let mut seen: Vec<String> = Vec::with_capacity(names.len());
    for (place, name) in names.iter().enumerate() {
        let squeezed = squeezed(name);
        let first = seen.iter().position(|earlier| *earlier == squeezed);
        if let (Some(first), false) = (first, squeezed.is_empty()) {
            return Err(FileFault::DuplicateColumn {
                name: name.clone(),
                first: letter(first),
                second: letter(place),
            });
        }
        seen.push(squeezed);
    }
    Ok(())
}

fn role_of(header: &str, place: usize) -> Result<Role, FileFault> {
    Ok(match squeezed(header).as_str() {
        "" if header.is_empty() => Role::Nothing,
        squeezed if is_email(squeezed) => Role::Email,
        "firstname" => Role::FirstName,
        "lastname" => Role::LastName,
        "language" => Role::Language,
        squeezed if is_reserved(squeezed) => {
            return Err(FileFault::ReservedColumn {
                column: letter(place),
                name: header.to_owned(),
            });
        }
        _ => Role::Field(field_name(header).ok_or_else(|| FileFault::ColumnName {
            column: letter(place),
            name: header.to_owned(),
        })?),
    })
}

fn is_email(squeezed: &str) -> bool {
    matches!(squeezed, "email" | "emailaddress")
}

/// True for the squeezed name of a merge field that Beckon fills by itself.
pub(super) fn is_reserved(squeezed: &str) -> bool {
    RESERVED.contains(&squeezed)
}

/// True for the squeezed name of a value that has its own place beside the merge fields.
pub(super) fn is_own_field(squeezed: &str) -> bool {
    is_email(squeezed) || matches!(squeezed, "firstname" | "lastname" | "language")
}

/// A name without what matching disregards: only letters and digits count, as in the merge field
/// it would become, so that two columns never fill one field.
pub(super) fn squeezed(name: &str) -> String {
    name.chars()
        .filter(|&c| c.is_alphanumeric() && !is_invisible(c))
        .flat_map(char::to_lowercase)
        .collect()
}

/// The merge field of a header: "Start date (2026)" is `start_date_2026`.
///
/// `None` if no letter starts it, or it is too long.
pub(super) fn field_name(header: &str) -> Option<String> {
    let mut name = String::with_capacity(header.len());
    for c in header
        .chars()
        .filter(|&c| !is_invisible(c))
        .flat_map(char::to_lowercase)
    {
        if c.is_alphanumeric() {
            name.push(c);
        } else if !name.is_empty() && !name.ends_with('_') {
            name.push('_');
        }
    }
    name.truncate(name.trim_end_matches('_').len());
    let starts_well = name.chars().next().is_some_and(char::is_alphabetic);
    (starts_well && name.chars().count() <= NAME_CHARACTERS).then_some(name)
}

//! A caller's choice of what columns are read as.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::column::{LeftOut, ReadColumn, Role};
use super::header::{Known, normalised};
use super::single::{ValueFault, field_name};
use super::text::letter;

/// The field that each column fills, by the column's key ([`column_keys`]); null for a column that is not imported.
///
/// A column without an entry is read by its header.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Mapping(BTreeMap<String, Option<String>>);

/// An earlier mapping, and the columns of its file.
#[derive(Clone, Debug)]
pub struct RememberedMapping {
    /// The keys of all columns, sorted.
    pub columns: Vec<String>,
    /// The mapping of these columns.
    pub mapping: Mapping,
}

impl Mapping {
    /// Validates a mapping as written: "E-mail" and `email` are the same field, and so are "Start date" and
    /// `start_date`.
    ///
    /// # Errors
    ///
    /// The columns whose field cannot be filled, each with the reason.
    pub fn new(written: impl IntoIterator<Item = (String, Option<String>)>) -> Result<Self, Vec<(String, ValueFault)>> {
        let (mut fields, mut faults) = (BTreeMap::new(), Vec::new());
        for (column, field) in written {
            match field.as_deref().map(own_field_of).transpose() {
                Ok(field) => {
                    fields.insert(column, field);
                }
                Err(fault) => faults.push((column, fault)),
            }
        }
        if faults.is_empty() {
            Ok(Self(fields))
        } else {
            Err(faults)
        }
    }

    /// Reads a mapping as it was serialised; `None` if there is none, or if it is not a mapping.
    pub fn from_stored(stored: Option<&serde_json::Value>) -> Option<Self> {
        Self::deserialize(stored?).ok()
    }

    /// The mapping that corresponds to how these columns are read.
    pub fn of_columns(columns: &[ReadColumn]) -> Self {
        let header: Vec<String> = columns.iter().map(|column| column.header.clone()).collect();
        let fields = columns.iter().map(|column| column.field.clone());
        Self(column_keys(&header).into_iter().zip(fields).collect())
    }

    /// The keys of the columns that it names.
    pub(super) fn keys(&self) -> impl Iterator<Item = &String> {
        self.0.keys()
    }

    /// Whether it is a mapping of a file with this header: every column that it names is there, at least one of them by
    /// its name.
    pub(super) fn names_columns_of(&self, header: &[String]) -> bool {
        let keys = column_keys(header);
        let is_letter = |key: &String| key.len() <= 2 && key.bytes().all(|b| b.is_ascii_uppercase());
        let is_there = |key: &String| keys.contains(key);
        self.keys().all(|key| is_there(key) || is_letter(key)) && self.keys().any(is_there)
    }

    /// The role chosen for a column.
    pub(super) fn role_of(&self, key: &str) -> Option<Role> {
        let field = self.0.get(key)?;
        Some(match field.as_deref() {
            None => Role::LeftOut(LeftOut::ByChoice),
            Some("email") => Role::Known(Known::Email),
            Some("first_name") => Role::Known(Known::FirstName),
            Some("last_name") => Role::Known(Known::LastName),
            Some("full_name") => Role::Known(Known::FullName),
            Some("language") => Role::Known(Known::Language),
            Some(name) => Role::Field(name.to_owned()),
        })
    }
}

impl RememberedMapping {
    /// Whether its file had these columns, in any order.
    pub(super) fn fits(&self, header: &[String]) -> bool {
        self.columns == sorted_keys(header)
    }
}

/// The name of the field that is meant.
fn own_field_of(written: &str) -> Result<String, ValueFault> {
    let known = match normalised(written).as_str() {
        "email" | "emailaddress" => "email",
        "firstname" => "first_name",
        "lastname" => "last_name",
        "fullname" => "full_name",
        "language" => "language",
        _ => return field_name(written),
    };
    Ok(known.to_owned())
}

/// The keys of a file's columns: the header, or the letter if the header is blank or repeated.
pub fn column_keys(header: &[String]) -> Vec<String> {
    let (mut seen, mut repeated) = (BTreeSet::new(), BTreeSet::new());
    for name in header {
        if !seen.insert(name) {
            repeated.insert(name);
        }
    }
    let key = |(place, name): (usize, &String)| {
        if name.is_empty() || repeated.contains(name) {
            letter(place)
        } else {
            name.clone()
        }
    };
    header.iter().enumerate().map(key).collect()
}

/// The keys of a file's columns, sorted, so that their order does not matter.
pub fn sorted_keys(header: &[String]) -> Vec<String> {
    let mut keys = column_keys(header);
    keys.sort_unstable();
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(header: &[&str]) -> Vec<String> {
        header.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn a_column_is_named_by_its_header_or_by_its_letter() {
        assert_eq!(
            column_keys(&names(&["Mail", "Name", "", "Name"])),
            ["Mail", "B", "C", "D"]
        );
        assert_eq!(
            sorted_keys(&names(&["b", "a"])),
            sorted_keys(&names(&["a", "b"])),
            "the order makes no difference"
        );
    }

    #[test]
    fn fields_are_understood_as_headers_are_and_passwords_are_refused() {
        let written = |field: &str| vec![("X".to_owned(), Some(field.to_owned()))];
        for (field, meant) in [
            ("E-Mail", "email"),
            ("Full name", "full_name"),
            ("Start date", "start_date"),
            ("last_name", "last_name"),
        ] {
            let mapping = Mapping::new(written(field)).unwrap();
            assert_eq!(serde_json::json!(mapping), serde_json::json!({ "X": meant }), "{field}");
        }
        for field in ["password", "Initial password", "organisation", "2sv", ""] {
            let faults = Mapping::new(written(field)).unwrap_err();
            assert_eq!(faults.len(), 1, "{field}");
        }
    }
}

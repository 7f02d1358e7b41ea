//! Maps header cells to columns.
//!
//! A column with a known name fills the corresponding value ([`super::header`] has the rules); any other one fills a
//! merge field. A column that no email could use is left out with a reason; a password column refuses the file.

use super::FileFault;
use super::cells::Row;
use super::column::{Column, LeftOut, ReadColumn, Role, own_field};
use super::header::{Known, Passwords, field_name, known_columns, normalised, passwords_in, without_notes};
use super::mapping::Mapping;
use super::merge_field::is_reserved;
use super::safe_csv::as_written;
use super::text::{letter, shown};

/// The last header of our file of rejected rows, normalised. See [`super::FixFile`].
const PROBLEM: &str = "problem";

/// Reads the header row and the mapping of its columns. Returns the columns and what is wrong with them.
pub(super) fn read_header(names: &[String], mapping: Option<&Mapping>) -> (Vec<Column>, Vec<FileFault>) {
    let mut faults = password_columns(names);
    let columns = columns_of(names, mapping);
    if let Some(mapping) = mapping {
        let known = own_keys(&columns);
        let unknown: Vec<String> = mapping.keys().filter(|key| !known.contains(key)).cloned().collect();
        if !unknown.is_empty() {
            faults.push(FileFault::UnknownColumns {
                unknown,
                columns: known,
            });
        }
    }
    if !columns.iter().any(is_email) {
        faults.push(FileFault::NoEmailColumn {
            looks_like_rows: names.iter().any(|name| name.contains('@')),
            has_addresses: false,
            columns: names.to_vec(),
        });
    }
    faults.extend(doubles(&columns));
    (columns, faults)
}

/// The place of the column for addresses, judged by the names alone.
pub(super) fn email_column(names: &[String]) -> Option<usize> {
    known_columns(names)
        .iter()
        .position(|known| *known == Some(Known::Email))
}

/// How the columns of a file with this header are read.
pub fn read_columns(header: &[String], mapping: Option<&Mapping>) -> Vec<ReadColumn> {
    columns_of(header, mapping).iter().map(ReadColumn::from).collect()
}

/// The keys by which a mapping names these columns. Our own column "Problem" has none.
fn own_keys(columns: &[Column]) -> Vec<String> {
    let names: Vec<String> = columns.iter().map(|column| column.header.clone()).collect();
    super::mapping::column_keys(own_names(&names))
}

/// The names without our own column "Problem".
pub(super) fn own_names(names: &[String]) -> &[String] {
    match names.split_last() {
        Some((last, others)) if normalised(last) == PROBLEM => others,
        _ => names,
    }
}

/// Adds a blank name for each column after the header that the mapping refers to by its letter. Such columns have
/// values and no name.
pub(super) fn widened(mut names: Vec<String>, mapping: Option<&Mapping>, most: usize) -> Vec<String> {
    let own = own_names(&names);
    let Some(mapping) = mapping.filter(|_| own.len() == names.len()) else {
        return names;
    };
    let known = super::mapping::column_keys(own);
    let is_meant = |place: &usize| {
        let key = letter(*place);
        !known.contains(&key) && mapping.keys().any(|named| *named == key)
    };
    if let Some(last) = (names.len()..most).rev().find(is_meant) {
        names.resize(last + 1, String::new());
    }
    names
}

/// The names in a header row.
pub(super) fn names_of(header: &Row) -> Vec<String> {
    header.cells().map(|cell| shown(as_written(cell))).collect()
}

/// Reports all password columns in one fault.
fn password_columns(names: &[String]) -> Vec<FileFault> {
    let held = names.iter().enumerate();
    let columns: Vec<(String, String)> = held
        .filter(|(_, name)| passwords_in(name) == Some(Passwords::Held))
        .map(|(place, name)| (letter(place), name.clone()))
        .collect();
    if columns.is_empty() {
        return Vec::new();
    }
    vec![FileFault::PasswordColumns { columns }]
}

fn columns_of(names: &[String], mapping: Option<&Mapping>) -> Vec<Column> {
    let known = known_columns(names);
    let last = names.len().saturating_sub(1);
    let plain: Vec<String> = names.iter().map(|name| normalised(&without_notes(name))).collect();
    let roles: Vec<Role> = names
        .iter()
        .enumerate()
        .map(|(place, name)| {
            if let Some(known) = known.get(place).copied().flatten() {
                return Role::Known(known);
            }
            if place == last && normalised(name) == PROBLEM {
                return Role::Problem;
            }
            // Two names that differ only in their notes keep them.
            let own = plain.get(place);
            let is_single = plain.iter().filter(|other| Some(*other) == own).count() == 1;
            role_of(&if is_single { without_notes(name) } else { name.into() })
        })
        .collect();
    let pairs = names.iter().cloned().zip(roles);
    let mut columns: Vec<Column> = pairs.map(|(header, role)| Column { header, role }).collect();
    if let Some(mapping) = mapping {
        apply(mapping, &mut columns);
    }
    columns
}

/// Applies the mapping. Columns that would fill the same value by their name are left out.
fn apply(mapping: &Mapping, columns: &mut [Column]) {
    let keys = own_keys(columns);
    let mut filled_by_choice = Vec::new();
    let mut chosen = vec![false; columns.len()];
    for ((column, key), chosen) in columns.iter_mut().zip(&keys).zip(&mut chosen) {
        if let Some(role) = mapping.role_of(key) {
            column.role = role;
            *chosen = true;
            filled_by_choice.extend(filled(column));
        }
    }
    let is_name = |key: &String| matches!(key.as_str(), "first_name" | "last_name");
    let has_names = filled_by_choice.iter().any(is_name);
    let has_full_name = filled_by_choice.iter().any(|key| key == "full_name");
    for (column, _) in columns.iter_mut().zip(chosen).filter(|(_, chosen)| !chosen) {
        let gives_way = filled(column).is_some_and(|key| {
            filled_by_choice.contains(&key) || (has_names && key == "full_name") || (has_full_name && is_name(&key))
        });
        if gives_way {
            column.role = Role::LeftOut(LeftOut::FilledByAnother);
        }
    }
}

fn is_email(column: &Column) -> bool {
    column.role == Role::Known(Known::Email)
}

fn role_of(name: &str) -> Role {
    if name.is_empty() {
        return Role::Nothing;
    }
    if is_reserved(&normalised(name)) {
        return Role::LeftOut(LeftOut::FilledByBeckon);
    }
    if passwords_in(name).is_some() {
        return Role::LeftOut(LeftOut::AboutPasswords);
    }
    match field_name(name) {
        Some(field) => Role::Field(field),
        None => Role::LeftOut(LeftOut::NotAName),
    }
}

/// Faults for columns that would fill the same value.
fn doubles(columns: &[Column]) -> Vec<FileFault> {
    let mut faults = Vec::new();
    let mut emails = (0..).zip(columns).filter(|(_, column)| is_email(column));
    if let (Some((first, _)), Some((second, _))) = (emails.next(), emails.next()) {
        faults.push(FileFault::TwoEmailColumns {
            first: letter(first),
            second: letter(second),
        });
    }
    let place = |wanted: &[Known]| {
        let is_wanted = |column: &Column| matches!(&column.role, Role::Known(known) if wanted.contains(known));
        columns.iter().position(is_wanted)
    };
    if let (Some(whole), Some(part)) = (place(&[Known::FullName]), place(&[Known::FirstName, Known::LastName])) {
        faults.push(FileFault::NameTwice {
            whole: letter(whole),
            part: letter(part),
        });
    }
    for (place, column) in columns.iter().enumerate() {
        let key = filled(column);
        let mut earlier = columns.iter().take(place);
        if key.is_none() || is_email(column) {
            continue;
        }
        if let Some(first) = earlier.position(|other| filled(other) == key) {
            faults.push(FileFault::DuplicateColumn {
                name: column.header.clone(),
                first: letter(first),
                second: letter(place),
            });
        }
    }
    faults
}

/// What a column fills, for detecting two columns with the same value. Only letters and digits of a field name count.
fn filled(column: &Column) -> Option<String> {
    match &column.role {
        Role::Known(_) => Some(own_field(&column.role).to_owned()),
        Role::Field(name) => Some(normalised(name)),
        Role::Nothing | Role::LeftOut(_) | Role::Problem => None,
    }
}

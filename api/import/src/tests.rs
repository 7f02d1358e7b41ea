//! Tests of the import reader through its public API.

mod books;
mod corrected;
mod faults;
mod files;
mod headers;
mod hostile;
mod json;
mod mapped;
mod memory;
mod number_formats;
mod problems;
mod random;
mod workbook_parts;
mod workbooks;
mod world;
mod written;

use std::io::Cursor;

use super::{FileFault, Limits, ParsedFile, ParsedRow, Person, Problem, Rejected};

/// A file in memory.
fn file(bytes: impl AsRef<[u8]>) -> Cursor<Vec<u8>> {
    Cursor::new(bytes.as_ref().to_vec())
}

/// The sheet and all lines of a CSV file, or its fault.
fn read(bytes: impl AsRef<[u8]>) -> Result<(ParsedFile, Vec<ParsedRow>), FileFault> {
    let (sheet, mut lines) = ParsedFile::open_csv(file(bytes), Limits::default())?;
    let rows = lines.chunk(usize::MAX, usize::MAX)?;
    assert_eq!(rows.len(), usize::try_from(sheet.rows).unwrap());
    assert!(lines.chunk(1, 1).unwrap().is_empty());
    Ok((sheet, rows))
}

/// The sheet and all lines of a JSON array of users, or its fault.
fn read_json(text: &str) -> Result<(ParsedFile, Vec<ParsedRow>), FileFault> {
    let (sheet, mut lines) = ParsedFile::open_json(file(text), Limits::default())?;
    let rows = lines.chunk(usize::MAX, usize::MAX)?;
    assert_eq!(rows.len(), usize::try_from(sheet.rows).unwrap());
    assert!(lines.chunk(1, 1).unwrap().is_empty());
    Ok((sheet, rows))
}

/// All people of a file without problems.
fn people(bytes: impl AsRef<[u8]>) -> Vec<Person> {
    all_people(read(bytes).unwrap().1)
}

fn all_people(lines: Vec<ParsedRow>) -> Vec<Person> {
    let person = |line| match line {
        ParsedRow::Person(person) => person,
        ParsedRow::Rejected(rejected) => panic!("{rejected:?}"),
    };
    lines.into_iter().map(person).collect()
}

/// The only row of a file, which is rejected.
fn rejected(bytes: impl AsRef<[u8]>) -> Rejected {
    the_rejected(read(bytes).unwrap().1)
}

fn the_rejected(mut lines: Vec<ParsedRow>) -> Rejected {
    assert_eq!(lines.len(), 1);
    match lines.pop() {
        Some(ParsedRow::Rejected(rejected)) => rejected,
        other => panic!("{other:?}"),
    }
}

/// The only problem of the only row.
fn problem(bytes: impl AsRef<[u8]>) -> Problem {
    let mut rejected = rejected(bytes);
    assert_eq!(rejected.problems.len(), 1, "{rejected:?}");
    rejected.problems.remove(0)
}

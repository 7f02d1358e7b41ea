//! Reads only the addresses of a file.

use std::fs::File;
use std::io::{Read, Seek, Write};

use super::accepted::Accepted;
use super::parsed_file::{Directions, Lines, ParsedFile};
use super::pasted::table_of;
use super::{FileFault, Limits, RowRules};

/// Maximum size of a list of addresses without a header, in bytes. Longer text is read as a table.
const LIST_MOST_BYTES: u64 = 4 * 1024 * 1024;

/// The addresses of a file.
pub struct AddressLines {
    /// The rows.
    pub lines: Lines<File>,
    /// Whether the file is a list without a header. Its rows are counted with a header that was added.
    pub is_list: bool,
}

/// Opens a CSV file, a spreadsheet or a plain list for its addresses. `sheet` is the sheet of a spreadsheet with
/// several.
///
/// Other columns are neither kept nor checked, and an address that looks mistyped is accepted.
///
/// # Errors
///
/// As [`ParsedFile::open`].
pub fn open_addresses(mut file: File, sheet: Option<String>, limits: Limits) -> Result<AddressLines, FileFault> {
    let table = list_as_table(&mut file)?;
    let is_list = table.is_some();
    if let Some(table) = table {
        file = tempfile::tempfile()?;
        file.write_all(table.as_bytes())?;
    }
    file.rewind()?;
    let directions = Directions {
        sheet,
        ..Directions::default()
    };
    let (_, lines) = ParsedFile::open(file, &directions, limits)?;
    Ok(AddressLines {
        lines: only_addresses(lines),
        is_list,
    })
}

/// As [`open_addresses`], for a JSON array of users.
///
/// # Errors
///
/// As [`ParsedFile::open_json`].
pub fn open_json_addresses(file: File, limits: Limits) -> Result<AddressLines, FileFault> {
    let (_, lines) = ParsedFile::open_json(file, limits)?;
    Ok(AddressLines {
        lines: only_addresses(lines),
        is_list: false,
    })
}

fn only_addresses(lines: Lines<File>) -> Lines<File> {
    let rules = RowRules {
        accepted: Accepted::ALL,
        clears_empty: false,
    };
    lines.with_rules(rules).only_addresses()
}

/// Converts a list that begins with an address instead of column names to a table.
fn list_as_table(file: &mut File) -> Result<Option<String>, FileFault> {
    let mut bytes = Vec::new();
    (&mut *file).take(LIST_MOST_BYTES + 1).read_to_end(&mut bytes)?;
    let is_whole = u64::try_from(bytes.len()).is_ok_and(|length| length <= LIST_MOST_BYTES);
    let text = std::str::from_utf8(&bytes).ok().filter(|_| is_whole);
    let first = text.and_then(|text| text.lines().find(|line| !line.trim().is_empty()));
    let begins_with_an_address = first.is_some_and(|line| line.contains('@'));
    Ok(text.filter(|_| begins_with_an_address).and_then(table_of))
}

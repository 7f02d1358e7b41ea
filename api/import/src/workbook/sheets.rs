//! The sheets of a workbook, and which one is read.

use super::HELP_SHEET;
use crate::FileFault;

/// A sheet of a workbook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SheetEntry {
    pub(super) name: String,
    pub(super) is_hidden: bool,
    /// Its location: a part of an archive, or an offset in a stream.
    pub(super) at: String,
}

/// Limits on the sheets of a workbook and on their names. Excel's have 31 characters.
const MAX_SHEETS: usize = 1_000;
const MAX_NAME: usize = 1_024;

/// Adds a sheet to the list, which is in memory.
pub(super) fn add<T>(sheets: &mut Vec<T>, name: &str, sheet: T) -> Result<(), FileFault> {
    if sheets.len() >= MAX_SHEETS || name.len() > MAX_NAME {
        return Err(FileFault::TooLargeInside);
    }
    sheets.push(sheet);
    Ok(())
}

/// Properties of a sheet that was written as CSV.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SheetRead {
    /// Its name.
    pub name: String,
    /// Whether the spreadsheet hides it. A hidden sheet is read if it is named, or if it is the only one with content.
    pub is_hidden: bool,
    /// Non-empty rows that the spreadsheet hides, also above and in the header. They are read like the others.
    pub hidden_rows: u32,
    /// The names of hidden sheets with content that were not read.
    pub other_hidden_sheets: Vec<String>,
}

/// The sheet to read.
#[derive(Debug)]
pub(super) struct Chosen {
    pub(super) sheet: SheetEntry,
    other_hidden_sheets: Vec<String>,
}

impl Chosen {
    /// Its properties, once it was read.
    pub(super) fn read(self, hidden_rows: u32) -> SheetRead {
        SheetRead {
            name: self.sheet.name,
            is_hidden: self.sheet.is_hidden,
            hidden_rows,
            other_hidden_sheets: self.other_hidden_sheets,
        }
    }
}

/// The sheets, and a function that finds whether one is empty.
pub(super) fn split(
    found: Vec<(SheetEntry, bool)>,
) -> (Vec<SheetEntry>, impl Fn(&SheetEntry) -> Result<bool, FileFault>) {
    let sheets = found.iter().map(|(sheet, _)| sheet.clone()).collect();
    let is_empty = move |sheet: &SheetEntry| Ok(found.iter().any(|(one, is_empty)| one == sheet && *is_empty));
    (sheets, is_empty)
}

/// Chooses the sheet with the name `wanted`; without one, the only visible sheet with content.
pub(super) fn choose(
    sheets: &[SheetEntry],
    wanted: Option<&str>,
    mut is_empty: impl FnMut(&SheetEntry) -> Result<bool, FileFault>,
) -> Result<Chosen, FileFault> {
    let mut full = Vec::new();
    for sheet in sheets {
        if sheet.name != HELP_SHEET && !is_empty(sheet)? {
            full.push(sheet);
        }
    }
    let sheet = named_or_only(sheets, &full, wanted)?.clone();
    let others = full.iter().filter(|other| other.is_hidden && ***other != sheet);
    Ok(Chosen {
        other_hidden_sheets: others.map(|other| other.name.clone()).collect(),
        sheet,
    })
}

fn named_or_only<'a>(
    sheets: &'a [SheetEntry],
    full: &[&'a SheetEntry],
    wanted: Option<&str>,
) -> Result<&'a SheetEntry, FileFault> {
    let names = |sheets: &[&SheetEntry]| sheets.iter().map(|sheet| sheet.name.clone()).collect();
    if let Some(wanted) = wanted {
        let named = sheets.iter().find(|sheet| sheet.name == wanted);
        return named.ok_or_else(|| FileFault::NoSuchSheet {
            wanted: crate::text::shown(wanted),
            sheets: names(full),
        });
    }
    let shown: Vec<&SheetEntry> = full.iter().copied().filter(|sheet| !sheet.is_hidden).collect();
    match if shown.is_empty() { full } else { shown.as_slice() } {
        [] => Err(FileFault::Empty),
        [only] => Ok(only),
        several => Err(FileFault::SeveralSheets { sheets: names(several) }),
    }
}

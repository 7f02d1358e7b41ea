//! Converts one sheet of a spreadsheet to a CSV file, which is then imported like any other.
//!
//! So rows, faults and limits are the same for every format. Rows and columns keep their positions: row 17 of the sheet
//! is row 17 of the CSV file.
//!
//! The readers are our own, on top of a zip archive, a compound file and an XML tokenizer. Existing ones hold all
//! strings of a workbook and a whole sheet in memory, or reserve what a file declares, and its sender controls both.
//! Here memory is limited by the shared strings ([`strings`]) and one row, and time by [`Budget`].

mod archive;
mod budget;
mod cell_format;
mod iso_dates;
mod numbers;
mod ods;
mod sheets;
mod strings;
mod table;
mod xls;
mod xlsx;
mod xml;

use std::io::{Read, Seek, SeekFrom, Write};

use super::{FileFault, Limits};
use archive::Archive;
use budget::Budget;
use numbers::NumberFormat;
use table::Table;

pub use sheets::SheetRead;

/// Name of the sheet with explanations in our own templates, which is never imported.
pub const HELP_SHEET: &str = "How to fill this in";

/// The format of a spreadsheet file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Office Open XML: `.xlsx`, `.xlsm`.
    Xlsx,
    /// Excel 97 to 2003: `.xls`.
    Xls,
    /// `OpenDocument`: `.ods`.
    Ods,
}

impl Format {
    /// The code for programs, and the file extension.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Xlsx => "xlsx",
            Self::Xls => "xls",
            Self::Ods => "ods",
        }
    }

    /// Recognises a spreadsheet by its first bytes; `None` for any other file.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn of<R: Read + Seek>(source: &mut R) -> Result<Option<Self>, FileFault> {
        let mut head = Vec::new();
        source.seek(SeekFrom::Start(0))?;
        source.by_ref().take(8).read_to_end(&mut head)?;
        source.seek(SeekFrom::Start(0))?;
        if head.starts_with(xls::MAGIC) {
            return Ok(Some(Self::Xls));
        }
        if head.starts_with(b"PK\x03\x04") {
            return archive::format_of(source);
        }
        Ok(None)
    }
}

/// Writes one sheet of a spreadsheet as CSV.
///
/// `wanted` names the sheet; without it, the only visible non-empty one is used.
///
/// # Errors
///
/// What makes the file unusable, and [`FileFault::SeveralSheets`] if a choice is required.
pub fn write_csv<R: Read + Seek, W: Write>(
    mut source: R,
    format: Format,
    wanted: Option<&str>,
    limits: Limits,
    sink: W,
) -> Result<SheetRead, FileFault> {
    let budget = Budget::default();
    match format {
        Format::Xlsx => {
            let mut archive = Archive::open(source, budget)?;
            let book = xlsx::Book::open(&mut archive)?;
            let chosen = sheets::choose(&book.sheets, wanted, |sheet| book.is_empty(&mut archive, sheet))?;
            let mut table = Table::new(sink, limits);
            book.read(&mut archive, &chosen.sheet, &mut table)?;
            Ok(chosen.read(table.finish()?))
        }
        Format::Ods => {
            let mut archive = Archive::open(source, budget)?;
            let found = ods::list(&mut archive)?;
            let (entries, is_empty) = sheets::split(found);
            let chosen = sheets::choose(&entries, wanted, is_empty)?;
            let mut table = Table::new(sink, limits);
            ods::read(&mut archive, &chosen.sheet, &mut table)?;
            Ok(chosen.read(table.finish()?))
        }
        Format::Xls => {
            let book = xls::Book::open(&mut source)?;
            let chosen = sheets::choose(&book.sheets, wanted, |sheet| book.is_empty(sheet))?;
            let mut table = Table::new(sink, limits);
            book.read(&chosen.sheet, &mut table)?;
            Ok(chosen.read(table.finish()?))
        }
    }
}

/// The date that a spreadsheet stores as this serial number, if the date is plausible.
pub(super) fn day_of_serial(text: &str) -> Option<String> {
    let is_day = text.len() == 5 && text.bytes().all(|b| b.is_ascii_digit());
    let days: f64 = text.parse().ok()?;
    // From 1927 to 2064.
    (is_day && (10_000.0..60_000.0).contains(&days)).then(|| numbers::shown(days, NumberFormat::Moment, false))
}

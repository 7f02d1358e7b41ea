//! The rejected rows of an import as a spreadsheet.
//!
//! Every cell is text, so that a spreadsheet neither runs nor rounds what a stranger wrote. Rows are written to disk
//! immediately.

use std::fs::File;
use std::io;

use rust_xlsxwriter::{Color, Format, Workbook, XlsxError};

/// Column width in characters.
const WIDTH: f64 = 24.0;

/// The width of the column with the problems.
const REASONS_WIDTH: f64 = 60.0;

/// A spreadsheet with the columns of the upload followed by "Problem", which an import ignores if it is the last
/// column. Faulty cells are highlighted. Cells beyond the header come after it.
pub struct FixWorkbook {
    book: Workbook,
    columns: usize,
    rows: u32,
    faulty: Format,
}

impl FixWorkbook {
    /// Starts with the header of the upload ([`super::ParsedFile::header`]).
    ///
    /// # Errors
    ///
    /// When the disk is full.
    pub fn new(header: &[String]) -> io::Result<Self> {
        let mut this = Self {
            book: Workbook::new(),
            columns: header.len(),
            rows: 0,
            faulty: Format::new().set_background_color(Color::RGB(0x00F9_DEDC)),
        };
        let sheet = this.book.add_worksheet_with_constant_memory().map_err(failed)?;
        sheet.set_name("To correct").map_err(failed)?;
        sheet.set_freeze_panes(1, 0).map_err(failed)?;
        for place in 0..header.len() {
            sheet.set_column_width(column(place)?, WIDTH).map_err(failed)?;
        }
        sheet
            .set_column_width(column(header.len())?, REASONS_WIDTH)
            .map_err(failed)?;
        let bold = Format::new().set_bold();
        let names = header.iter().map(String::as_str).chain(["Problem"]);
        for (place, name) in names.enumerate() {
            sheet
                .write_string_with_format(0, column(place)?, name, &bold)
                .map_err(failed)?;
        }
        Ok(this)
    }

    /// Writes one row: its cells as they were written, and its problems, each with the position of its cell, the header
    /// of that column, and the sentence.
    ///
    /// # Errors
    ///
    /// As [`FixWorkbook::new`].
    pub fn write<'a>(
        &mut self,
        cells: &[String],
        problems: impl IntoIterator<Item = (Option<usize>, Option<&'a str>, &'a str)>,
    ) -> io::Result<()> {
        self.rows += 1;
        let (mut faulty, mut words) = (Vec::new(), Vec::new());
        for (place, header, message) in problems {
            // Cells beyond the header come after the column with the problems.
            faulty.extend(place.map(|place| place + usize::from(place >= self.columns)));
            words.push(match header {
                Some(header) => format!("{header}: {message}"),
                None => message.to_owned(),
            });
        }
        let sheet = self.book.worksheet_from_index(0).map_err(failed)?;
        let words = words.join("; ");
        let mut row: Vec<&str> = cells.iter().map(String::as_str).collect();
        row.resize(row.len().max(self.columns), "");
        row.insert(self.columns, &words);
        for (place, text) in row.into_iter().enumerate() {
            let at = column(place)?;
            if faulty.contains(&place) {
                sheet.write_string_with_format(self.rows, at, text, &self.faulty)
            } else if text.is_empty() {
                continue;
            } else {
                sheet.write_string(self.rows, at, text)
            }
            .map_err(failed)?;
        }
        Ok(())
    }

    /// Writes the workbook.
    ///
    /// # Errors
    ///
    /// As [`FixWorkbook::new`].
    pub fn save(mut self, sink: &mut File) -> io::Result<()> {
        self.book.save_to_writer(sink).map_err(failed)
    }
}

pub(super) fn column(place: usize) -> io::Result<u16> {
    u16::try_from(place).map_err(io::Error::other)
}

pub(super) fn failed(fault: XlsxError) -> io::Error {
    match fault {
        XlsxError::IoError(fault) => fault,
        other => io::Error::other(other),
    }
}

//! Writes the cells of a sheet to a CSV file.

use std::io::Write;

use crate::safe_csv::safe_cell;
use crate::text::{is_unseen, letter};
use crate::{FileFault, Limits};

/// Rows a sheet may have, as in Excel and `LibreOffice`.
const MAX_ROWS: u32 = 1_048_576;

/// Maximum size of a sheet as CSV. Its cells may refer to one long text repeatedly.
const MAX_BYTES: usize = 256 * 1024 * 1024;

/// A sheet while it is written.
pub(super) struct Table<W: Write> {
    rows: csv::Writer<W>,
    limits: Limits,
    /// Rows written.
    written: u32,
    /// The current row, counted from 0, and its cells.
    row: u32,
    cells: Vec<String>,
    row_bytes: usize,
    is_row_hidden: bool,
    hidden_rows: u32,
    bytes: usize,
}

impl<W: Write> Table<W> {
    pub(super) fn new(sink: W, limits: Limits) -> Self {
        let rows = csv::WriterBuilder::new().flexible(true).from_writer(sink);
        Self {
            rows,
            limits,
            written: 0,
            row: 0,
            cells: Vec::new(),
            row_bytes: 0,
            is_row_hidden: false,
            hidden_rows: 0,
            bytes: 0,
        }
    }

    /// Advances to a row, counted from 0; rows must come in order.
    pub(super) fn go_to(&mut self, row: u32) -> Result<(), FileFault> {
        if row == self.row {
            return Ok(());
        }
        if row < self.row || row >= MAX_ROWS {
            return Err(FileFault::Damaged);
        }
        self.end_row()?;
        self.row = row;
        self.is_row_hidden = false;
        Ok(())
    }

    /// Marks this row as hidden in the spreadsheet.
    pub(super) fn hide_row(&mut self) {
        self.is_row_hidden = true;
    }

    /// Sets the text of a column in the current row, counted from 0.
    pub(super) fn cell(&mut self, column: usize, text: &str) -> Result<(), FileFault> {
        if text.chars().all(is_unseen) {
            return Ok(());
        }
        let row = self.row + 1;
        if column >= self.limits.columns {
            let limit = self.limits.columns;
            return Err(FileFault::TooManyColumns { row, limit });
        }
        if text.len() > self.limits.cell_bytes {
            return Err(FileFault::CellTooLong {
                row,
                column: letter(column),
                limit: self.limits.cell_bytes,
            });
        }
        self.row_bytes += text.len();
        if self.row_bytes > self.limits.row_bytes {
            let limit = self.limits.row_bytes;
            return Err(FileFault::RowTooLong { row, limit });
        }
        if self.cells.len() <= column {
            self.cells.resize(column + 1, String::new());
        }
        if let Some(cell) = self.cells.get_mut(column) {
            *cell = safe_cell(&text.replace('\0', "\u{FFFD}")).into_owned();
        }
        Ok(())
    }

    /// Ends the sheet. Returns the number of hidden rows.
    pub(super) fn finish(mut self) -> Result<u32, FileFault> {
        self.end_row()?;
        self.rows.flush()?;
        Ok(self.hidden_rows)
    }

    fn end_row(&mut self) -> Result<(), FileFault> {
        if self.cells.is_empty() {
            return Ok(());
        }
        self.bytes += self.row_bytes + self.cells.len();
        if self.bytes > MAX_BYTES {
            return Err(FileFault::TooLargeInside);
        }
        while self.written < self.row {
            self.rows.write_record([""]).map_err(not_written)?;
            self.written += 1;
        }
        self.rows.write_record(&self.cells).map_err(not_written)?;
        self.written += 1;
        self.hidden_rows += u32::from(self.is_row_hidden);
        self.cells.clear();
        self.row_bytes = 0;
        Ok(())
    }
}

fn not_written(error: csv::Error) -> FileFault {
    FileFault::Unreadable(error.into())
}

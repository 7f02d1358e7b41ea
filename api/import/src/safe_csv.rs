//! Writes CSV that is safe to open in a spreadsheet.
//!
//! A spreadsheet runs a cell that starts with `=`, `+`, `-`, `@` or certain control characters as a formula, and the
//! text comes from strangers. OWASP ASVS 5.0, requirement 1.2.10, asks for quoting by RFC 4180 (sections 2.6 and 2.7)
//! and for a single quotation mark before `=`, `+`, `-`, `@`, tab and NUL at the start of a value. OWASP's page on CSV
//! injection adds CR, and asks for quotation marks around every cell, so that a separator of another locale cannot
//! start a cell within a cell.
//!
//! The mark must not stay when such a file is imported again: `'+31 20…` is no phone number. So an import removes
//! exactly what [`safe_cell`] adds.

use std::borrow::Cow;
use std::io::{self, Write};

/// UTF-8's byte order mark, without which Excel reads a CSV as Windows-1252.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Puts an apostrophe before a cell that a spreadsheet would run as a formula.
///
/// A cell that already looks escaped gets another one, so that reading can always remove one.
pub fn safe_cell(cell: &str) -> Cow<'_, str> {
    if starts_formula(cell.trim_start_matches('\'')) {
        return Cow::Owned(format!("'{cell}"));
    }
    Cow::Borrowed(cell)
}

/// Undoes [`safe_cell`].
pub(super) fn as_written(cell: &str) -> &str {
    match cell.strip_prefix('\'') {
        Some(rest) if starts_formula(rest.trim_start_matches('\'')) => rest,
        _ => cell,
    }
}

fn starts_formula(cell: &str) -> bool {
    cell.starts_with([
        '=', '+', '-', '@', '\t', '\r', '\n', '\0',
        // Their full-width forms, which East Asian spreadsheets treat the same.
        '＝', '＋', '－', '＠',
    ])
}

/// Writes rows of escaped cells. Every CSV that Beckon exports is written by this.
pub struct SafeCsv<W: Write> {
    rows: csv::Writer<W>,
}

impl<W: Write> SafeCsv<W> {
    /// Starts a file for people: with a byte order mark, and columns separated by `separator`.
    pub fn new(mut sink: W, separator: u8) -> io::Result<Self> {
        sink.write_all(BYTE_ORDER_MARK)?;
        Ok(Self::continued(sink, separator))
    }

    /// Continues a file that has been started. This allows writing a long file piece by piece, each into a buffer of
    /// its own that is sent before the next.
    pub fn continued(sink: W, separator: u8) -> Self {
        let rows = csv::WriterBuilder::new()
            .delimiter(separator)
            .quote_style(csv::QuoteStyle::Always)
            .terminator(csv::Terminator::CRLF)
            // A rejected row may have more cells than the header.
            .flexible(true)
            .from_writer(sink);
        Self { rows }
    }

    /// Writes one row.
    pub fn write<I>(&mut self, cells: I) -> io::Result<()>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        for cell in cells {
            self.rows.write_field(safe_cell(cell.as_ref()).as_bytes())?;
        }
        self.rows.write_record(None::<&[u8]>)?;
        Ok(())
    }

    /// Ends the file, or this piece of it, and returns the sink.
    pub fn finish(self) -> io::Result<W> {
        self.rows.into_inner().map_err(csv::IntoInnerError::into_error)
    }
}

/// The rejected rows of an import with their problems, ready to be fixed and uploaded again.
///
/// It has the columns of the upload followed by "Problem", which an import ignores if it is the last column. Cells
/// beyond the header come after it.
pub struct FixFile<W: Write> {
    rows: SafeCsv<W>,
    columns: usize,
}

impl<W: Write> FixFile<W> {
    /// Starts with the header of the upload ([`super::ParsedFile::header`]).
    pub fn new(sink: W, separator: u8, header: &[String]) -> io::Result<Self> {
        let mut rows = SafeCsv::new(sink, separator)?;
        rows.write(header.iter().map(String::as_str).chain(["Problem"]))?;
        Ok(Self {
            rows,
            columns: header.len(),
        })
    }

    /// Continues a file that has been started, as [`SafeCsv::continued`].
    pub fn continued(sink: W, separator: u8, header: &[String]) -> Self {
        Self {
            rows: SafeCsv::continued(sink, separator),
            columns: header.len(),
        }
    }

    /// Writes one row: its cells as they were written, and the sentences of its problems.
    ///
    /// A sentence about a column starts with its header, as `(Some("team"), "Missing")`.
    pub fn write<'a>(
        &mut self,
        cells: &[String],
        problems: impl IntoIterator<Item = (Option<&'a str>, &'a str)>,
    ) -> io::Result<()> {
        let words: Vec<String> = problems
            .into_iter()
            .map(|(column, message)| match column {
                Some(column) => format!("{column}: {message}"),
                None => message.to_owned(),
            })
            .collect();
        let mut row: Vec<&str> = cells.iter().map(String::as_str).collect();
        row.resize(row.len().max(self.columns), "");
        let words = words.join("; ");
        row.insert(self.columns, &words);
        self.rows.write(row)
    }

    /// Ends the file, or this piece of it, and returns the sink.
    pub fn finish(self) -> io::Result<W> {
        self.rows.finish()
    }
}

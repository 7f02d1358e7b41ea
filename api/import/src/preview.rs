//! The beginning of a file, for choosing what its columns are read as.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek, Write};

use super::cells::Row;
use super::columns::{names_of, own_names};
use super::find_header::{find_header, header_choices};
use super::rows::Rows;
use super::safe_csv::as_written;
use super::sniff::{Start, sniff};
use super::text::shown;
use super::workbook::{Format, write_csv};
use super::{Directions, FileFault, Limits, full_name};

/// Values shown per column.
const SAMPLES: usize = 3;

/// Characters shown of a row that may be the header.
const CHOICE_CHARACTERS: usize = 60;

/// Rows that are searched for them.
const ROWS: usize = 50;

/// Bytes of a spreadsheet's rows that are read: more than fifty rows of usual length.
const HEAD_BYTES: usize = 512 * 1024;

/// The columns of a file and their first values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preview {
    /// The header as written, as in [`super::ParsedFile::header`], with a blank name for each column after it that has
    /// values.
    pub header: Vec<String>,
    /// The row of the header.
    pub header_row: u32,
    /// The rows that may be the header, each with the beginning of its text.
    pub header_choices: Vec<(u32, String)>,
    /// The first three values of each column, at most 80 characters of each.
    pub samples: Vec<Vec<String>>,
}

impl Preview {
    /// Reads the beginning of a CSV file or a spreadsheet.
    ///
    /// # Errors
    ///
    /// When the header cannot be found.
    pub fn of(mut file: File, directions: &Directions, limits: Limits) -> Result<Self, FileFault> {
        let Some(format) = Format::of(&mut BufReader::new(&mut file))? else {
            let start = sniff(&mut file)?;
            return Self::of_table(file, &start, directions, limits);
        };
        let mut head = Head(Vec::new());
        let sheet = directions.sheet.as_deref();
        let written = write_csv(BufReader::new(file), format, sheet, limits, &mut head);
        if let (Err(fault), false) = (written, head.is_full()) {
            return Err(fault);
        }
        let start = Start {
            offset: 0,
            separator: Some(b','),
        };
        Self::of_table(Cursor::new(head.0), &start, directions, limits)
    }

    fn of_table<R: Read + Seek>(
        mut source: R,
        start: &Start,
        directions: &Directions,
        limits: Limits,
    ) -> Result<Self, FileFault> {
        let is_chosen = |row: u32, names: &[String]| directions.is_header(row, names);
        let (separator, header_row) = find_header(&mut source, start, &is_chosen, limits)?;
        let choices = header_choices(&mut Rows::new(&mut source, start.offset, separator, limits)?)?;
        let mut rows = Rows::new(source, start.offset, separator, limits)?;
        let mut row = Row::default();
        while rows.read(&mut row)? && row.number() < header_row {}
        let names = names_of(&row);
        let mut header = own_names(&names).to_vec();
        // Our own column is the last.
        let may_be_wider = header.len() == names.len();
        let mut samples = vec![Vec::new(); header.len()];
        // The check reports faults further down, with their own sentences.
        for _ in 0..ROWS {
            if !matches!(rows.read(&mut row), Ok(true)) {
                break;
            }
            for (place, cell) in row.cells().enumerate().take(limits.columns) {
                let value = shown(as_written(cell));
                if place >= header.len() && may_be_wider && !value.is_empty() {
                    header.resize(place + 1, String::new());
                    samples.resize(place + 1, Vec::new());
                }
                let Some(seen) = samples.get_mut(place) else { break };
                if seen.len() < SAMPLES && !value.is_empty() {
                    seen.push(value);
                }
            }
        }
        Ok(Self {
            header,
            header_row,
            header_choices: choices
                .into_iter()
                .map(|(row, cells)| (row, beginning(&cells)))
                .collect(),
            samples,
        })
    }
}

/// The first cells of a row in one line.
fn beginning(cells: &[String]) -> String {
    let filled: Vec<&str> = cells
        .iter()
        .map(String::as_str)
        .filter(|cell| !cell.is_empty())
        .collect();
    let line = filled.join(", ");
    if line.chars().count() <= CHOICE_CHARACTERS {
        return line;
    }
    let start: String = line.chars().take(CHOICE_CHARACTERS).collect();
    format!("{start}…")
}

/// First and last name of a full name, as an import splits it.
pub fn split_name(name: &str) -> (String, String) {
    let (first, last) = full_name::split(name);
    (first.unwrap_or_default(), last.unwrap_or_default())
}

/// A writer that keeps the beginning and refuses the rest.
struct Head(Vec<u8>);

impl Head {
    const fn is_full(&self) -> bool {
        self.0.len() >= HEAD_BYTES
    }
}

impl Write for &mut Head {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.is_full() {
            return Err(io::Error::other("enough was read"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

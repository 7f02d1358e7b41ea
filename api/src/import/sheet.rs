//! The two passes over a file.

use std::io::{Read, Seek};

use super::cells::Row;
use super::columns::{Column, Role, read_header};
use super::json;
use super::row::read_row;
use super::rows::Rows;
use super::sniff::{Start, sniff};
use super::text::{is_unseen, letter};
use super::{FileFault, Limits, Line, Person};

/// Separators, the likeliest first.
const SEPARATORS: [u8; 3] = *b",;\t";

/// What is known of a file once it is open.
#[derive(Debug, Clone)]
pub struct Sheet {
    /// The header as written, for [`super::FixFile`]. Without our own column "Problem".
    pub header: Vec<String>,
    /// What divides the columns.
    pub separator: u8,
    /// The merge fields that its columns fill.
    pub custom_fields: Vec<String>,
    /// Rows to come: those with something in them.
    pub rows: u32,
    /// Rows with nothing in them, which are passed over.
    pub blank_rows: u32,
    columns: Vec<Column>,
    is_json: bool,
}

impl Sheet {
    /// Surveys a CSV file and readies it for reading.
    ///
    /// # Errors
    ///
    /// The first fault that concerns the whole file. Nothing was read from it.
    pub fn open_csv<R: Read + Seek>(mut source: R, limits: Limits) -> Result<(Self, Lines<R>), FileFault> {
        let start = sniff(&mut source)?;
        let separator = find_separator(&mut source, &start, limits)?;
        let mut rows = Rows::new(&mut source, start.offset, separator, limits)?;
        let survey = survey(&mut rows, limits)?;
        let sheet = Self::new(survey, separator);
        let mut rows = Rows::new(source, start.offset, separator, limits)?;
        let mut row = Row::default();
        skip_to_header(&mut rows, &mut row)?;
        let columns = sheet.columns.clone();
        Ok((sheet, Lines(Reader::Csv { rows, row, columns })))
    }

    /// Surveys an array of users in JSON and readies it for reading.
    ///
    /// # Errors
    ///
    /// As [`Sheet::open_csv`].
    pub fn open_json<R: Read + Seek>(mut source: R, limits: Limits) -> Result<(Self, Lines<R>), FileFault> {
        let survey = json::survey(&mut source, limits)?;
        let mut sheet = Self::new(survey, b',');
        sheet.is_json = true;
        let users = json::Users::open(source, limits)?;
        let columns = sheet.columns.clone();
        Ok((sheet, Lines(Reader::Json { users, columns })))
    }

    fn new(survey: Survey, separator: u8) -> Self {
        let ours = |column: &&Column| column.role != Role::Problem;
        let columns = survey.columns;
        let custom_fields = columns.iter().filter_map(|column| match &column.role {
            Role::Field(name) => Some(name.clone()),
            _ => None,
        });
        Self {
            header: columns
                .iter()
                .filter(ours)
                .map(|column| column.header.clone())
                .collect(),
            separator,
            custom_fields: custom_fields.collect(),
            rows: survey.rows,
            blank_rows: survey.blank_rows,
            columns,
            is_json: false,
        }
    }

    /// The cells of a person that came from this sheet, for a row rejected after reading: the
    /// database may find it to be the same as an earlier one.
    pub fn cells_of(&self, person: &Person) -> Vec<String> {
        let cell = |column: &Column| match &column.role {
            Role::Email => Some(person.email.as_typed()),
            Role::FirstName => person.first_name.as_deref(),
            Role::LastName => person.last_name.as_deref(),
            Role::Language => person.language.as_deref(),
            Role::Field(name) => person.fields.get(name).map(String::as_str),
            Role::Nothing | Role::Problem => None,
        };
        self.columns
            .iter()
            .filter(|column| column.role != Role::Problem)
            .map(|column| cell(column).unwrap_or_default().to_owned())
            .collect()
    }

    /// The header over the addresses; none in JSON.
    pub(super) fn email_column(&self) -> Option<String> {
        let email = self.columns.iter().find(|column| column.role == Role::Email);
        email.filter(|_| !self.is_json).map(|column| column.header.clone())
    }
}

/// The rows of an open file that are not blank, in their order.
///
/// A fault here means that the temporary file changed or failed under the reader.
pub struct Lines<R>(Reader<R>);

enum Reader<R> {
    Csv {
        rows: Rows<R>,
        row: Row,
        columns: Vec<Column>,
    },
    Json {
        users: json::Users<R>,
        columns: Vec<Column>,
    },
}

impl<R: Read + Seek> Lines<R> {
    /// The next rows, `most` at most, and no more once they hold `bytes`; empty at the end of the
    /// file.
    pub fn chunk(&mut self, most: usize, bytes: usize) -> Result<Vec<Line>, FileFault> {
        let (mut lines, mut held) = (Vec::new(), 0);
        while lines.len() < most && held < bytes {
            let Some(line) = self.next().transpose()? else { break };
            held += line.bytes();
            lines.push(line);
        }
        Ok(lines)
    }
}

impl<R: Read + Seek> Iterator for Lines<R> {
    type Item = Result<Line, FileFault>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.0 {
            Reader::Csv { rows, row, columns } => loop {
                match rows.read(row) {
                    Ok(true) if row.is_blank() => {}
                    Ok(true) => return Some(Ok(read_row(row, columns))),
                    Ok(false) => return None,
                    Err(fault) => return Some(Err(fault)),
                }
            },
            Reader::Json { users, columns } => users.next_line(columns).transpose(),
        }
    }
}

/// What the first pass found.
pub(super) struct Survey {
    pub(super) columns: Vec<Column>,
    pub(super) rows: u32,
    pub(super) blank_rows: u32,
}

impl Survey {
    /// Refuses a file with too few or too many rows.
    pub(super) fn within(self, limits: Limits) -> Result<Self, FileFault> {
        if self.rows == 0 {
            return Err(FileFault::NoRows);
        }
        if self.rows > limits.rows {
            return Err(FileFault::TooManyRows {
                limit: limits.rows,
                found: self.rows,
            });
        }
        Ok(self)
    }
}

/// Reads every row for what concerns the whole file.
fn survey<R: Read + Seek>(rows: &mut Rows<R>, limits: Limits) -> Result<Survey, FileFault> {
    let mut row = Row::default();
    skip_to_header(rows, &mut row)?;
    let columns = read_header(&row)?;
    let width = row.width();
    let has_name = |place: usize| columns.get(place).is_some_and(|column| column.role != Role::Nothing);
    let all_named = (0..width).all(has_name);
    let mut survey = Survey {
        rows: 0,
        blank_rows: 0,
        columns: columns.clone(),
    };
    while rows.read(&mut row)? {
        if row.is_blank() {
            survey.blank_rows += 1;
            continue;
        }
        survey.rows += 1;
        if all_named {
            continue;
        }
        let mut cells = row.cells().take(width).enumerate();
        if let Some((place, _)) = cells.find(|(place, cell)| !has_name(*place) && !cell.chars().all(is_unseen)) {
            return Err(FileFault::BlankHeader {
                column: letter(place),
                row: row.number(),
            });
        }
    }
    survey.within(limits)
}

/// Reads the first row that is not blank.
fn skip_to_header<R: Read + Seek>(rows: &mut Rows<R>, row: &mut Row) -> Result<(), FileFault> {
    while rows.read(row)? {
        if !row.is_blank() {
            return Ok(());
        }
    }
    Err(FileFault::Empty)
}

/// Finds what divides the columns: what the file says itself, or what makes a header with an
/// address column, or the most columns.
fn find_separator<R: Read + Seek>(source: &mut R, start: &Start, limits: Limits) -> Result<u8, FileFault> {
    if let Some(separator) = start.separator {
        return Ok(separator);
    }
    let mut best = (false, 0, b',');
    let mut row = Row::default();
    for separator in SEPARATORS {
        let mut rows = Rows::new(&mut *source, start.offset, separator, limits)?;
        let found = match skip_to_header(&mut rows, &mut row) {
            Err(FileFault::Empty) => return Err(FileFault::Empty),
            // Told by the survey, if this turns out to be the separator: the columns up to the
            // fault, and the one that has it.
            Err(_) => (false, row.width() + 1),
            Ok(()) => {
                let is_header = !matches!(read_header(&row), Err(FileFault::NoEmailColumn { .. }));
                (is_header, row.width())
            }
        };
        if found > (best.0, best.1) {
            best = (found.0, found.1, separator);
        }
    }
    Ok(best.2)
}

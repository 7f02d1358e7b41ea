//! The two passes over a file.

use std::fs::File;
use std::io::{BufReader, Read, Seek};

use super::cells::Row;
use super::columns::{Column, ReadColumn, Role, is_header, read_header};
use super::header::Known;
use super::json;
use super::row::read_row;
use super::rows::Rows;
use super::sniff::{Start, sniff};
use super::text::{is_unseen, letter};
use super::workbook::{Format, SheetRead, write_csv};
use super::{FileFault, Limits, Line, Person};
use shared::address::EmailAddress;

/// Separators, the likeliest first.
const SEPARATORS: [u8; 3] = *b",;\t";

/// Rows among which the header is looked for. Exports have a title, a date and a filter above it.
const HEADER_WITHIN: u32 = 20;

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
    /// What kind of file it came from: `csv`, `json`, `xlsx`, `xls` or `ods`.
    pub format: &'static str,
    /// The sheet of a spreadsheet.
    pub source: Option<SheetRead>,
    /// The row of the header, as a spreadsheet counts. What stands above it is passed over.
    pub header_row: u32,
    columns: Vec<Column>,
}

impl Sheet {
    /// Surveys a file that is a CSV or a spreadsheet, whichever its first bytes say, and readies it for reading.
    ///
    /// `wanted` names the sheet of a spreadsheet with several.
    ///
    /// # Errors
    ///
    /// As [`Sheet::open_csv`], and what is wrong with a spreadsheet.
    pub fn open(mut file: File, wanted: Option<&str>, limits: Limits) -> Result<(Self, Lines<File>), FileFault> {
        let Some(format) = Format::of(&mut BufReader::new(&mut file))? else {
            return Self::open_csv(file, limits);
        };
        let mut cells = tempfile::tempfile()?;
        let source = write_csv(BufReader::new(file), format, wanted, limits, &mut cells)?;
        let start = Start {
            offset: 0,
            separator: Some(b','),
        };
        let (sheet, lines) = Self::open_table(cells, &start, limits)?;
        let sheet = Self {
            format: format.as_str(),
            source: Some(source),
            ..sheet
        };
        Ok((sheet, lines))
    }

    /// Surveys a CSV file and readies it for reading.
    ///
    /// # Errors
    ///
    /// The first fault that concerns the whole file. Nothing was read from it.
    pub fn open_csv<R: Read + Seek>(mut source: R, limits: Limits) -> Result<(Self, Lines<R>), FileFault> {
        let start = sniff(&mut source)?;
        Self::open_table(source, &start, limits)
    }

    fn open_table<R: Read + Seek>(mut source: R, start: &Start, limits: Limits) -> Result<(Self, Lines<R>), FileFault> {
        let (separator, header_row) = find_header(&mut source, start, limits)?;
        let mut rows = Rows::new(&mut source, start.offset, separator, limits)?;
        let survey = survey(&mut rows, header_row, limits)?;
        let sheet = Self::new(survey, separator);
        let mut rows = Rows::new(source, start.offset, separator, limits)?;
        let mut row = Row::default();
        skip_to(&mut rows, &mut row, header_row)?;
        let columns = sheet.columns.clone();
        Ok((sheet, Lines::new(Reader::Csv { rows, row, columns })))
    }

    /// Surveys an array of users in JSON and readies it for reading.
    ///
    /// # Errors
    ///
    /// As [`Sheet::open_csv`].
    pub fn open_json<R: Read + Seek>(mut source: R, limits: Limits) -> Result<(Self, Lines<R>), FileFault> {
        let survey = json::survey(&mut source, limits)?;
        let mut sheet = Self::new(survey, b',');
        sheet.format = "json";
        let users = json::Users::open(source, limits)?;
        let columns = sheet.columns.clone();
        Ok((sheet, Lines::new(Reader::Json { users, columns })))
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
            header_row: survey.header_row,
            format: "csv",
            source: None,
            columns,
        }
    }

    /// The cells of a person that came from this sheet, for a row rejected after reading: the
    /// database may find it to be the same as an earlier one.
    pub fn cells_of(&self, person: &Person) -> Vec<String> {
        let cell = |column: &Column| match &column.role {
            Role::Known(Known::Email) => person.email.as_typed().to_owned(),
            Role::Known(Known::FirstName) => person.first_name.clone().unwrap_or_default(),
            Role::Known(Known::LastName) => person.last_name.clone().unwrap_or_default(),
            Role::Known(Known::FullName) => person.full_name(),
            Role::Known(Known::Language) => person.language.clone().unwrap_or_default(),
            Role::Field(name) => person.fields.get(name).cloned().unwrap_or_default(),
            Role::Nothing | Role::LeftOut(_) | Role::Problem => String::new(),
        };
        let own = self.columns.iter().filter(|column| column.role != Role::Problem);
        own.map(cell).collect()
    }

    /// How each column is read.
    pub fn columns(&self) -> Vec<ReadColumn> {
        let own = self.columns.iter().filter(|column| column.role != Role::Problem);
        own.map(ReadColumn::from).collect()
    }

    /// The place of the addresses and the header over them; none in JSON.
    pub(super) fn email_column(&self) -> Option<(usize, &str)> {
        let mut columns = self.columns.iter().enumerate();
        let (place, column) = columns.find(|(_, column)| column.role == Role::Known(Known::Email))?;
        (self.format != "json").then_some((place, column.header.as_str()))
    }
}

/// The rows of an open file that are not blank, in their order.
///
/// A fault here means that the temporary file changed or failed under the reader.
pub struct Lines<R> {
    reader: Reader<R>,
    accepts_doubtful: bool,
}

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
    fn new(reader: Reader<R>) -> Self {
        Self {
            reader,
            accepts_doubtful: false,
        }
    }

    /// With values that look damaged taken as they are.
    #[must_use]
    pub fn accepting_doubtful(self, accepts_doubtful: bool) -> Self {
        Self {
            accepts_doubtful,
            ..self
        }
    }

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
        let accepts = self.accepts_doubtful;
        match &mut self.reader {
            Reader::Csv { rows, row, columns } => loop {
                match rows.read(row) {
                    Ok(true) if row.is_blank() => {}
                    Ok(true) => return Some(Ok(read_row(row, columns, accepts))),
                    Ok(false) => return None,
                    Err(fault) => return Some(Err(fault)),
                }
            },
            Reader::Json { users, columns } => users.next_line(columns, accepts).transpose(),
        }
    }
}

/// What the first pass found.
pub(super) struct Survey {
    pub(super) columns: Vec<Column>,
    pub(super) rows: u32,
    pub(super) blank_rows: u32,
    pub(super) header_row: u32,
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

/// Reads every row from the header on for what concerns the whole file.
fn survey<R: Read + Seek>(rows: &mut Rows<R>, header_row: u32, limits: Limits) -> Result<Survey, FileFault> {
    let mut row = Row::default();
    skip_to(rows, &mut row, header_row)?;
    let columns = read_header(&row)?;
    let width = row.width();
    let has_name = |place: usize| columns.get(place).is_some_and(|column| column.role != Role::Nothing);
    let all_named = (0..width).all(has_name);
    let mut survey = Survey {
        rows: 0,
        blank_rows: 0,
        header_row,
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

/// Reads the row of this number.
fn skip_to<R: Read + Seek>(rows: &mut Rows<R>, row: &mut Row, number: u32) -> Result<(), FileFault> {
    while rows.read(row)? {
        if row.number() == number {
            return Ok(());
        }
    }
    Err(FileFault::Empty)
}

/// Finds what divides the columns, and the row of their names.
///
/// The separator is what the file says itself, or what makes a header with an address column, or the most columns.
fn find_header<R: Read + Seek>(source: &mut R, start: &Start, limits: Limits) -> Result<(u8, u32), FileFault> {
    let separators = start.separator.map_or(SEPARATORS.to_vec(), |separator| vec![separator]);
    let mut best = (false, 0, b',', 0);
    for separator in separators {
        let mut rows = Rows::new(&mut *source, start.offset, separator, limits)?;
        let found = header_among(&mut rows)?;
        if best.3 == 0 || (found.is_header, found.width) > (best.0, best.1) {
            best = (found.is_header, found.width, separator, found.row);
        }
    }
    Ok((best.2, best.3))
}

/// The row that looks most like a header.
struct Found {
    is_header: bool,
    row: u32,
    width: usize,
}

/// Looks for the names of the columns in the first rows: the first row with an address column, else the first row.
fn header_among<R: Read + Seek>(rows: &mut Rows<R>) -> Result<Found, FileFault> {
    let mut row = Row::default();
    let mut first: Option<Found> = None;
    let mut seen = 0;
    while seen < HEADER_WITHIN {
        // Blank rows count behind the first that is not.
        seen += u32::from(first.is_some());
        match rows.read(&mut row) {
            Ok(true) if row.is_blank() => continue,
            Ok(true) => {}
            Ok(false) => break,
            Err(fault @ FileFault::Unreadable(_)) => return Err(fault),
            // Told by the survey, if this turns out to be the separator: the columns up to the fault, and the one
            // that has it.
            Err(_) => {
                first = first.or(Some(Found {
                    is_header: false,
                    row: row.number(),
                    width: row.width() + 1,
                }));
                break;
            }
        }
        let is_header = is_header(&row);
        let found = Found {
            is_header,
            row: row.number(),
            width: row.width(),
        };
        if is_header {
            return Ok(found);
        }
        first = first.or(Some(found));
        if row.cells().any(|cell| EmailAddress::parse(cell).is_ok()) {
            // The names of the columns are not below the first person.
            break;
        }
    }
    first.ok_or(FileFault::Empty)
}

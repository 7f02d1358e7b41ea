//! The two passes over a file.

use std::fs::File;
use std::io::{BufReader, Read, Seek};

use shared::address::EmailAddress;

use super::cells::Row;
use super::column::{Column, ReadColumn, Role};
use super::columns::{names_of, own_names, read_header, widened};
use super::find_header::{MAX_HEADER_ROW, find_header};
use super::header::Known;
use super::json;
use super::mapping::{Mapping, RememberedMapping};
use super::row::{RowRules, read_row};
use super::rows::Rows;
use super::sniff::{Start, sniff};
use super::survey::{Survey, Unnamed};
use super::workbook::{Format, SheetRead, write_csv};
use super::{FileFault, Limits, ParsedRow, Person};

/// How to read a file, beyond what the file itself declares.
#[derive(Debug, Clone, Default)]
pub struct Directions {
    /// The sheet to read from a spreadsheet with several.
    pub sheet: Option<String>,
    /// What columns are read as.
    pub mapping: Option<Mapping>,
    /// Earlier mappings. Without `mapping`, one for the same columns is used again.
    pub remembered: Vec<RememberedMapping>,
    /// The row of the header, counted as in a spreadsheet. Without it, the header is the row with the columns of the
    /// mapping, or the one that looks most like a header.
    pub header_row: Option<u32>,
}

impl Directions {
    fn mapping_for(&self, header: &[String]) -> Option<&Mapping> {
        let remembered = || self.remembered.iter().find(|one| one.fits(header));
        self.mapping.as_ref().or_else(|| Some(&remembered()?.mapping))
    }

    /// Whether the caller means this row with these names as the header.
    pub(super) fn is_header(&self, row: u32, names: &[String]) -> bool {
        let names = own_names(names);
        match (self.header_row, &self.mapping) {
            (Some(chosen), _) => row == chosen,
            (None, Some(mapping)) => mapping.names_columns_of(names),
            (None, None) => self.remembered.iter().any(|one| one.fits(names)),
        }
    }

    /// Refuses a header row that could not be chosen.
    fn checked(&self, found: u32) -> Result<u32, FileFault> {
        match self.header_row {
            Some(wanted) if wanted != found => Err(FileFault::NoSuchHeaderRow { wanted }),
            _ => Ok(found),
        }
    }
}

/// Properties of an open file.
#[derive(Debug, Clone)]
pub struct ParsedFile {
    /// The header as written, for [`super::FixFile`]. Without our own column "Problem".
    pub header: Vec<String>,
    /// The separator of the columns.
    pub separator: u8,
    /// The merge fields that its columns fill.
    pub custom_fields: Vec<String>,
    /// Number of non-empty rows.
    pub rows: u32,
    /// Number of empty rows, which are skipped.
    pub blank_rows: u32,
    /// The original format of the file: `csv`, `json`, `xlsx`, `xls` or `ods`.
    pub format: &'static str,
    /// The sheet of a spreadsheet.
    pub source: Option<SheetRead>,
    /// The row of the header, counted as in a spreadsheet. Rows above it are skipped.
    pub header_row: u32,
    /// The mapping of the columns, chosen now or for an earlier file with the same ones.
    pub mapping: Option<Mapping>,
    columns: Vec<Column>,
}

impl ParsedFile {
    /// Surveys a CSV file or a spreadsheet, detected by its first bytes, and prepares it for reading.
    ///
    /// # Errors
    ///
    /// As [`ParsedFile::open_csv`], and the faults of a spreadsheet.
    pub fn open(mut file: File, directions: &Directions, limits: Limits) -> Result<(Self, Lines<File>), FileFault> {
        let Some(format) = Format::of(&mut BufReader::new(&mut file))? else {
            let start = sniff(&mut file)?;
            return Self::open_table(file, &start, directions, limits);
        };
        let mut cells = tempfile::tempfile()?;
        let wanted = directions.sheet.as_deref();
        let source = write_csv(BufReader::new(file), format, wanted, limits, &mut cells)?;
        let start = Start {
            offset: 0,
            separator: Some(b','),
        };
        let (sheet, lines) = Self::open_table(cells, &start, directions, limits)?;
        let sheet = Self {
            format: format.as_str(),
            source: Some(source),
            ..sheet
        };
        Ok((sheet, lines))
    }

    /// Surveys a CSV file and prepares it for reading.
    ///
    /// # Errors
    ///
    /// The first fault that concerns the whole file. No row has been returned.
    pub fn open_csv<R: Read + Seek>(mut source: R, limits: Limits) -> Result<(Self, Lines<R>), FileFault> {
        let start = sniff(&mut source)?;
        Self::open_table(source, &start, &Directions::default(), limits)
    }

    fn open_table<R: Read + Seek>(
        mut source: R,
        start: &Start,
        directions: &Directions,
        limits: Limits,
    ) -> Result<(Self, Lines<R>), FileFault> {
        let is_chosen = |row: u32, names: &[String]| directions.is_header(row, names);
        let (separator, found) = find_header(&mut source, start, &is_chosen, limits)?;
        let header_row = directions.checked(found)?;
        let mut rows = Rows::new(&mut source, start.offset, separator, limits)?;
        let survey = survey(&mut rows, header_row, directions, limits)?;
        let sheet = Self::new(survey, separator);
        let mut rows = Rows::new(source, start.offset, separator, limits)?;
        let mut row = Row::default();
        skip_to(&mut rows, &mut row, header_row)?;
        let columns = sheet.columns.clone();
        Ok((sheet, Lines::new(Reader::Csv { rows, row, columns })))
    }

    /// Surveys a JSON array of users and prepares it for reading.
    ///
    /// # Errors
    ///
    /// As [`ParsedFile::open_csv`].
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
            mapping: survey.mapping,
            columns,
        }
    }

    /// The cells of a person from this sheet, for a row rejected after reading: the database may find that it
    /// duplicates an earlier one.
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

    /// The index and the header of the address column; `None` in JSON.
    pub(super) fn email_column(&self) -> Option<(usize, &str)> {
        let mut columns = self.columns.iter().enumerate();
        let (place, column) = columns.find(|(_, column)| column.role == Role::Known(Known::Email))?;
        (self.format != "json").then_some((place, column.header.as_str()))
    }
}

/// The non-blank rows of an open file, in order.
///
/// A fault here means that the temporary file changed or failed during reading.
pub struct Lines<R> {
    reader: Reader<R>,
    rules: RowRules,
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
            rules: RowRules::default(),
        }
    }

    /// Sets the rules for its rows.
    #[must_use]
    pub fn with_rules(self, rules: RowRules) -> Self {
        Self { rules, ..self }
    }

    /// Reads only the addresses of a table. Its other columns are neither kept nor checked.
    #[must_use]
    pub(super) fn only_addresses(mut self) -> Self {
        if let Reader::Csv { columns, .. } = &mut self.reader {
            let others = columns
                .iter_mut()
                .filter(|column| column.role != Role::Known(Known::Email));
            others.for_each(|column| column.role = Role::Nothing);
        }
        self
    }

    /// The next rows: at most `most`, ending once they hold `bytes`; empty at the end of the file.
    pub fn chunk(&mut self, most: usize, bytes: usize) -> Result<Vec<ParsedRow>, FileFault> {
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
    type Item = Result<ParsedRow, FileFault>;

    fn next(&mut self) -> Option<Self::Item> {
        let rules = self.rules;
        match &mut self.reader {
            Reader::Csv { rows, row, columns } => loop {
                match rows.read(row) {
                    Ok(true) if row.is_blank() => {}
                    Ok(true) => return Some(Ok(read_row(row, columns, rules))),
                    Ok(false) => return None,
                    Err(fault) => return Some(Err(fault)),
                }
            },
            Reader::Json { users, columns } => users.next_line(columns, rules).transpose(),
        }
    }
}

/// Reads every row from the header on to find faults of the whole file. All faults of the columns are reported at once.
fn survey<R: Read + Seek>(
    rows: &mut Rows<R>,
    header_row: u32,
    directions: &Directions,
    limits: Limits,
) -> Result<Survey, FileFault> {
    let mut row = Row::default();
    skip_to(rows, &mut row, header_row)?;
    let names = names_of(&row);
    let mapping = directions.mapping_for(own_names(&names));
    let names = widened(names, mapping, limits.columns);
    let width = row.width().max(names.len());
    let (columns, mut faults) = read_header(&names, mapping);
    let mut unnamed = Unnamed::of(&columns, width);
    let mut survey = Survey {
        rows: 0,
        blank_rows: 0,
        header_row,
        columns,
        mapping: mapping.cloned(),
    };
    let mut has_addresses = false;
    loop {
        match rows.read(&mut row) {
            Ok(true) => {}
            Ok(false) => break,
            // What is wrong with the columns is worth knowing as well.
            Err(fault) => {
                faults.push(fault);
                break;
            }
        }
        if row.is_blank() {
            survey.blank_rows += 1;
            continue;
        }
        survey.rows += 1;
        if !faults.is_empty() && survey.rows <= MAX_HEADER_ROW {
            has_addresses |= row.cells().any(|cell| EmailAddress::parse(cell).is_ok());
        }
        unnamed.see(&row);
    }
    faults.extend(unnamed.fault());
    for fault in &mut faults {
        fault.add_addresses(has_addresses);
    }
    match FileFault::of_all(faults) {
        Some(fault) => Err(fault),
        None => survey.within(limits),
    }
}

/// Reads the row with this number.
fn skip_to<R: Read + Seek>(rows: &mut Rows<R>, row: &mut Row, number: u32) -> Result<(), FileFault> {
    while rows.read(row)? {
        if row.number() == number {
            return Ok(());
        }
    }
    Err(FileFault::Empty)
}

//! Reads an import file: bytes in, people and problems out.
//!
//! This crate knows nothing of the database or of HTTP. The route writes the upload to a temporary file and passes it
//! to [`ParsedFile::open_csv`] or [`ParsedFile::open_json`] on a thread that may block. The file is read twice:
//!
//! 1. **Opening** surveys the whole file for faults that concern all of it: whether it is CSV and UTF-8, whether the
//!    quotation marks are closed, which columns there are, how many rows. It reports one [`FileFault`] at a time, and
//!    returns no row as long as there is one. So nothing is stored of a file that turns out to be unreadable at its
//!    end, and the number of rows is known before the first is stored.
//! 2. **[`Lines`]** then returns one [`ParsedRow`] per row: a [`Person`], or a [`Rejected`] row with everything that is
//!    wrong in it. Good rows are imported whatever their neighbours look like.
//!
//! Both passes split rows with the same code, so they cannot disagree. Memory does not grow with the file: a reader
//! holds one row of limited size ([`Limits::row_bytes`]) and a limited number of its problems; [`Lines::chunk`] also
//! limits the bytes of its rows. That is also why the database finds people who occur twice in a file;
//! [`Problem::duplicate_of_row`] words the problem.
//!
//! Rows are numbered as a spreadsheet shows them: the header is row 1, an empty row counts, and a cell with line breaks
//! is still in one row. In JSON the first user is row 1.
//!
//! | File | Holds |
//! |---|---|
//! | `sniff` | detection by the first bytes: another kind of file, encoding, `sep=` line |
//! | `rows`, `cells` | bytes to rows and cells |
//! | `find_header` | the header row and the separator |
//! | `header` | column names in the files of other programs, and password columns |
//! | `column` | a column, and what its cells are used for |
//! | `columns`, `mapping` | header cells to columns, and the chosen mapping |
//! | `merge_field` | which keys and column names can be merge fields |
//! | `preview` | the columns of a file with their first values |
//! | `text`, `link`, `language`, `full_name`, `row` | cells to a person or problems |
//! | `damage` | values damaged by other programs, which the caller may accept |
//! | `parsed_file`, `survey` | the two passes over a CSV file, and the result of the first |
//! | `json` | the same for an array of users |
//! | `single` | one user's values outside a file |
//! | `workbook` | spreadsheets to CSV: `.xlsx`, `.xls`, `.ods` |
//! | `pasted` | lists of addresses to a table |
//! | `addresses` | reads only the addresses of a file |
//! | `template` | a spreadsheet to fill in |
//! | `safe_csv`, `fix_workbook` | every CSV we write, and the file of rejected rows, also as a spreadsheet |

mod addresses;
mod cells;
mod column;
mod columns;
mod damage;
mod fault;
mod find_header;
mod fix_workbook;
mod full_name;
mod header;
mod json;
mod language;
mod link;
mod mapping;
mod merge_field;
mod parsed_file;
mod pasted;
mod preview;
mod row;
mod rows;
mod safe_csv;
pub mod single;
mod sniff;
mod survey;
mod template;
#[cfg(test)]
mod tests;
mod text;
mod workbook;

use std::collections::BTreeMap;

use serde::Serialize;
use shared::address::EmailAddress;
use utoipa::ToSchema;

pub use addresses::{AddressLines, open_addresses, open_json_addresses};
pub use column::ReadColumn;
pub use columns::read_columns;
pub use fault::FileFault;
pub use fix_workbook::FixWorkbook;
pub use mapping::{Mapping, RememberedMapping, column_keys, sorted_keys};
pub use parsed_file::{Directions, Lines, ParsedFile};
pub use pasted::table_of;
pub use preview::{Preview, split_name};
pub use row::RowRules;
pub use safe_csv::{FixFile, SafeCsv, safe_cell};
pub use template::{EXAMPLE_ADDRESS, TemplateColumn, write_template};
pub use text::letter;
pub use workbook::{Format, HELP_SHEET, ListedSheet, SheetRead, list_sheets, write_csv};

/// Size limits of a file and its parts.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Non-empty rows, without the header.
    pub rows: u32,
    /// Columns; in JSON, distinct names in `fields`.
    pub columns: usize,
    /// Bytes in one cell.
    pub cell_bytes: usize,
    /// Bytes in one row. This limits the memory of a reader.
    pub row_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            rows: 1_000_000,
            columns: 200,
            cell_bytes: 10_000,
            // Two hundred columns of a thousand characters, the longest value of a field.
            row_bytes: 256 * 1024,
        }
    }
}

/// One row of the file.
#[derive(Debug)]
pub enum ParsedRow {
    /// The row is valid.
    Person(Person),
    /// The row has at least one problem and is not imported.
    Rejected(Rejected),
}

/// One user in the file.
///
/// `None`, and a name missing from `fields`, mean that the column is absent or the cell empty; the import leaves that
/// value unchanged. With [`RowRules::clears_empty`], an empty cell of an existing column is an empty text, which clears
/// the value.
#[derive(Debug, Clone)]
pub struct Person {
    /// The row's number in the file.
    pub row: u32,
    /// The user's address.
    pub email: EmailAddress,
    /// At most 200 characters, without control characters or links.
    pub first_name: Option<String>,
    /// As the first name.
    pub last_name: Option<String>,
    /// A BCP 47 tag in its usual case, such as `pt-BR`.
    pub language: Option<String>,
    /// The organisation's own merge fields, by name.
    pub fields: BTreeMap<String, String>,
}

impl Person {
    /// First and last name in one text.
    pub(crate) fn full_name(&self) -> String {
        let names = [self.first_name.as_deref(), self.last_name.as_deref()];
        names.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }
}

/// A row that is not imported.
#[derive(Debug, Clone)]
pub struct Rejected {
    /// The row's number in the file.
    pub row: u32,
    /// Its problems in the order of the columns: the first twenty, and the number of further ones. Never empty.
    pub problems: Vec<Problem>,
    /// The cells as written, at least as many as [`ParsedFile::header`] has, for the [`FixFile`].
    pub cells: Vec<String>,
}

/// One problem of one row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = RowProblem)]
pub struct Problem {
    /// The row's number in the file.
    pub row: u32,
    /// The header of the faulty cell, at most 80 characters, without control characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// The faulty cell in spreadsheet notation, such as `C17`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cell: Option<String>,
    /// The field that the cell would fill, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The code for programs.
    #[schema(value_type = String)]
    pub code: &'static str,
    /// The sentence for the person who fixes the file.
    pub message: String,
    /// The value that was probably meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
    /// Whether the value can be imported as it is, if the caller sets `accept_doubtful`.
    #[serde(skip_serializing_if = "is_false")]
    pub acceptable: bool,
    /// The cell, at most 80 characters, without control characters.
    pub value: String,
}

impl ParsedRow {
    /// Size of the part of the file that it holds.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Person(person) => {
                let named = [&person.first_name, &person.last_name, &person.language];
                let fields = person.fields.iter().map(|(name, value)| name.len() + value.len());
                named.into_iter().flatten().map(String::len).chain(fields).sum()
            }
            Self::Rejected(rejected) => rejected.cells.iter().map(String::len).sum(),
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_false(value: &bool) -> bool {
    !value
}

/// The code of a row whose address occurs in an earlier row. SQL statements use it too (`store/imports`).
const DUPLICATE: &str = "duplicate_of_row";

impl Rejected {
    /// Whether its only problem is that an earlier row has the same address.
    pub fn is_duplicate(&self) -> bool {
        self.problems.iter().any(|problem| problem.code == DUPLICATE)
    }

    /// Whether all its problems can be accepted.
    pub fn is_acceptable(&self) -> bool {
        self.problems.iter().all(|problem| problem.acceptable)
    }
}

impl Problem {
    /// Reports that `person` has the address of an earlier row.
    pub fn duplicate_of_row(person: &Person, first: u32, sheet: &ParsedFile) -> Self {
        let email = sheet.email_column();
        Self {
            row: person.row,
            column: email.map(|(_, header)| text::shown(header)),
            cell: email.map(|(place, _)| text::cell_name(place, person.row)),
            field: Some("email".to_owned()),
            code: DUPLICATE,
            message: format!("Same as row {first}"),
            suggestion: None,
            acceptable: false,
            value: text::shown(person.email.as_typed()),
        }
    }
}

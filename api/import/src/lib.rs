//! Reads an import file: bytes in, people and problems out.
//!
//! Nothing here knows of the database or of HTTP. The route lets the upload run into a
//! temporary file and gives it to [`Sheet::open_csv`] or [`Sheet::open_json`], on a thread
//! that may block. The file is read twice:
//!
//! 1. **Opening** surveys the whole file for what concerns all of it: is it CSV at all, is it
//!    UTF-8, are the quotation marks closed, which columns are there, how many rows. One
//!    [`FileFault`] at a time is told, and until there is none, no row leaves this module. So
//!    nothing of a file is stored that turns out to be unreadable at its end, and the number
//!    of rows is known before the first is stored.
//! 2. **[`Lines`]** then gives one [`Line`] for each row: a [`Person`], or a
//!    [`Rejected`] row with everything that is wrong in it. Good rows come in whatever
//!    their neighbours look like.
//!
//! Both passes split rows with the same code, so they cannot disagree. Memory does not grow with
//! the file: a reader holds one row, which has a limit ([`Limits::row_bytes`]), and of its problems
//! a few; [`Lines::chunk`] ends by the bytes of its rows, too. That is also why a person who comes
//! twice in a file is for the database to find: [`Problem::duplicate_of_row`] words it.
//!
//! Rows are numbered as a spreadsheet shows them: the header is row 1, an empty row counts, a
//! cell with line breaks in it is still in one row. In JSON the first user is row 1.
//!
//! | File | Holds |
//! |---|---|
//! | `sniff` | what the first bytes say: another kind of file, encoding, `sep=` line |
//! | `rows`, `cells` | bytes to rows and cells |
//! | `find_header` | where the names of the columns are |
//! | `header` | what a column is called in the files of other programs, and what is a password |
//! | `columns`, `mapping` | header cells to columns, and what was chosen about them |
//! | `preview` | the columns of a file with their first values |
//! | `text`, `link`, `language`, `full_name`, `row` | cells to a person or problems |
//! | `damage` | values that programs damaged on the way, which a person may accept |
//! | `sheet` | the two passes over a CSV file |
//! | `json` | the same for an array of users |
//! | `single` | one user's values outside a file |
//! | `workbook` | spreadsheets to CSV: `.xlsx`, `.xls`, `.ods` |
//! | `pasted` | lists of addresses to a table |
//! | `template` | a spreadsheet to fill in |
//! | `export`, `fix_workbook` | every CSV we write, and the file of rejected rows, also as a spreadsheet |

mod cells;
mod columns;
mod damage;
mod export;
mod fault;
mod find_header;
mod fix_workbook;
mod full_name;
mod header;
mod json;
mod language;
mod link;
mod mapping;
mod pasted;
mod preview;
mod row;
mod rows;
mod sheet;
pub mod single;
mod sniff;
mod template;
#[cfg(test)]
mod tests;
mod text;
mod workbook;

use std::collections::BTreeMap;

use serde::Serialize;
use shared::address::EmailAddress;
use utoipa::ToSchema;

pub use columns::{ReadColumn, read_columns};
pub use export::{FixFile, SafeCsv, safe_cell};
pub use fault::FileFault;
pub use fix_workbook::FixWorkbook;
pub use mapping::{Mapping, RememberedMapping, column_keys, sorted_keys};
pub use pasted::table_of;
pub use preview::{Preview, split_name};
pub use row::RowRules;
pub use sheet::{Directions, Lines, Sheet};
pub use template::{EXAMPLE_ADDRESS, TemplateColumn, write_template};
pub use text::letter;
pub use workbook::{Format, HELP_SHEET, SheetRead, write_csv};

/// How large a file and its parts may be.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Rows with something in them, without the header.
    pub rows: u32,
    /// Columns, and in JSON different names in `fields`.
    pub columns: usize,
    /// Bytes in one cell.
    pub cell_bytes: usize,
    /// Bytes in one row. This bounds the memory a reader takes.
    pub row_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            rows: 1_000_000,
            columns: 200,
            cell_bytes: 10_000,
            // Two hundred columns of a thousand letters, the longest value a field may have.
            row_bytes: 256 * 1024,
        }
    }
}

/// One row of the file.
#[derive(Debug)]
pub enum Line {
    /// The row is in order.
    Person(Person),
    /// The row has at least one problem and does not come in.
    Rejected(Rejected),
}

/// One user as the file has them.
///
/// `None`, and a name missing from `fields`, mean that the column is absent or the cell
/// empty. An import leaves such a value as it is. With [`RowRules::clears_empty`], an empty cell of a
/// column that is there is an empty text, which clears the value.
#[derive(Debug, Clone)]
pub struct Person {
    /// Where the row is in the file.
    pub row: u32,
    /// Who the user is.
    pub email: EmailAddress,
    /// At most 200 characters, without control characters or links.
    pub first_name: Option<String>,
    /// As the first name.
    pub last_name: Option<String>,
    /// A BCP 47 tag in its usual case, such as `pt-BR`.
    pub language: Option<String>,
    /// Merge fields of the organisation's own, by name.
    pub fields: BTreeMap<String, String>,
}

impl Person {
    /// First and last name in one text.
    pub(crate) fn full_name(&self) -> String {
        let names = [self.first_name.as_deref(), self.last_name.as_deref()];
        names.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }
}

/// A row that does not come in.
#[derive(Debug, Clone)]
pub struct Rejected {
    /// Where the row is in the file.
    pub row: u32,
    /// What is wrong with it, in the order of the columns, the first twenty things and how many
    /// more there are. Never empty.
    pub problems: Vec<Problem>,
    /// The cells as they were written, at least as many as [`Sheet::header`] has, for the
    /// [`FixFile`].
    pub cells: Vec<String>,
}

/// One thing wrong with one row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = RowProblem)]
pub struct Problem {
    /// Where the row is in the file.
    pub row: u32,
    /// The header of the cell at fault, at most 80 characters, without control characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// The cell at fault as spreadsheets name it, such as `C17`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cell: Option<String>,
    /// The field that the cell would fill, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The word for programs.
    #[schema(value_type = String)]
    pub code: &'static str,
    /// The words for the person who mends the file.
    pub message: String,
    /// What was probably meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
    /// Whether the value may come in as it is, if whoever imports it says so (`accept_doubtful`).
    #[serde(skip_serializing_if = "is_false")]
    pub acceptable: bool,
    /// The cell, at most 80 characters, without control characters.
    pub value: String,
}

impl Line {
    /// How much of a file it holds.
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

/// The code of a row whose address an earlier row has. Statements know it too (`store/imports`).
const DUPLICATE: &str = "duplicate_of_row";

impl Rejected {
    /// Whether it is left out only because an earlier row has its address.
    pub fn is_duplicate(&self) -> bool {
        self.problems.iter().any(|problem| problem.code == DUPLICATE)
    }

    /// Whether all that is wrong with it may be accepted.
    pub fn is_acceptable(&self) -> bool {
        self.problems.iter().all(|problem| problem.acceptable)
    }
}

impl Problem {
    /// Says that `person` has the address of an earlier row.
    pub fn duplicate_of_row(person: &Person, first: u32, sheet: &Sheet) -> Self {
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

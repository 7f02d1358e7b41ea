//! Faults that make a whole file unusable, with sentences for the person who uploaded it.

use std::io;

use super::text::{counted, listed};

/// Why a file cannot be read at all.
///
/// `Display` is the sentence for the person, [`FileFault::code`] the code for programs. The sentences follow the
/// console's style: what was found, where, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum FileFault {
    /// Another kind of file, recognised by its first bytes.
    #[error("The selected file must be a spreadsheet or a CSV – this is {kind}. {advice}")]
    NotCsv {
        /// The kind of file, with its article.
        kind: &'static str,
        /// What to do with such a file.
        advice: &'static str,
    },
    /// A spreadsheet protected with a password.
    #[error("The selected file is protected with a password – remove the password in your spreadsheet and try again")]
    Encrypted,
    /// A spreadsheet with invalid content.
    #[error("The selected file is damaged – open it in a spreadsheet, save it again and try that file")]
    Damaged,
    /// A spreadsheet that unpacks to more than the limit.
    #[error(
        "The selected file is far too large when unpacked – copy the rows into a new file, or save it as CSV, and try again"
    )]
    TooLargeInside,
    /// The file has several candidate sheets.
    #[error("Your file has {} sheets with content: {} – choose the one to import", sheets.len(), listed(sheets))]
    SeveralSheets {
        /// Their names.
        sheets: Vec<String>,
    },
    /// No sheet has the requested name.
    #[error("Your file has no sheet called ‘{wanted}’. It has {}", listed(sheets))]
    NoSuchSheet {
        /// The requested name.
        wanted: String,
        /// The names of sheets with content.
        sheets: Vec<String>,
    },
    /// No bytes, or only empty rows.
    #[error("The selected file is empty")]
    Empty,
    /// A header without rows below it.
    #[error("Your file needs at least one row")]
    NoRows,
    /// UTF-16 or UTF-32 text.
    #[error("We cannot read this file – save it as CSV UTF-8 and try again. It looks like UTF-16")]
    Utf16,
    /// Bytes that are not UTF-8.
    #[error(
        "We cannot read this file – save it as CSV UTF-8 and try again. Row {row}, column {column} is not UTF-8: it looks like Latin-1 or Windows-1252 (‘{guess}’)"
    )]
    NotUtf8 {
        /// The row.
        row: u32,
        /// The letter of the column.
        column: String,
        /// The cell, decoded as Latin-1.
        guess: String,
    },
    /// A zero byte, which no text contains and Postgres rejects.
    #[error(
        "We cannot read this file – save it as CSV UTF-8 and try again. Row {row}, column {column} has a zero byte, which text never has"
    )]
    ZeroByte {
        /// The row.
        row: u32,
        /// The letter of the column.
        column: String,
    },
    /// A quoted cell that swallows the rows below it.
    #[error(
        "Row {row}, column {column} opens a quotation mark that is not closed. Close it, or write \"\" for a quotation mark that belongs to the text"
    )]
    QuoteNotClosed {
        /// The row where it opens.
        row: u32,
        /// The letter of the column.
        column: String,
    },
    /// A cell over [`super::Limits::cell_bytes`].
    #[error("Row {row}, column {column} is too long (limit {} bytes)", counted(*limit))]
    CellTooLong {
        /// The row.
        row: u32,
        /// The letter of the column.
        column: String,
        /// The limit.
        limit: usize,
    },
    /// A row over [`super::Limits::row_bytes`].
    #[error("Row {row} is too long (limit {} bytes)", counted(*limit))]
    RowTooLong {
        /// The row.
        row: u32,
        /// The limit.
        limit: usize,
    },
    /// More rows than [`super::Limits::rows`].
    #[error(
        "Your file has too many rows – we can take {}, yours has {}",
        counted(*limit as usize),
        counted(*found as usize)
    )]
    TooManyRows {
        /// The limit.
        limit: u32,
        /// Rows in the file.
        found: u32,
    },
    /// More columns than [`super::Limits::columns`].
    #[error("Your file has too many columns – we can take {limit}, row {row} has more")]
    TooManyColumns {
        /// The first row over the limit.
        row: u32,
        /// The limit.
        limit: usize,
    },
    /// A `sep=` line with an unsupported separator.
    #[error(
        "Your file declares ‘{found}’ as the separator of its columns. Save it with commas, semicolons or tabs and try again"
    )]
    SeparatorUnknown {
        /// The text after `sep=`.
        found: String,
    },
    /// No column for addresses.
    #[error(
        "Your file needs a column called ‘email address’. Right now it has columns called {}{}",
        listed(columns),
        if *looks_like_rows { ". The first row must have the names of the columns" } else { "" }
    )]
    NoEmailColumn {
        /// The header of the file.
        columns: Vec<String>,
        /// True if the header contains an address, so that it is probably a row.
        looks_like_rows: bool,
        /// True if there are addresses below the header, so that the user can choose their column.
        has_addresses: bool,
    },
    /// Two columns could hold the addresses.
    #[error(
        "We found more than one column called ‘email address’ (columns {first} and {second}) – delete or rename one"
    )]
    TwoEmailColumns {
        /// The letter of the first.
        first: String,
        /// The letter of the second.
        second: String,
    },
    /// Two columns have the same name, ignoring case, spaces, `_` and `-`.
    #[error("We found more than one column called ‘{name}’ (columns {first} and {second}) – delete or rename one")]
    DuplicateColumn {
        /// The name, as the second column has it.
        name: String,
        /// The letter of the first.
        first: String,
        /// The letter of the second.
        second: String,
    },
    /// One column has the full name and another one a part of it.
    #[error(
        "Columns {whole} and {part} would both fill the name – import either the full name, or first and last name"
    )]
    NameTwice {
        /// The letter of the column with the full name.
        whole: String,
        /// The letter of a column with the first or last name.
        part: String,
    },
    /// A mapping names columns that the file does not have.
    #[error("Your file has no column called {}. It has {}", listed(unknown), listed(columns))]
    UnknownColumns {
        /// The names in the mapping.
        unknown: Vec<String>,
        /// The names that a mapping can use.
        columns: Vec<String>,
    },
    /// Columns without a name have content.
    #[error("{}", blank_headers(columns))]
    BlankHeaders {
        /// The letter of each, and the first row with content in it.
        columns: Vec<(String, u32)>,
    },
    /// The row that was chosen as the header cannot be one.
    #[error("Row {wanted} cannot be the header – choose one of the first rows that are not empty")]
    NoSuchHeaderRow {
        /// The chosen row.
        wanted: u32,
    },
    /// Password columns.
    #[error("{} – Beckon never imports passwords. Delete the {} and try again",
        password_columns(columns), if columns.len() == 1 { "column" } else { "columns" })]
    PasswordColumns {
        /// The letter and the name of each.
        columns: Vec<(String, String)>,
    },
    /// Several faults in the header.
    #[error("{}", sentences(.0))]
    Header(
        /// At least two.
        Vec<FileFault>,
    ),
    /// The text is not a JSON array.
    #[error("We cannot read this JSON: {what} (line {line}, column {column})")]
    Json {
        /// What is wrong there.
        what: String,
        /// Line, from 1.
        line: usize,
        /// Byte in the line, from 1.
        column: usize,
    },
    /// The temporary file could not be read, which is our fault.
    #[error("The selected file could not be read – try again")]
    Unreadable(#[from] io::Error),
}

fn password_columns(columns: &[(String, String)]) -> String {
    let named: Vec<String> = columns
        .iter()
        .map(|(letter, name)| format!("{letter} (‘{name}’)"))
        .collect();
    match named.as_slice() {
        [only] => format!("Column {only} holds passwords"),
        [start @ .., last] => format!("Columns {} and {last} hold passwords", start.join(", ")),
        [] => String::new(),
    }
}

fn blank_headers(columns: &[(String, u32)]) -> String {
    if let [(column, row)] = columns {
        return format!(
            "Column {column} has no name, but row {row} has something in it – name the column or delete it"
        );
    }
    let letters: Vec<&str> = columns.iter().map(|(column, _)| column.as_str()).collect();
    let row = columns.iter().map(|(_, row)| *row).min().unwrap_or_default();
    let (last, others) = letters
        .split_last()
        .map_or(("", String::new()), |(last, others)| (*last, others.join(", ")));
    format!(
        "Columns {others} and {last} have no name, but have something in them from row {row} on – name the columns or delete them"
    )
}

fn sentences(faults: &[FileFault]) -> String {
    let texts: Vec<String> = faults.iter().map(FileFault::to_string).collect();
    texts.join(". ")
}

impl FileFault {
    /// Combines several faults into one; `None` if there are none.
    pub(super) fn of_all(mut faults: Vec<Self>) -> Option<Self> {
        if faults.len() > 1 {
            return Some(Self::Header(faults));
        }
        faults.pop()
    }

    /// Records whether there are addresses below the header.
    pub(super) fn add_addresses(&mut self, are_there: bool) {
        if let Self::NoEmailColumn { has_addresses, .. } = self {
            *has_addresses = are_there;
        }
    }

    /// Each single fault.
    pub fn each(&self) -> &[Self] {
        match self {
            Self::Header(faults) => faults,
            single => std::slice::from_ref(single),
        }
    }

    /// Whether only column mapping is at fault, which the user can fix by choosing columns.
    pub fn is_about_columns(&self) -> bool {
        self.each().iter().all(|fault| match fault {
            Self::NoEmailColumn {
                looks_like_rows,
                has_addresses,
                ..
            } => *has_addresses && !looks_like_rows,
            Self::TwoEmailColumns { .. }
            | Self::DuplicateColumn { .. }
            | Self::NameTwice { .. }
            | Self::UnknownColumns { .. }
            | Self::BlankHeaders { .. } => true,
            _ => false,
        })
    }

    /// The code for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotCsv { .. } => "not_csv",
            Self::Encrypted => "encrypted_file",
            Self::Damaged => "damaged_file",
            Self::TooLargeInside => "too_large_inside",
            Self::SeveralSheets { .. } => "several_sheets",
            Self::NoSuchSheet { .. } => "no_such_sheet",
            Self::Empty => "empty_file",
            Self::NoRows => "no_rows",
            Self::Utf16 => "utf16",
            Self::NotUtf8 { .. } => "not_utf8",
            Self::ZeroByte { .. } => "zero_byte",
            Self::QuoteNotClosed { .. } => "quote_not_closed",
            Self::CellTooLong { .. } => "cell_too_long",
            Self::RowTooLong { .. } => "row_too_long",
            Self::TooManyRows { .. } => "too_many_rows",
            Self::TooManyColumns { .. } => "too_many_columns",
            Self::SeparatorUnknown { .. } => "separator_unknown",
            Self::NoEmailColumn { .. } => "email_column_missing",
            Self::TwoEmailColumns { .. } => "two_email_columns",
            Self::DuplicateColumn { .. } => "duplicate_column",
            Self::NameTwice { .. } => "name_twice",
            Self::UnknownColumns { .. } => "mapping_unknown_column",
            Self::BlankHeaders { .. } => "blank_header",
            Self::NoSuchHeaderRow { .. } => "no_such_header_row",
            Self::PasswordColumns { .. } => "password_column",
            Self::Header(_) => "header_invalid",
            Self::Json { .. } => "json_invalid",
            Self::Unreadable(_) => "file_unreadable",
        }
    }

    /// The faulty row, if there is one.
    pub fn row(&self) -> Option<u32> {
        match self {
            Self::NotUtf8 { row, .. }
            | Self::ZeroByte { row, .. }
            | Self::QuoteNotClosed { row, .. }
            | Self::CellTooLong { row, .. }
            | Self::RowTooLong { row, .. }
            | Self::TooManyColumns { row, .. }
            | Self::NoSuchHeaderRow { wanted: row } => Some(*row),
            Self::BlankHeaders { columns } => columns.first().map(|(_, row)| *row),
            _ => None,
        }
    }

    /// The letter of the faulty column, if there is one.
    pub fn column(&self) -> Option<&str> {
        match self {
            Self::NotUtf8 { column, .. }
            | Self::ZeroByte { column, .. }
            | Self::QuoteNotClosed { column, .. }
            | Self::CellTooLong { column, .. } => Some(column),
            Self::BlankHeaders { columns } => columns.first().map(|(column, _)| column.as_str()),
            Self::PasswordColumns { columns } => columns.first().map(|(column, _)| column.as_str()),
            Self::TwoEmailColumns { second, .. } | Self::DuplicateColumn { second, .. } => Some(second),
            _ => None,
        }
    }
}

//! Labels for import states, and sentences about problems in a file.

use crate::console::format::{counted, some};
use import::{Mapping, ReadColumn, acceptable_kind, read_columns};
use shared::store::imports::{Import, ImportState, ProblemCount};
use std::collections::BTreeMap;

/// Tone and label of an import's state.
pub(super) fn state(import: &Import) -> (&'static str, &'static str) {
    match import.state {
        ImportState::Checking if import.is_interrupted && waits_for_a_choice(import) => ("amber", "Waiting for you"),
        ImportState::Checking | ImportState::Storing if import.is_interrupted => ("amber", "Interrupted"),
        ImportState::Checking => ("grey", "Checking"),
        ImportState::Checked => ("amber", "Waiting for you"),
        ImportState::Storing => ("grey", "Importing"),
        ImportState::Done => ("green", "Imported"),
        ImportState::Unreadable => ("red", "Unreadable"),
        ImportState::Discarded => ("grey", "Discarded"),
        ImportState::Undone => ("grey", "Undone"),
    }
}

fn waits_for_a_choice(import: &Import) -> bool {
    import
        .trouble
        .as_ref()
        .is_some_and(|trouble| trouble.is_about_columns || !trouble.choices.is_empty())
}

/// What to do about a kind of problem, in the order shown.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Remedy {
    FixAddresses,
    EnterMissing,
    Shorten,
    Correct,
    LookAt,
    LookAtAddresses,
    Quote,
}

impl Remedy {
    fn of(count: &ProblemCount) -> Option<Self> {
        let is_address = count.field.as_deref() == Some("email");
        match count.code.as_str() {
            _ if count.acceptable => Some(if is_address {
                Self::LookAtAddresses
            } else {
                Self::LookAt
            }),
            // Nothing to correct: there are more problems of other kinds, or the row repeats an earlier one.
            "more_problems" | "duplicate_of_row" => None,
            "address_missing" => Some(Self::EnterMissing),
            "too_many_cells" | "stray_quote" => Some(Self::Quote),
            _ if is_address => Some(Self::FixAddresses),
            "too_long" => Some(Self::Shorten),
            _ => Some(Self::Correct),
        }
    }

    fn has_a_column(self) -> bool {
        matches!(self, Self::Shorten | Self::Correct | Self::LookAt)
    }

    fn sentence(self, count: u32, column: &str) -> String {
        match self {
            Self::FixAddresses => format!("fix {}", some(count, "email address", "email addresses")),
            Self::EnterMissing => format!("enter the missing email address in {}", some(count, "row", "rows")),
            Self::Shorten => format!("shorten {} in ‘{column}’", some(count, "value", "values")),
            Self::Correct => format!("correct {} in ‘{column}’", some(count, "value", "values")),
            Self::LookAt => format!("check {} in ‘{column}’", some(count, "value", "values")),
            Self::LookAtAddresses => format!("check {}", some(count, "email address", "email addresses")),
            Self::Quote => format!("correct the quotation marks in {}", some(count, "row", "rows")),
        }
    }
}

/// The column mapping of an import.
pub(super) fn read_columns_of(import: &Import) -> Vec<ReadColumn> {
    let mapping = Mapping::from_stored(import.mapping.as_ref());
    read_columns(&import.header, mapping.as_ref())
}

/// What to do to correct the file, one sentence per kind of problem.
pub(super) fn remedies(counts: &[ProblemCount], read: &[ReadColumn]) -> Vec<String> {
    let mut sums = BTreeMap::<(Remedy, String), u32>::new();
    for count in counts {
        let Some(remedy) = Remedy::of(count) else { continue };
        let column = match &count.field {
            Some(field) if remedy.has_a_column() => column_of(field, read),
            _ => String::new(),
        };
        *sums.entry((remedy, column)).or_default() += count.count;
    }
    sums.into_iter()
        .map(|((remedy, column), count)| remedy.sentence(count, &column))
        .collect()
}

/// The kinds of damage that can be accepted: code, label and number of values.
pub(super) fn acceptable_kinds(counts: &[ProblemCount]) -> Vec<(String, &'static str, String)> {
    let mut kinds = BTreeMap::<&str, (&'static str, u32)>::new();
    for count in counts.iter().filter(|count| count.acceptable) {
        if let Some(label) = acceptable_kind(&count.code) {
            kinds.entry(&count.code).or_insert((label, 0)).1 += count.count;
        }
    }
    let shown = |(code, (label, count)): (&str, (&'static str, u32))| (code.to_owned(), label, counted(count));
    kinds.into_iter().map(shown).collect()
}

/// The header of the column that fills a field.
pub(super) fn column_of(field: &str, read: &[ReadColumn]) -> String {
    let column = read.iter().find(|column| column.field.as_deref() == Some(field));
    column.map_or_else(|| field.to_owned(), |column| column.header.clone())
}

/// Each column: its header and the field it fills.
pub(super) fn columns(read: &[ReadColumn]) -> Vec<(String, String)> {
    let meaning = |column: &ReadColumn| match column.field.as_deref() {
        Some("email") => "Email address".to_owned(),
        Some("first_name") => "First name".to_owned(),
        Some("last_name") => "Last name".to_owned(),
        Some("full_name") => "First and last name, split after the first word or at the comma".to_owned(),
        Some("language") => "Language".to_owned(),
        Some(field) => format!("{{{{ {field} }}}}"),
        None => column.note.clone().unwrap_or_default(),
    };
    let named = read.iter().filter(|column| !column.header.is_empty());
    named.map(|column| (column.header.clone(), meaning(column))).collect()
}

/// Whether none of the columns is imported as a name, and one that was not recognised may hold names.
pub(super) fn lacks_names(read: &[ReadColumn]) -> bool {
    let fields = || read.iter().filter_map(|column| column.field.as_deref());
    let is_name = |field: &str| matches!(field, "first_name" | "last_name" | "full_name");
    let is_other = |field: &str| !is_name(field) && !matches!(field, "email" | "language");
    fields().any(is_other) && !fields().any(is_name)
}

/// Whether an import's file was a spreadsheet.
pub(super) fn is_spreadsheet(import: &Import) -> bool {
    matches!(import.format.as_str(), "xlsx" | "xls" | "ods")
}

/// Notes about skipped and hidden parts of a file.
pub(super) fn notes(import: &Import) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(sheet) = import.sheet.as_ref().filter(|_| is_spreadsheet(import)) {
        let is_hidden = import.hidden_sheets.contains(sheet);
        let hidden = if is_hidden {
            ", which is hidden in the spreadsheet"
        } else {
            ""
        };
        notes.push(format!("Read from the sheet ‘{sheet}’{hidden}."));
    }
    let mut unread = import
        .hidden_sheets
        .iter()
        .filter(|name| Some(*name) != import.sheet.as_ref());
    match (unread.next(), unread.count()) {
        (None, _) => {}
        (Some(name), 0) => notes.push(format!("The hidden sheet ‘{name}’ is not read.")),
        (Some(_), others) => notes.push(format!("{} hidden sheets are not read.", others + 1)),
    }
    if import.header_row > 1 {
        let row = counted(import.header_row);
        notes.push(format!(
            "The column names are in row {row}. Rows above it were skipped."
        ));
    }
    if import.hidden_rows > 0 {
        let rows = some(import.hidden_rows, "row is", "rows are");
        let it = if import.hidden_rows == 1 { "It is" } else { "They are" };
        notes.push(format!(
            "{rows} hidden in the spreadsheet, manually or by a filter. {it} imported like the others."
        ));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(code: &str, field: Option<&str>, count: u32) -> ProblemCount {
        ProblemCount {
            code: code.to_owned(),
            field: field.map(str::to_owned),
            acceptable: false,
            count,
        }
    }

    fn acceptable(code: &str, field: &str, number: u32) -> ProblemCount {
        ProblemCount {
            acceptable: true,
            ..count(code, Some(field), number)
        }
    }

    #[test]
    fn values_that_can_be_accepted_are_counted_by_their_kind() {
        let header = ["E-Mail", "First name"].map(str::to_owned);
        let counts = [
            acceptable("placeholder", "first_name", 2),
            acceptable("placeholder", "room", 3),
            acceptable("shared_address", "email", 1),
            count("control_character", Some("email"), 4),
        ];

        let kinds = acceptable_kinds(&counts);
        let kinds: Vec<(&str, &str)> = kinds
            .iter()
            .map(|(code, _, count)| (code.as_str(), count.as_str()))
            .collect();
        assert_eq!(kinds, [("placeholder", "5"), ("shared_address", "1")]);
        assert_eq!(
            remedies(&counts, &read_columns(&header, None)),
            [
                "fix 4 email addresses",
                "check 2 values in ‘First name’",
                "check 3 values in ‘room’",
                "check 1 email address"
            ]
        );
    }

    #[test]
    fn problems_become_things_to_do() {
        let header = ["E-Mail", "First name", "Start date"].map(str::to_owned);
        let counts = [
            count("at_sign_missing", Some("email"), 7),
            count("domain_invalid", Some("email"), 5),
            count("duplicate_of_row", Some("email"), 1),
            count("address_missing", Some("email"), 3),
            count("looks_like_a_link", Some("first_name"), 2),
            count("too_long", Some("start_date"), 1),
            count("more_problems", None, 1),
            count("too_many_cells", None, 4),
        ];

        assert_eq!(
            remedies(&counts, &read_columns(&header, None)),
            [
                "fix 12 email addresses",
                "enter the missing email address in 3 rows",
                "shorten 1 value in ‘Start date’",
                "correct 2 values in ‘First name’",
                "correct the quotation marks in 4 rows",
            ]
        );
    }

    #[test]
    fn a_column_of_ones_own_becomes_a_merge_field() {
        let header = ["Email", "Start date", "", "2sv Enrolled"].map(str::to_owned);

        let columns = columns(&read_columns(&header, None));

        let pairs: Vec<(&str, &str)> = columns.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        assert_eq!(
            pairs[..2],
            [("Email", "Email address"), ("Start date", "{{ start_date }}")]
        );
        assert!(pairs[2].1.starts_with("Not imported: "), "{pairs:?}");
    }
}

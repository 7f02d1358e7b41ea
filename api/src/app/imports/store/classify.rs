//! Splits the rows of a file into those to store, each user once, and rejected ones.

use super::storable::number;
use import::{ParsedFile, ParsedRow, Person, Problem as RowProblem, Rejected};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use shared::store::imports::ImportCounts;
use shared::store::imports::rows::Row;
use std::collections::HashMap;

/// Some rows of a file, classified.
#[derive(Default)]
pub struct ClassifiedRows {
    /// The first row of each user in the file, in the order of the file.
    pub rows: Vec<Row>,
    /// The rejected rows, in the order of the file. They include the second row of a user.
    pub rejects: Vec<Rejected>,
}

impl ClassifiedRows {
    /// Adds the numbers of these rows to the totals of the file.
    pub fn add_to(&self, totals: &mut ImportCounts) {
        let duplicates = self.rejects.iter().filter(|reject| reject.is_duplicate());
        let doubtful = self.rejects.iter().filter(|reject| reject.is_acceptable());
        totals.rows += count(self.rows.len() + self.rejects.len());
        totals.rejected += count(self.rejects.len());
        totals.duplicates += count(duplicates.count());
        totals.doubtful += count(doubtful.count());
    }
}

fn count(items: usize) -> i32 {
    i32::try_from(items).unwrap_or(i32::MAX)
}

/// Identifies a user in sixteen bytes. All users of a file are in memory to find duplicates, which takes 3 MiB for a
/// hundred thousand and 44 MiB for a million.
type Identity = [u8; 16];

/// The beginning of a digest of the address. A collision is practically impossible, whatever the size of the file.
fn identity(key: &str) -> Identity {
    let digest = Sha256::digest(key.as_bytes());
    std::array::from_fn(|place| digest.get(place).copied().unwrap_or_default())
}

/// The users of a file so far, with the number of their row.
pub struct Seen {
    sheet: ParsedFile,
    rows: HashMap<Identity, u32>,
}

impl Seen {
    /// The beginning of this file.
    pub fn new(sheet: ParsedFile) -> Self {
        let rows = HashMap::with_capacity(usize::try_from(sheet.rows).unwrap_or_default());
        Self { sheet, rows }
    }

    /// Splits rows into the first row of each user and rejected rows.
    pub fn classify(&mut self, rows: Vec<ParsedRow>) -> ClassifiedRows {
        let mut classified = ClassifiedRows::default();
        for row in rows {
            match row {
                ParsedRow::Rejected(rejected) => classified.rejects.push(rejected),
                ParsedRow::Person(person) => {
                    let key = person.email.key();
                    let first = *self.rows.entry(identity(&key)).or_insert(person.row);
                    if first == person.row {
                        classified.rows.push(storable_row(person, key));
                    } else {
                        classified.rejects.push(duplicate(&person, first, &self.sheet));
                    }
                }
            }
        }
        classified
    }
}

/// The rejection of a row with the user of an earlier row.
fn duplicate(person: &Person, earlier: u32, sheet: &ParsedFile) -> Rejected {
    Rejected {
        row: person.row,
        problems: vec![RowProblem::duplicate_of_row(person, earlier, sheet)],
        cells: sheet.cells_of(person),
    }
}

/// Converts a person to a row for Postgres. A field without a value is removed.
fn storable_row(person: Person, email_key: String) -> Row {
    let field = |(name, value): (String, String)| {
        let value = if value.is_empty() {
            Value::Null
        } else {
            Value::from(value)
        };
        (name, value)
    };
    Row {
        number: number(person.row),
        email: person.email.as_typed().to_owned(),
        email_key,
        first_name: person.first_name,
        last_name: person.last_name,
        language: person.language,
        fields: Value::Object(person.fields.into_iter().map(field).collect()),
    }
}

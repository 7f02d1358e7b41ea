//! Stores the rows of a file as users in Postgres, group by group.
//!
//! Reading blocks and storing waits for Postgres, so each has its own task, and groups pass between them. Memory
//! contains a few groups, whatever the size of the file and its rows.

mod groups;

use crate::app::imports::file_problem::file_problem;
use crate::app::problem::Problem;
use import::{Lines, ParsedFile, ParsedRow, Person, Problem as RowProblem, Rejected};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use shared::store::Transaction;
use shared::store::imports::rows::{self, File, Row, Stored};
use shared::store::imports::{ImportCounts, ImportMode};
use std::collections::HashMap;
use std::io::{Read, Seek};
use std::sync::atomic::{AtomicI32, Ordering};
use uuid::Uuid;

pub use groups::{Groups, file_of, number, storable};

/// The result of storing a file.
pub struct StoredRows {
    /// Properties of the file.
    pub file: File,
    /// The totals.
    pub totals: ImportCounts,
    /// The first problems in its rows.
    pub problems: Vec<Value>,
}

/// Stores the rows of a file as `import` within a transaction that holds the lock for storing. `progress` counts
/// the rows read. At most `problems_most` problems are returned.
///
/// # Errors
///
/// The transaction must then be rolled back, so that nothing is stored.
pub async fn store_sheet<R: Read + Seek + Send + 'static>(
    transaction: &mut Transaction,
    sheet: ParsedFile,
    lines: Lines<R>,
    import: Uuid,
    mode: ImportMode,
    progress: &AtomicI32,
    problems_most: usize,
) -> Result<StoredRows, Problem> {
    let file = file_of(&sheet);
    rows::record_fields(transaction, &file).await?;
    let mut storing = Storing {
        transaction,
        sheet,
        import,
        mode,
        ignored: HashMap::new(),
        totals: ImportCounts::default(),
        problems: Vec::new(),
        problems_most,
    };
    let mut groups = Groups::read(lines);
    while let Some(group) = groups.next().await {
        storing.group(group.map_err(file_problem)?).await?;
        progress.store(storing.totals.rows, Ordering::Relaxed);
    }
    let blank = i32::try_from(storing.sheet.blank_rows).unwrap_or(i32::MAX);
    storing.totals.blank = blank;
    Ok(StoredRows {
        file,
        totals: storing.totals,
        problems: storing.problems,
    })
}

struct Storing<'t> {
    transaction: &'t mut Transaction,
    sheet: ParsedFile,
    import: Uuid,
    mode: ImportMode,
    /// The first row of each user ignored because of the mode. These users are not linked to the import, which is where
    /// duplicates of the others are found.
    ignored: HashMap<Identity, u32>,
    totals: ImportCounts,
    problems: Vec<Value>,
    problems_most: usize,
}

impl Storing<'_> {
    async fn group(&mut self, lines: Vec<ParsedRow>) -> Result<(), Problem> {
        self.totals.rows += i32::try_from(lines.len()).unwrap_or(i32::MAX);
        let (people, mut rejects) = self.sort(lines);
        let mut repeated = rejects.iter().filter(|reject| reject.is_duplicate()).count();
        let mut rows: Vec<Row> = people.values().map(row).collect();
        // New users are listed in the order of the file.
        rows.sort_unstable_by_key(|row| row.number);
        if !rows.is_empty() {
            let Stored {
                created,
                updated,
                unchanged,
                duplicates,
                ignored,
            } = rows::store(self.transaction, self.import, &rows, self.mode).await?;
            self.totals.created += created;
            self.totals.updated += updated;
            self.totals.unchanged += unchanged;
            let by_number: HashMap<i32, &Person> = people.values().map(|person| (number(person.row), person)).collect();
            repeated += duplicates.len();
            for (number, earlier) in duplicates {
                if let Some(person) = by_number.get(&number) {
                    let earlier = u32::try_from(earlier).unwrap_or_default();
                    rejects.push(duplicate(person, earlier, &self.sheet));
                }
            }
            for person in ignored.iter().filter_map(|number| by_number.get(number)) {
                let first = *self.ignored.entry(identity(&person.email.key())).or_insert(person.row);
                if first == person.row {
                    self.totals.ignored += 1;
                } else {
                    repeated += 1;
                    rejects.push(duplicate(person, first, &self.sheet));
                }
            }
        }
        self.totals.duplicates += i32::try_from(repeated).unwrap_or(i32::MAX);
        self.reject(rejects).await
    }

    /// Splits rows into the first row of each user, by identity, and rejected rows.
    fn sort(&self, lines: Vec<ParsedRow>) -> (HashMap<String, Person>, Vec<Rejected>) {
        let (mut people, mut rejects) = (HashMap::<String, Person>::new(), Vec::new());
        for line in lines {
            match line {
                ParsedRow::Rejected(rejected) => rejects.push(rejected),
                ParsedRow::Person(person) => {
                    let key = person.email.key();
                    match people.get(&key) {
                        Some(earlier) => rejects.push(duplicate(&person, earlier.row, &self.sheet)),
                        None => {
                            people.insert(key, person);
                        }
                    }
                }
            }
        }
        (people, rejects)
    }

    async fn reject(&mut self, mut rejects: Vec<Rejected>) -> Result<(), Problem> {
        if rejects.is_empty() {
            return Ok(());
        }
        rejects.sort_by_key(|reject| reject.row);
        self.totals.rejected += i32::try_from(rejects.len()).unwrap_or(i32::MAX);
        self.totals.doubtful += doubtful(&rejects);
        let room = self.problems_most.saturating_sub(self.problems.len());
        let named = rejects.iter().flat_map(|reject| &reject.problems).take(room);
        self.problems
            .extend(named.filter_map(|problem| serde_json::to_value(problem).ok()));
        Ok(rows::keep_rejects(self.transaction, self.import, &storable(rejects)).await?)
    }
}

/// Number of these rows that the administrator may accept.
pub fn doubtful(rejects: &[Rejected]) -> i32 {
    let acceptable = rejects.iter().filter(|reject| reject.is_acceptable());
    i32::try_from(acceptable.count()).unwrap_or(i32::MAX)
}

/// The rejection of a row with the user of an earlier row.
pub fn duplicate(person: &Person, earlier: u32, sheet: &ParsedFile) -> Rejected {
    Rejected {
        row: person.row,
        problems: vec![RowProblem::duplicate_of_row(person, earlier, sheet)],
        cells: sheet.cells_of(person),
    }
}

/// Identifies a user in sixteen bytes. All users of a file are in memory to find duplicates, which takes 3 MiB for a
/// hundred thousand and 44 MiB for a million.
pub type Identity = [u8; 16];

/// The beginning of a digest of the address. A collision is practically impossible, whatever the size of the file.
pub fn identity(key: &str) -> Identity {
    let digest = Sha256::digest(key.as_bytes());
    std::array::from_fn(|place| digest.get(place).copied().unwrap_or_default())
}

/// Converts a person to a row for Postgres. A field without a value is removed.
pub fn row(person: &Person) -> Row {
    let field = |(name, value): (&String, &String)| {
        let value = if value.is_empty() {
            Value::Null
        } else {
            Value::from(value.clone())
        };
        (name.clone(), value)
    };
    Row {
        number: number(person.row),
        email: person.email.as_typed().to_owned(),
        email_key: person.email.key(),
        first_name: person.first_name.clone(),
        last_name: person.last_name.clone(),
        language: person.language.clone(),
        fields: Value::Object(person.fields.iter().map(field).collect()),
    }
}

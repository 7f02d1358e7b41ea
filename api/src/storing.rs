//! From the rows of a file to people in Postgres, group by group.
//!
//! Reading blocks and storing waits, so each has a task of its own and groups pass between them;
//! memory holds a few groups whatever the file's size and however long its rows are.

mod room;

use crate::import::{FileFault, Line, Lines, Person, Problem as RowProblem, Rejected, Sheet};
use crate::imports::file_problem;
use crate::problem::Problem;
use serde_json::Value;
use shared::store::Transaction;
use shared::store::imports::{self, File, Reject, Row, Stored, Totals};
use std::collections::HashMap;
use std::io::{Read, Seek};
use tokio::sync::mpsc;
use uuid::Uuid;

pub use room::Room;

/// Rows stored with one statement. Larger groups are no faster.
const GROUP: usize = 2_000;

/// A group of long rows ends earlier: four groups are in memory at a time, as they are read and as
/// they are sent.
const GROUP_BYTES: usize = 4 * 1024 * 1024;

/// What a file held.
pub struct Found {
    /// The import.
    pub import: Uuid,
    /// Its sums.
    pub totals: Totals,
    /// The first things wrong with its rows.
    pub problems: Vec<Value>,
}

/// Stores a file's rows within a transaction.
///
/// # Errors
///
/// The transaction is then to be dropped: nothing of the file stays.
pub async fn store_sheet<R: Read + Seek + Send + 'static>(
    transaction: &mut Transaction,
    sheet: Sheet,
    lines: Lines<R>,
    file_name: &str,
    created_by: &str,
    told_most: usize,
) -> Result<Found, Problem> {
    let file = File {
        name: file_name.to_owned(),
        // Postgres stores no NUL.
        header: sheet.header.iter().map(|name| name.replace('\0', "\u{fffd}")).collect(),
        separator: char::from(sheet.separator),
        custom_fields: sheet
            .custom_fields
            .iter()
            .filter(|name| !name.contains('\0'))
            .cloned()
            .collect(),
    };
    let import = imports::begin(transaction, &file, created_by).await?;
    let mut storing = Storing {
        transaction,
        sheet,
        import,
        totals: Totals::default(),
        problems: Vec::new(),
        told_most,
    };
    let mut groups = read(lines);
    while let Some(group) = groups.recv().await {
        storing.group(group.map_err(file_problem)?).await?;
    }
    let blank = i32::try_from(storing.sheet.blank_rows).unwrap_or(i32::MAX);
    storing.totals.blank = blank;
    imports::finish(storing.transaction, import, &storing.totals).await?;
    Ok(Found {
        import,
        totals: storing.totals,
        problems: storing.problems,
    })
}

fn read<R: Read + Seek + Send + 'static>(mut lines: Lines<R>) -> mpsc::Receiver<Result<Vec<Line>, FileFault>> {
    let (sender, receiver) = mpsc::channel(2);
    tokio::task::spawn_blocking(move || {
        loop {
            let group = lines.chunk(GROUP, GROUP_BYTES);
            let is_last = group.as_ref().map_or(true, Vec::is_empty);
            if group.as_ref().is_ok_and(Vec::is_empty) || sender.blocking_send(group).is_err() || is_last {
                return;
            }
        }
    });
    receiver
}

struct Storing<'t> {
    transaction: &'t mut Transaction,
    sheet: Sheet,
    import: Uuid,
    totals: Totals,
    problems: Vec<Value>,
    told_most: usize,
}

impl Storing<'_> {
    async fn group(&mut self, lines: Vec<Line>) -> Result<(), Problem> {
        self.totals.rows += i32::try_from(lines.len()).unwrap_or(i32::MAX);
        let (people, mut rejects) = self.sort(lines);
        let rows: Vec<Row> = people.values().map(row).collect::<Result<_, _>>()?;
        if !rows.is_empty() {
            let Stored {
                created,
                updated,
                unchanged,
                duplicates,
            } = imports::store(self.transaction, self.import, &rows).await?;
            self.totals.created += created;
            self.totals.updated += updated;
            self.totals.unchanged += unchanged;
            let by_number: HashMap<i32, &Person> = people.values().map(|person| (number(person.row), person)).collect();
            for (number, earlier) in duplicates {
                if let Some(person) = by_number.get(&number) {
                    rejects.push(self.duplicate(person, u32::try_from(earlier).unwrap_or_default()));
                }
            }
        }
        self.reject(rejects).await
    }

    /// People by identity, the first row of each, and rows that are not taken.
    fn sort(&self, lines: Vec<Line>) -> (HashMap<String, Person>, Vec<Rejected>) {
        let (mut people, mut rejects) = (HashMap::<String, Person>::new(), Vec::new());
        for line in lines {
            match line {
                Line::Rejected(rejected) => rejects.push(rejected),
                Line::Person(person) => {
                    let key = person.email.key();
                    match people.get(&key) {
                        Some(earlier) => rejects.push(self.duplicate(&person, earlier.row)),
                        None => {
                            people.insert(key, person);
                        }
                    }
                }
            }
        }
        (people, rejects)
    }

    fn duplicate(&self, person: &Person, earlier: u32) -> Rejected {
        Rejected {
            row: person.row,
            problems: vec![RowProblem::duplicate_of_row(person, earlier, &self.sheet)],
            cells: self.sheet.cells_of(person),
        }
    }

    async fn reject(&mut self, mut rejects: Vec<Rejected>) -> Result<(), Problem> {
        if rejects.is_empty() {
            return Ok(());
        }
        rejects.sort_by_key(|reject| reject.row);
        self.totals.rejected += i32::try_from(rejects.len()).unwrap_or(i32::MAX);
        let room = self.told_most.saturating_sub(self.problems.len());
        let told = rejects.iter().flat_map(|reject| &reject.problems).take(room);
        self.problems
            .extend(told.filter_map(|problem| serde_json::to_value(problem).ok()));
        let rejects: Vec<Reject> = rejects
            .into_iter()
            .map(|reject| Reject {
                number: number(reject.row),
                problems: serde_json::to_value(&reject.problems).unwrap_or_default(),
                // Postgres stores no NUL.
                cells: reject
                    .cells
                    .into_iter()
                    .map(|cell| cell.replace('\0', "\u{fffd}"))
                    .collect(),
            })
            .collect();
        Ok(imports::keep_rejects(self.transaction, self.import, &rejects).await?)
    }
}

fn row(person: &Person) -> Result<Row, Problem> {
    Ok(Row {
        number: number(person.row),
        email: person.email.as_typed().to_owned(),
        email_key: person.email.key(),
        first_name: person.first_name.clone(),
        last_name: person.last_name.clone(),
        language: person.language.clone(),
        fields: serde_json::to_value(&person.fields).map_err(|_| Problem::internal())?,
    })
}

fn number(row: u32) -> i32 {
    i32::try_from(row).unwrap_or(i32::MAX)
}

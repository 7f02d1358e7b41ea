//! Checks every row of a file and compares the good ones with existing users, without changing a user.

use crate::app::imports::file_problem::file_problem;
use crate::app::imports::store::{Groups, Identity, doubtful, duplicate, file_of, identity, row, storable};
use crate::app::problem::Problem;
use import::{FileFault, Lines, ParsedFile, ParsedRow, Rejected};
use shared::store::Transaction;
use shared::store::imports::rows::{self, File, Forecast, Row};
use shared::store::imports::{ImportCounts, ImportMode, ProblemCount};
use std::collections::{BTreeSet, HashMap};
use std::io::{Read, Seek};
use std::sync::atomic::{AtomicI32, Ordering};
use uuid::Uuid;

/// Number of changes kept to be shown before the file is stored.
const SAMPLE: i64 = 20;

/// The result of a check.
pub(super) struct Checked {
    /// Properties of the file.
    pub(super) file: File,
    /// The expected totals.
    pub(super) totals: ImportCounts,
    counts: HashMap<(&'static str, Option<String>), u32>,
}

impl Checked {
    /// Counts the problems, most frequent first.
    pub(super) fn problem_counts(&self) -> Vec<ProblemCount> {
        let mut counts: Vec<ProblemCount> = self
            .counts
            .iter()
            .map(|((code, field), count)| ProblemCount {
                code: (*code).to_owned(),
                field: field.clone(),
                count: *count,
            })
            .collect();
        counts.sort_by(|a, b| (b.count, &a.code, &a.field).cmp(&(a.count, &b.code, &b.field)));
        counts
    }
}

/// Checks the rows of a file and stores the rejected ones within a transaction. `progress` counts the rows read.
///
/// # Errors
///
/// The transaction must then be rolled back.
pub(super) async fn check_sheet<R: Read + Seek + Send + 'static>(
    transaction: &mut Transaction,
    sheet: ParsedFile,
    lines: Lines<R>,
    import: Uuid,
    mode: ImportMode,
    progress: &AtomicI32,
) -> Result<Checked, Problem> {
    let mut checked = Checked {
        file: file_of(&sheet),
        totals: ImportCounts {
            blank: i32::try_from(sheet.blank_rows).unwrap_or(i32::MAX),
            ..ImportCounts::default()
        },
        counts: HashMap::new(),
    };
    let mut seen = HashMap::with_capacity(usize::try_from(sheet.rows).unwrap_or_default());
    let mut groups = Groups::read(lines);
    while let Some(group) = groups.next().await {
        let group: Result<Vec<ParsedRow>, FileFault> = group;
        let (people, rejects) = checked.classify(group.map_err(file_problem)?, &sheet, &mut seen);
        if !people.is_empty() {
            let room = SAMPLE.saturating_sub(i64::from(checked.totals.updated));
            checked.expect(rows::forecast(transaction, import, &people, room, mode).await?);
        }
        if !rejects.is_empty() {
            rows::keep_rejects(transaction, import, &storable(rejects)).await?;
        }
        progress.store(checked.totals.rows, Ordering::Relaxed);
    }
    Ok(checked)
}

impl Checked {
    /// Adds the expected result of storing a group.
    const fn expect(&mut self, forecast: Forecast) {
        self.totals.created += forecast.created;
        self.totals.updated += forecast.updated;
        self.totals.unchanged += forecast.unchanged;
        self.totals.ignored += forecast.ignored;
    }

    /// Splits a group into the first row of each user and rejected rows.
    fn classify(
        &mut self,
        lines: Vec<ParsedRow>,
        sheet: &ParsedFile,
        seen: &mut HashMap<Identity, u32>,
    ) -> (Vec<Row>, Vec<Rejected>) {
        self.totals.rows += i32::try_from(lines.len()).unwrap_or(i32::MAX);
        let (mut people, mut rejects) = (Vec::with_capacity(lines.len()), Vec::new());
        for line in lines {
            match line {
                ParsedRow::Rejected(rejected) => rejects.push(rejected),
                ParsedRow::Person(person) => {
                    let first = *seen.entry(identity(&person.email.key())).or_insert(person.row);
                    if first == person.row {
                        people.push(row(&person));
                    } else {
                        self.totals.duplicates += 1;
                        rejects.push(duplicate(&person, first, sheet));
                    }
                }
            }
        }
        self.totals.rejected += i32::try_from(rejects.len()).unwrap_or(i32::MAX);
        self.totals.doubtful += doubtful(&rejects);
        for reject in &rejects {
            let kinds: BTreeSet<_> = reject
                .problems
                .iter()
                .map(|problem| (problem.code, problem.field.clone()))
                .collect();
            for kind in kinds {
                *self.counts.entry(kind).or_default() += 1;
            }
        }
        (people, rejects)
    }
}

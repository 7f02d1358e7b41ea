//! Judging every row of a file without touching a user.

use crate::import::{FileFault, Line, Lines, Rejected, Sheet};
use crate::imports::file_problem;
use crate::problem::Problem;
use crate::storing::{Groups, duplicate, file_of, keepable};
use sha2::{Digest as _, Sha256};
use shared::store::Transaction;
use shared::store::imports::rows::{self, File};
use shared::store::imports::{ProblemCount, Totals};
use std::collections::{BTreeSet, HashMap};
use std::io::{Read, Seek};
use std::sync::atomic::{AtomicI32, Ordering};
use uuid::Uuid;

/// Who somebody is, in sixteen bytes: the people of a file are all in memory to find those who
/// stand in it twice, 3 MiB for a hundred thousand and 44 for a million.
type Identity = [u8; 16];

/// What is in a file.
pub(super) struct Checked {
    /// What it says about its rows.
    pub(super) file: File,
    /// Its sums, as far as checking can tell.
    pub(super) totals: Totals,
    counts: HashMap<(&'static str, Option<String>), u32>,
}

impl Checked {
    /// How many rows have which problem, the most frequent first.
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

/// Judges a file's rows and keeps the rejected ones within a transaction; `gone_through` follows.
///
/// # Errors
///
/// The transaction is then to be dropped.
pub(super) async fn check_sheet<R: Read + Seek + Send + 'static>(
    transaction: &mut Transaction,
    sheet: Sheet,
    lines: Lines<R>,
    import: Uuid,
    gone_through: &AtomicI32,
) -> Result<Checked, Problem> {
    let mut checked = Checked {
        file: file_of(&sheet),
        totals: Totals {
            blank: i32::try_from(sheet.blank_rows).unwrap_or(i32::MAX),
            ..Totals::default()
        },
        counts: HashMap::new(),
    };
    let mut seen = HashMap::with_capacity(usize::try_from(sheet.rows).unwrap_or_default());
    let mut groups = Groups::read(lines);
    while let Some(group) = groups.next().await {
        let group: Result<Vec<Line>, FileFault> = group;
        let rejects = checked.judge(group.map_err(file_problem)?, &sheet, &mut seen);
        if !rejects.is_empty() {
            rows::keep_rejects(transaction, import, &keepable(rejects)).await?;
        }
        gone_through.store(checked.totals.rows, Ordering::Relaxed);
    }
    Ok(checked)
}

impl Checked {
    fn judge(&mut self, lines: Vec<Line>, sheet: &Sheet, seen: &mut HashMap<Identity, u32>) -> Vec<Rejected> {
        self.totals.rows += i32::try_from(lines.len()).unwrap_or(i32::MAX);
        let rejects: Vec<Rejected> = lines
            .into_iter()
            .filter_map(|line| match line {
                Line::Rejected(rejected) => Some(rejected),
                Line::Person(person) => {
                    let first = *seen.entry(identity(&person.email.key())).or_insert(person.row);
                    (first != person.row).then(|| duplicate(&person, first, sheet))
                }
            })
            .collect();
        self.totals.rejected += i32::try_from(rejects.len()).unwrap_or(i32::MAX);
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
        rejects
    }
}

/// The beginning of a digest: what two people share with a likelihood that no file can reach.
fn identity(key: &str) -> Identity {
    let digest = Sha256::digest(key.as_bytes());
    std::array::from_fn(|place| digest.get(place).copied().unwrap_or_default())
}

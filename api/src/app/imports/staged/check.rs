//! Checks every row of a file and compares the good ones with existing users, without changing a user.

use crate::app::imports::file_problem::file_problem;
use crate::app::imports::store::{ClassifiedRows, Groups, Seen, add_effects, file_of, number, storable};
use crate::app::problem::Problem;
use import::{Lines, ParsedFile};
use shared::store::Transaction;
use shared::store::imports::file::File;
use shared::store::imports::rejects;
use shared::store::imports::rows;
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
    counts: HashMap<(&'static str, Option<String>, bool), u32>,
}

impl Checked {
    /// Counts the problems, most frequent first.
    pub(super) fn problem_counts(&self) -> Vec<ProblemCount> {
        let mut counts: Vec<ProblemCount> = self
            .counts
            .iter()
            .map(|((code, field, acceptable), count)| ProblemCount {
                code: (*code).to_owned(),
                field: field.clone(),
                acceptable: *acceptable,
                count: *count,
            })
            .collect();
        counts.sort_by(|a, b| (b.count, &a.code, &a.field).cmp(&(a.count, &b.code, &b.field)));
        counts
    }

    /// Counts each kind of problem once per row.
    fn count_problems(&mut self, group: &ClassifiedRows) {
        for reject in &group.rejects {
            let kinds: BTreeSet<_> = reject
                .problems
                .iter()
                .map(|problem| (problem.code, problem.field.clone(), problem.acceptable))
                .collect();
            for kind in kinds {
                *self.counts.entry(kind).or_default() += 1;
            }
        }
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
            blank: number(sheet.blank_rows),
            ..ImportCounts::default()
        },
        counts: HashMap::new(),
    };
    let mut seen = Seen::new(sheet);
    let mut groups = Groups::read(lines, move |rows| seen.classify(rows));
    while let Some(group) = groups.next().await {
        let group = group.map_err(file_problem)?;
        if !group.rows.is_empty() {
            let room = SAMPLE.saturating_sub(i64::from(checked.totals.updated));
            let expected = rows::forecast(transaction, import, &group.rows, room, mode).await?;
            add_effects(&mut checked.totals, expected);
        }
        group.add_to(&mut checked.totals);
        checked.count_problems(&group);
        if !group.rejects.is_empty() {
            rejects::keep(transaction, import, &storable(group.rejects)).await?;
        }
        progress.store(checked.totals.rows, Ordering::Relaxed);
    }
    Ok(checked)
}

//! Stores the rows of a file as users in Postgres, group by group.
//!
//! Reading blocks and storing waits for Postgres, so each has its own task, and groups pass between them. Memory
//! contains a few groups, whatever the size of the file and its rows.

mod classify;
mod groups;
mod storable;

use import::{FileFault, Lines, ParsedFile};
use serde_json::Value;
use shared::store::imports::file::{self, File};
use shared::store::imports::rejects;
use shared::store::imports::rows::{self, RowEffects};
use shared::store::imports::{ImportCounts, ImportMode};
use shared::store::{StoreError, Transaction};
use std::io::{Read, Seek};
use std::sync::atomic::{AtomicI32, Ordering};
use tracing::info;
use uuid::Uuid;

pub use classify::{ClassifiedRows, Seen};
pub use groups::Groups;
pub use storable::{file_of, number, storable};

/// The result of storing a file.
pub struct StoredRows {
    /// Properties of the file.
    pub file: File,
    /// The totals.
    pub totals: ImportCounts,
    /// The first problems in its rows.
    pub problems: Vec<Value>,
}

/// Why a file was not stored. The transaction must then be rolled back.
pub enum StoringError {
    /// The file cannot be read.
    File(FileFault),
    /// Postgres failed.
    Store(StoreError),
}

impl From<StoreError> for StoringError {
    fn from(fault: StoreError) -> Self {
        Self::Store(fault)
    }
}

/// Attempts left to store a file despite writers who create the same users at the same time.
pub struct Attempts(u32);

impl Default for Attempts {
    fn default() -> Self {
        Self(3)
    }
}

impl Attempts {
    /// Returns `None` if the file should be stored again, in a new transaction.
    ///
    /// # Errors
    ///
    /// The error, if another attempt cannot help or none is left.
    pub fn check(&mut self, stored: Result<StoredRows, StoringError>) -> Result<Option<StoredRows>, StoringError> {
        match stored {
            Err(StoringError::Store(fault)) if fault.is_conflict() && self.0 > 1 => {
                self.0 -= 1;
                info!(cause = %fault.cause(), "Another writer changed a user of a file; storing the file again");
                Ok(None)
            }
            stored => stored.map(Some),
        }
    }
}

/// Stores the rows of a file as `import` within a transaction that holds the lock for storing. `progress` counts
/// the rows read. At most `max_problems` problems are returned.
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
    max_problems: usize,
) -> Result<StoredRows, StoringError> {
    let mut stored = StoredRows {
        file: file_of(&sheet),
        totals: ImportCounts {
            blank: number(sheet.blank_rows),
            ..ImportCounts::default()
        },
        problems: Vec::new(),
    };
    file::record_fields(transaction, &stored.file).await?;
    let mut seen = Seen::new(sheet);
    let mut groups = Groups::read(lines, move |rows| seen.classify(rows));
    let storing = store_groups(
        transaction,
        &mut groups,
        import,
        mode,
        progress,
        max_problems,
        &mut stored,
    );
    let ended = storing.await;
    groups.end().await;
    ended.map(|()| stored)
}

async fn store_groups(
    transaction: &mut Transaction,
    groups: &mut Groups<ClassifiedRows>,
    import: Uuid,
    mode: ImportMode,
    progress: &AtomicI32,
    max_problems: usize,
    stored: &mut StoredRows,
) -> Result<(), StoringError> {
    while let Some(group) = groups.next().await {
        let group = group.map_err(StoringError::File)?;
        if !group.rows.is_empty() {
            add_effects(
                &mut stored.totals,
                rows::store(transaction, import, &group.rows, mode).await?,
            );
        }
        group.add_to(&mut stored.totals);
        let room = max_problems.saturating_sub(stored.problems.len());
        let named = group.rejects.iter().flat_map(|reject| &reject.problems).take(room);
        stored
            .problems
            .extend(named.filter_map(|problem| serde_json::to_value(problem).ok()));
        if !group.rejects.is_empty() {
            rejects::keep(transaction, import, &storable(group.rejects)).await?;
        }
        progress.store(stored.totals.rows, Ordering::Relaxed);
    }
    Ok(())
}

/// Adds the effects of a group, or the expected ones, to the totals of the file.
pub const fn add_effects(totals: &mut ImportCounts, effects: RowEffects) {
    totals.created += effects.created;
    totals.updated += effects.updated;
    totals.unchanged += effects.unchanged;
    totals.ignored += effects.ignored;
}

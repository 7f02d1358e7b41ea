//! Background work on a file, with progress reports.

use super::StagedImports;
use super::check::check_sheet;
use super::file::fetch;
use crate::app::imports::audit::record_imported;
use crate::app::imports::count;
use crate::app::imports::file_problem::file_problem;
use crate::app::imports::request::accepted;
use crate::app::imports::store::{Attempts, number, store_sheet};
use crate::app::problem::{Problem, ProblemKind};
use import::{Accepted, Directions, FileFault, Limits, Lines, Mapping, ParsedFile, RememberedMapping, RowRules};
use shared::store::audit::Actor;
use shared::store::imports::steps::{self, ImportProgress, Work};
use shared::store::imports::{self, Import, ImportState, Trouble, file, mappings};
use shared::store::{StoreError, begin, commit};
use std::fs::File;
use std::future::Future;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use tracing::{info, warn};

/// Interval between progress reports.
const PULSE: Duration = Duration::from_secs(1);

/// Time limit. Two files of a million rows each may be stored first.
const WORK_TIMEOUT: Duration = Duration::from_mins(15);

/// The progress of the work.
#[derive(Default)]
pub(super) struct Progress {
    /// Number of rows processed.
    pub(super) rows: AtomicI32,
    /// Number of rows in the file.
    of_rows: AtomicI32,
    /// When the first row was read. Waiting for other imports and counting the rows are not part of the rate.
    began: OnceLock<Instant>,
}

impl Progress {
    /// The first row is about to be read, of this many.
    fn begin(&self, of_rows: i32) {
        self.of_rows.store(of_rows, Ordering::Relaxed);
        self.began.get_or_init(Instant::now);
    }

    fn reached(&self) -> ImportProgress {
        let rows = self.rows.load(Ordering::Relaxed);
        let elapsed = self.began.get().map(Instant::elapsed);
        ImportProgress {
            rows,
            of_rows: self.of_rows.load(Ordering::Relaxed),
            rows_per_second: elapsed.and_then(|elapsed| rate(rows, elapsed)),
        }
    }
}

/// Rows per second; `None` before the first second has passed, when it would be a guess.
fn rate(rows: i32, elapsed: Duration) -> Option<i32> {
    let millis = i64::try_from(elapsed.as_millis())
        .ok()
        .filter(|millis| *millis >= 1_000)?;
    i32::try_from(i64::from(rows) * 1_000 / millis)
        .ok()
        .filter(|rate| *rate > 0)
}

/// Why work failed.
enum WorkError {
    /// The file cannot be read, and a retry cannot help.
    File(FileFault),
    /// An internal error.
    Ours(Problem),
    /// Another process has taken over the work or ended it.
    Lost,
}

impl From<Problem> for WorkError {
    fn from(problem: Problem) -> Self {
        Self::Ours(problem)
    }
}

impl From<StoreError> for WorkError {
    fn from(fault: StoreError) -> Self {
        Self::Ours(fault.into())
    }
}

/// Checks a file and records the result or the error.
pub(super) async fn check(this: StagedImports, work: Work) {
    let progress = Arc::new(Progress::default());
    let checking = watched(&this, work, &progress, checked(&this, work, &progress));
    if let Err(error) = checking.await {
        end(&this, work, error).await;
    }
}

/// Stores the good rows of a file and records the result or the error.
pub(super) async fn store(this: StagedImports, work: Work, by: Actor) {
    let progress = Arc::new(Progress::default());
    let storing = watched(&this, work, &progress, stored(&this, work, &progress, &by));
    if let Err(error) = storing.await {
        end(&this, work, error).await;
    }
}

async fn checked(this: &StagedImports, work: Work, progress: &Progress) -> Result<(), WorkError> {
    let _permit = this.concurrency_limits.for_check().await?;
    let import = get(this, work).await?;
    let (sheet, lines) = open(this, &import, progress).await?;
    let mut transaction = begin(&this.db).await?;
    file::forget_details(&mut transaction, work.import).await?;
    let found = check_sheet(&mut transaction, sheet, lines, work.import, import.mode, &progress.rows).await?;
    let counts = found.problem_counts();
    if !steps::checked(&mut transaction, work, &found.file, &found.totals, &counts).await? {
        return Err(WorkError::Lost);
    }
    commit(transaction).await?;
    info!(import.id = %work.import, rows = found.totals.rows, rejected = found.totals.rejected, "Checked a file");
    Ok(())
}

async fn stored(this: &StagedImports, work: Work, progress: &Progress, by: &Actor) -> Result<(), WorkError> {
    let _permit = this.concurrency_limits.for_import().await?;
    let import = get(this, work).await?;
    let mut attempts = Attempts::default();
    let (mut transaction, found) = loop {
        let (sheet, lines) = open(this, &import, progress).await?;
        let mut transaction = begin(&this.db).await?;
        file::take_turn(&mut transaction).await?;
        file::forget_details(&mut transaction, work.import).await?;
        let (mode, rows) = (import.mode, &progress.rows);
        let storing = store_sheet(&mut transaction, sheet, lines, work.import, mode, rows, 0);
        if let Some(found) = attempts.check(storing.await).map_err(Problem::from)? {
            break (transaction, found);
        }
    };
    if !file::finish(
        &mut transaction,
        work.import,
        work.run,
        &found.file,
        &found.totals,
        &by.name,
    )
    .await?
    {
        return Err(WorkError::Lost);
    }
    record_imported(&mut transaction, by, work.import, &found.totals).await?;
    commit(transaction).await?;
    count(&this.metrics, &found.totals);
    info!(import.id = %work.import, rows = found.totals.rows, created = found.totals.created,
          rejected = found.totals.rejected, "Imported a file");
    Ok(())
}

async fn get(this: &StagedImports, work: Work) -> Result<Import, WorkError> {
    imports::find(&this.db, work.import).await?.ok_or(WorkError::Lost)
}

async fn open(
    this: &StagedImports,
    import: &Import,
    progress: &Progress,
) -> Result<(ParsedFile, Lines<File>), WorkError> {
    let directions = directions(this, import).await?;
    let file = fetch(&this.db, import.id).await?;
    let opened = tokio::task::spawn_blocking(move || ParsedFile::open(file, &directions, Limits::default()));
    let (sheet, lines) = opened
        .await
        .map_err(|_| Problem::internal())?
        .map_err(WorkError::File)?;
    // The check reports all doubtful values. The administrator decides afterwards whether to accept them.
    let is_storing = import.state == ImportState::Storing;
    let accepted = if is_storing {
        accepted(&import.accepting)?
    } else {
        Accepted::NONE
    };
    let lines = lines.with_rules(RowRules {
        accepted,
        clears_empty: import.clears_empty,
    });
    progress.begin(number(sheet.rows));
    Ok((sheet, lines))
}

/// How to read a file: with the mapping chosen for it, or for an earlier file with the same columns.
pub(super) async fn directions(this: &StagedImports, import: &Import) -> Result<Directions, StoreError> {
    Ok(Directions {
        sheet: import.sheet.clone(),
        mapping: Mapping::from_stored(import.mapping.as_ref()),
        remembered: remembered(this).await?,
        header_row: None,
    })
}

/// The mappings chosen for earlier files.
async fn remembered(this: &StagedImports) -> Result<Vec<RememberedMapping>, StoreError> {
    let latest = mappings::latest(&this.db).await?;
    let read = |one: mappings::StoredMapping| {
        Some(RememberedMapping {
            columns: one.columns,
            mapping: Mapping::from_stored(Some(&one.mapping))?,
        })
    };
    Ok(latest.into_iter().filter_map(read).collect())
}

/// Runs the work and reports its progress on another connection. If another process has taken over, the work is not
/// aborted: its last step detects that and rolls back its transaction.
async fn watched(
    this: &StagedImports,
    work: Work,
    progress: &Arc<Progress>,
    task: impl Future<Output = Result<(), WorkError>>,
) -> Result<(), WorkError> {
    let (ended, mut end) = oneshot::channel::<()>();
    let (db, watched) = (this.db.clone(), Arc::clone(progress));
    let reporting = this.lifecycle.spawn(async move {
        while tokio::time::timeout(PULSE, &mut end).await.is_err() {
            if let Ok(false) = steps::progress(&db, work, watched.reached()).await {
                return;
            }
        }
    });
    let done = tokio::time::timeout(WORK_TIMEOUT, task)
        .await
        .unwrap_or_else(|_| Err(Problem::internal().into()));
    drop(ended);
    let _ = reporting.await;
    done
}

async fn end(this: &StagedImports, work: Work, error: WorkError) {
    let ended = match error {
        WorkError::Lost => {
            warn!(import.id = %work.import, "Another process has taken over the work on a file; nothing was stored here");
            return;
        }
        WorkError::File(fault) if fault.is_about_columns() || matches!(fault, FileFault::SeveralSheets { .. }) => {
            // The file waits for a choice of the administrator.
            steps::interrupt(&this.db, work, &trouble_of(fault)).await
        }
        WorkError::File(fault) if !matches!(fault, FileFault::Unreadable(_)) => {
            let trouble = trouble_of(fault);
            info!(import.id = %work.import, fault = trouble.code, "A file cannot be read");
            steps::unreadable(&this.db, work, &trouble).await
        }
        WorkError::File(fault) => interrupt(this, work, &file_problem(fault)).await,
        WorkError::Ours(problem) => interrupt(this, work, &problem).await,
    };
    if let Err(fault) = ended {
        warn!(import.id = %work.import, error = ?fault,
              "Could not record that the work on a file ended; it can be begun again in half a minute");
    }
}

fn trouble_of(fault: FileFault) -> Trouble {
    Trouble {
        code: fault.code().to_owned(),
        message: fault.to_string(),
        is_about_columns: fault.is_about_columns(),
        choices: match fault {
            FileFault::SeveralSheets { sheets } => sheets,
            _ => Vec::new(),
        },
    }
}

async fn interrupt(this: &StagedImports, work: Work, problem: &Problem) -> Result<bool, StoreError> {
    warn!(import.id = %work.import, problem = problem.code, "The work on a file was interrupted; nothing was stored");
    let message = match (problem.code.as_str(), problem.kind) {
        ("busy", _) => "Other files were being imported, and this one waited too long.",
        (_, ProblemKind::Unavailable) => "The database did not answer.",
        (_, ProblemKind::StorageFull) => {
            "The server has no disk space for this file; contact the team that runs Beckon."
        }
        _ => "An internal error occurred and has been logged.",
    };
    let trouble = Trouble {
        code: problem.code.clone(),
        message: message.to_owned(),
        choices: Vec::new(),
        is_about_columns: false,
    };
    steps::interrupt(&this.db, work, &trouble).await
}

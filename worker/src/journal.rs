//! Keeps accepted mails on local disk until Postgres has recorded them.
//!
//! Outcomes are recorded in groups, so at full speed more than a hundred accepted mails are not recorded yet. If the
//! worker is killed at that moment, their attempts count as unsure and those recipients get a second mail. So each
//! acceptance is first appended to a file. What a process wrote survives its death, and the next worker that looks into
//! the same folder records it.
//!
//! The file is never flushed: when the machine itself dies, its last seconds are lost and those recipients get a
//! second mail. A file that is out of date has no effect, because an outcome counts only with the token of its claim.
//! Files contain ids and codes, no addresses and no passwords.
//!
//! Each file is locked by the process that writes it, so a file that can be locked was left by a dead one. It is
//! deleted when everything in it is recorded.

#[cfg(test)]
mod tests;

use crate::metrics::WorkerMetrics;
use crate::send::Phase;
use serde::{Deserialize, Serialize};
use shared::batch::Lane;
use shared::delivery::DeliveryState;
use shared::lifecycle::Lifecycle;
use shared::store::settle::{Ending, Group, Outcome, Settled, settle};
use shared::store::{Db, StoreResult};
use shared::system_email::SystemEmailKind;
use std::collections::HashMap;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use time::OffsetDateTime;
use tracing::{info, warn};
use uuid::Uuid;

/// Entries per file. A file is deleted as a whole, at most some hundred entries after its last one.
const MAX_ENTRIES: usize = 4_096;

/// How often to look for files that dead workers left. Well below a lease.
const PACE: Duration = Duration::from_secs(2);

/// The same after Postgres failed.
const PACE_AFTER_FAILURE: Duration = Duration::from_secs(15);

/// Outcomes recorded with one statement.
const GROUP: usize = 256;

/// The extension of the files.
const EXTENSION: &str = "accepted";

/// Their extension before they are locked: another worker would take an unlocked file for an abandoned one.
const NEW_EXTENSION: &str = "new";

/// Stands in for the relay's words, which are not kept.
const REPLY: &str = "accepted; recorded after the worker had died";

/// An accepted mail that is not recorded yet: one line of JSON.
#[derive(Debug, Deserialize, Serialize)]
struct Line {
    delivery: Uuid,
    attempt: i32,
    token: Uuid,
    /// When the attempt began, in nanoseconds since 1970.
    began: i128,
    lane: Lane,
    kind: SystemEmailKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    password_lifetime: Option<Duration>,
    code: Option<u16>,
}

/// The journal of one worker.
pub struct Journal {
    folder: PathBuf,
    current: Mutex<Option<Arc<Segment>>>,
    is_failing: AtomicBool,
}

/// A file of the journal.
struct Segment {
    file: File,
    path: PathBuf,
    entries: AtomicUsize,
    unrecorded: AtomicUsize,
}

/// An entry of the journal, for as long as it is not recorded.
pub struct Entry(Arc<Segment>);

impl Entry {
    /// Marks the entry as no longer needed.
    pub fn recorded(self) {
        self.0.unrecorded.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        if *self.unrecorded.get_mut() == 0 {
            // A file that stays has no effect.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

impl Segment {
    fn create(folder: &Path) -> io::Result<Self> {
        let new = folder.join(Uuid::now_v7().to_string()).with_extension(NEW_EXTENSION);
        let file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .mode(0o600)
            .open(&new)?;
        file.lock()?;
        let path = new.with_extension(EXTENSION);
        std::fs::rename(&new, &path)?;
        Ok(Self {
            file,
            path,
            entries: AtomicUsize::new(0),
            unrecorded: AtomicUsize::new(0),
        })
    }

    fn append(self: &Arc<Self>, line: &[u8]) -> io::Result<Entry> {
        self.unrecorded.fetch_add(1, Ordering::Relaxed);
        self.entries.fetch_add(1, Ordering::Relaxed);
        let entry = Entry(Arc::clone(self));
        match (&self.file).write_all(line) {
            Ok(()) => Ok(entry),
            Err(fault) => {
                entry.recorded();
                Err(fault)
            }
        }
    }
}

impl Journal {
    /// Opens the journal for a database in this folder, which is created if it does not exist.
    ///
    /// # Errors
    ///
    /// The folder cannot be created or written, or belongs to another user.
    pub fn open(folder: &Path, database: &str) -> io::Result<Self> {
        let folder = folder.join(database.replace(|letter: char| !letter.is_ascii_alphanumeric(), "-"));
        DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        let segment = Segment::create(&folder)?;
        // A new file has the owner of this process.
        if segment.file.metadata()?.uid() != std::fs::metadata(&folder)?.uid() {
            return Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                "the folder belongs to another user",
            ));
        }
        Ok(Self {
            folder,
            current: Mutex::new(Some(Arc::new(segment))),
            is_failing: AtomicBool::new(false),
        })
    }

    /// Appends an accepted mail. Returns `None` for other outcomes, and if the disk fails.
    pub fn append(&self, outcome: &Outcome, lane: Lane, kind: SystemEmailKind) -> Option<Entry> {
        let Ending::Sent { password_lifetime } = outcome.ending else {
            return None;
        };
        let line = Line {
            delivery: outcome.delivery,
            attempt: outcome.attempt,
            token: outcome.token,
            began: outcome.began_at.unix_timestamp_nanos(),
            lane,
            kind,
            password_lifetime,
            code: outcome.code,
        };
        let written = self.write(&line);
        let is_failing = written.is_err();
        if self.is_failing.swap(is_failing, Ordering::Relaxed) != is_failing {
            if let Err(fault) = &written {
                warn!(
                    error = %fault,
                    folder = %self.folder.display(),
                    "Cannot write the journal (BECKON_JOURNAL): a worker that is killed causes more second mails"
                );
            } else {
                info!(folder = %self.folder.display(), "Writing the journal again");
            }
        }
        written.ok()
    }

    fn write(&self, line: &Line) -> io::Result<Entry> {
        // The line break comes first, so that a line which a full disk cut off does not spoil the next.
        let mut text = vec![b'\n'];
        serde_json::to_writer(&mut text, line)?;
        self.segment()?.append(&text)
    }

    /// The file to append to.
    fn segment(&self) -> io::Result<Arc<Segment>> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        match &*current {
            Some(segment) if segment.entries.load(Ordering::Relaxed) < MAX_ENTRIES => Ok(Arc::clone(segment)),
            _ => {
                *current = None;
                let segment = Arc::new(Segment::create(&self.folder)?);
                *current = Some(Arc::clone(&segment));
                Ok(segment)
            }
        }
    }

    /// Records what dead workers left, until this one stops.
    pub async fn keep_recovering(
        self: Arc<Self>,
        db: Db,
        worker: String,
        metrics: Arc<WorkerMetrics>,
        lifecycle: Lifecycle,
    ) {
        while !lifecycle.is_stopping() {
            let folder = self.folder.clone();
            let left = tokio::task::spawn_blocking(move || abandoned(&folder)).await;
            let mut pace = PACE;
            for left in left.unwrap_or_default() {
                if let Err(fault) = recover(&left, &db, &worker, &metrics).await {
                    warn!(error = ?fault, file = %left.path.display(), "Could not record accepted mails of a dead worker");
                    pace = PACE_AFTER_FAILURE;
                }
            }
            lifecycle.pause(pace).await;
        }
    }
}

/// A file that a dead worker left. Locked for as long as it exists.
struct Abandoned {
    path: PathBuf,
    lines: Vec<Line>,
    _locked: File,
}

/// The files of dead workers in a folder.
fn abandoned(folder: &Path) -> Vec<Abandoned> {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let paths = files.map(|file| file.path());
    paths
        .filter(|path| path.extension().is_some_and(|extension| extension == EXTENSION))
        .filter_map(|path| {
            let file = File::open(&path).ok()?;
            file.try_lock().ok()?;
            // A line may be cut off: the last, or one for which the disk had no space.
            let lines = BufReader::new(&file).lines().map_while(Result::ok);
            let lines = lines.filter_map(|line| serde_json::from_str(&line).ok()).collect();
            Some(Abandoned {
                path,
                lines,
                _locked: file,
            })
        })
        .collect()
}

/// Records what a file contains and deletes it.
async fn recover(left: &Abandoned, db: &Db, worker: &str, metrics: &WorkerMetrics) -> StoreResult<()> {
    let mut recovered = 0;
    for lines in left.lines.chunks(GROUP) {
        let outcomes: Vec<Outcome> = lines.iter().filter_map(Line::outcome).collect();
        let group = Group {
            outcomes: &outcomes,
            worker,
            released: &[],
            is_repeated: false,
        };
        let settled = settle(db, group).await?;
        recovered += settled.len();
        count(lines, &settled, metrics);
    }
    if let Err(fault) = std::fs::remove_file(&left.path) {
        warn!(error = %fault, file = %left.path.display(), "Could not delete a file of the journal");
    }
    if recovered > 0 {
        info!(count = recovered, "Recorded accepted mails of a worker that died");
    }
    Ok(())
}

fn count(lines: &[Line], settled: &[Settled], metrics: &WorkerMetrics) {
    let lines: HashMap<Uuid, &Line> = lines.iter().map(|line| (line.delivery, line)).collect();
    for one in settled {
        let Some(line) = lines.get(&one.delivery).filter(|_| one.state == DeliveryState::Sent) else {
            continue;
        };
        metrics.count_attempt(line.kind, line.attempt, &line.ending(), one.state);
        metrics.count_sent(line.lane, line.kind, line.attempt == 1, None);
    }
}

impl Line {
    const fn ending(&self) -> Ending {
        Ending::Sent {
            password_lifetime: self.password_lifetime,
        }
    }

    fn outcome(&self) -> Option<Outcome> {
        Some(Outcome {
            delivery: self.delivery,
            attempt: self.attempt,
            token: self.token,
            began_at: OffsetDateTime::from_unix_timestamp_nanos(self.began).ok()?,
            ending: self.ending(),
            phase: Phase::Dot.as_str(),
            code: self.code,
            enhanced_code: None,
            reply: REPLY.to_owned(),
            unknown: None,
        })
    }
}

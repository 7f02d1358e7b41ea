//! Imports in steps, with a review by an administrator between checking and storing.
//!
//! ```text
//! upload ──▶ check ──▶ review of the faulty rows ──▶ store ──▶ undo, until a user is emailed or signs in
//! ```
//!
//! The uploaded file is kept in Postgres until it is stored, so any API process can perform the next step, also after a
//! restart. Checking and storing run in the background and report their progress every second. If the process dies,
//! its transaction is rolled back, the reports stop, and any process can begin the work again;
//! [`shared::store::imports::steps`] ensures that it is done once.
//!
//! Checking changes no users. Whether a row is faulty depends on the file alone, so checking and storing accept the
//! same rows. The numbers of users to create, update and leave unchanged are those at the time of the check; storing
//! counts them again.

mod check;
mod file;
mod work;

use crate::app::concurrency_limits::ConcurrencyLimits;
use crate::app::imports::file_problem::file_problem;
use crate::app::problem::Problem;
use crate::app::upload_spool::Spooled;
use crate::metrics::ApiMetrics;
use import::{Directions, Limits, Mapping, Preview, sorted_keys};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use shared::lifecycle::Lifecycle;
use shared::store::audit::{Action, Actor, AuditEntry};
use shared::store::imports::mappings::{self, StoredMapping};
use shared::store::imports::steps::{self, Upload, Uploaded};
use shared::store::imports::undo::{self, UndoResult};
use shared::store::imports::{Accepting, Import, ImportMode, UndoneCounts};
use shared::store::{Db, begin, commit};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tracing::info;
use uuid::Uuid;

/// Performs the steps; cheap to clone.
#[derive(Clone)]
pub struct StagedImports {
    /// Postgres.
    pub db: Db,
    /// Limits concurrent checks and imports.
    pub concurrency_limits: Arc<ConcurrencyLimits>,
    /// Metrics.
    pub metrics: Arc<ApiMetrics>,
    /// Signals that the process stops.
    pub lifecycle: Lifecycle,
}

/// Work in the background.
pub struct BackgroundWork(JoinHandle<()>);

impl BackgroundWork {
    /// Waits for its end for a limited time, so that a small file needs no progress page.
    pub async fn ended_within(self, patience: Duration) {
        let _ = tokio::time::timeout(patience, self.0).await;
    }
}

/// An uploaded file with the fields of its form.
pub struct Received {
    /// Identifies the form, so that submitting it twice creates one import.
    pub form_token: Uuid,
    /// The name of the file.
    pub file_name: String,
    /// The file.
    pub spooled: Spooled,
    /// Who uploaded it.
    pub by: Actor,
    /// The import of a file that this one corrects. It is discarded unless it was stored.
    pub instead_of: Option<Uuid>,
    /// Whether users are created, updated or both.
    pub mode: ImportMode,
    /// Whether an empty cell clears the value.
    pub clears_empty: bool,
}

/// The administrator's choices for a file.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// The mapping of all columns.
    pub mapping: Mapping,
    /// The columns, to remember the mapping for the next file with the same columns.
    pub header: Vec<String>,
    /// Whether users are created, updated or both.
    pub mode: ImportMode,
    /// Whether an empty cell clears the value.
    pub clears_empty: bool,
}

impl StagedImports {
    /// Stores an uploaded file, which must be checked next.
    ///
    /// # Errors
    ///
    /// Nothing of the file is stored, unless only the reply was lost. Submitting the form again then finds the import.
    pub async fn upload(&self, received: Received) -> Result<Uuid, Problem> {
        let mut transaction = begin(&self.db).await?;
        let upload = Upload {
            form_token: received.form_token,
            file_name: received.file_name,
            digest: received.spooled.digest,
            created_by: received.by.name.clone(),
            mode: received.mode,
            clears_empty: received.clears_empty,
        };
        let import = match steps::upload(&mut transaction, &upload).await? {
            Uploaded::Again(import) => return Ok(import),
            Uploaded::New(import) => import,
        };
        file::store(&mut transaction, import, received.spooled.file).await?;
        if let Some(former) = received.instead_of {
            steps::discard(&mut transaction, former, &received.by.name).await?;
        }
        AuditEntry::new(&received.by, Action::FileUploaded)
            .subject("import", import)
            .record(&mut transaction)
            .await?;
        commit(transaction).await?;
        info!(import.id = %import, "Received a file to import");
        Ok(import)
    }

    /// Begins to check a file, or begins again after an interruption. Returns `None` if it is being checked or was
    /// checked. `sheet` is the sheet to read, for a spreadsheet with several.
    ///
    /// # Errors
    ///
    /// If Postgres is unavailable.
    pub async fn check(&self, import: Uuid, sheet: Option<String>) -> Result<Option<BackgroundWork>, Problem> {
        let work = steps::begin_check(&self.db, import, sheet.as_deref()).await?;
        Ok(work.map(|work| BackgroundWork(self.lifecycle.spawn(work::check(self.clone(), work)))))
    }

    /// The columns of a file that is not stored yet, with sample values. `header_row` is the row chosen as the header.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or Postgres is unavailable.
    pub async fn preview(&self, import: &Import, header_row: Option<u32>) -> Result<Preview, Problem> {
        let _permit = self.concurrency_limits.for_check().await?;
        let directions = Directions {
            header_row,
            ..work::directions(self, import).await?
        };
        let file = file::fetch(&self.db, import.id).await?;
        let read = tokio::task::spawn_blocking(move || Preview::of(file, &directions, Limits::default()));
        read.await.map_err(|_| Problem::internal())?.map_err(file_problem)
    }

    /// Sets the mapping and the mode of a file, which must then be checked again, and remembers the mapping for the
    /// next file with the same columns. Returns `false` if the file is being checked or stored, or was stored.
    ///
    /// # Errors
    ///
    /// If Postgres is unavailable.
    pub async fn choose(&self, import: Uuid, chosen: Chosen, by: &Actor) -> Result<bool, Problem> {
        let mapping = serde_json::to_value(&chosen.mapping).map_err(|_| Problem::internal())?;
        let mut transaction = begin(&self.db).await?;
        if !mappings::choose(&mut transaction, import, &mapping, chosen.mode, chosen.clears_empty).await? {
            return Ok(false);
        }
        let columns = sorted_keys(&chosen.header);
        let digest = Sha256::digest(columns.join("\n"));
        let remembered = StoredMapping { columns, mapping };
        mappings::remember(&mut transaction, &digest, &remembered, &by.name).await?;
        commit(transaction).await?;
        Ok(true)
    }

    /// Begins to store the good rows of a checked file, or begins again after an interruption. Returns `None` if it is
    /// being stored, is not checked, or has no good row. Rows whose problems are accepted are good.
    ///
    /// # Errors
    ///
    /// If Postgres is unavailable.
    pub async fn store(
        &self,
        import: Uuid,
        by: &Actor,
        accepting: &Accepting,
    ) -> Result<Option<BackgroundWork>, Problem> {
        let work = steps::begin_store(&self.db, import, accepting).await?;
        Ok(work.map(|work| BackgroundWork(self.lifecycle.spawn(work::store(self.clone(), work, by.clone())))))
    }

    /// Discards a file. Returns `false` if it was stored or is being stored.
    ///
    /// # Errors
    ///
    /// If Postgres is unavailable.
    pub async fn discard(&self, import: Uuid, by: &Actor) -> Result<bool, Problem> {
        let mut transaction = begin(&self.db).await?;
        let is_discarded = steps::discard(&mut transaction, import, &by.name).await?;
        if is_discarded {
            AuditEntry::new(by, Action::FileDiscarded)
                .subject("import", import)
                .record(&mut transaction)
                .await?;
        }
        commit(transaction).await?;
        Ok(is_discarded)
    }

    /// Undoes an import: removes the users it created, unless one of them was emailed or has signed in, and restores
    /// the former values of the users it updated.
    ///
    /// # Errors
    ///
    /// If Postgres is unavailable, or another import is being stored for too long.
    pub async fn undo(&self, import: Uuid, by: &Actor) -> Result<UndoResult, Problem> {
        let _permit = self.concurrency_limits.for_import().await?;
        let mut transaction = begin(&self.db).await?;
        let undone = undo::undo(&mut transaction, import, &by.name).await?;
        if let UndoResult::Done(UndoneCounts {
            removed,
            restored,
            kept,
        }) = undone
        {
            AuditEntry::new(by, Action::ImportUndone)
                .subject("import", import)
                .details(json!({ "removed": removed, "restored": restored, "kept": kept }))
                .record(&mut transaction)
                .await?;
            commit(transaction).await?;
            info!(import.id = %import, removed, restored, kept, "Undid an import");
        }
        Ok(undone)
    }
}

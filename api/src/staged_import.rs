//! Imports with a person between checking and storing.
//!
//! ```text
//! upload ──▶ check ──▶ a person looks at the faulty rows ──▶ store ──▶ undo, while nobody knows
//! ```
//!
//! The uploaded file lies in Postgres until it is stored, so any process of the API can do the next
//! step, also after a restart. Checking and storing are work in the background that says once a
//! second how far it is. When its process dies, what it did in its transaction is gone, it falls
//! silent, and anybody can begin it again; [`shared::store::imports::steps`] sees to it that it is
//! done once.
//!
//! Checking changes no users. What is wrong in a row depends on the file alone, so storing finds
//! the same rows good that checking found. Whom it would create, update and leave unchanged is as of the check; what
//! storing does is counted anew.

mod check;
mod file;
mod work;

use crate::imports::file_problem;
use crate::metrics::ApiMetrics;
use crate::problem::Problem;
use crate::spool::Spooled;
use crate::state::{Api, whole};
use crate::storing::Room;
use import::{Limits, Mapping, Preview, sorted_keys};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use shared::lifecycle::Lifecycle;
use shared::store::audit::{self, Act, Action, Actor};
use shared::store::imports::mappings::{self, Remembered};
use shared::store::imports::steps::{self, Upload, Uploaded};
use shared::store::imports::undo::{self, Undone};
use shared::store::imports::{Import, ImportMode, Totals, UndoneTotals};
use shared::store::{Db, StoreResult, Transaction, begin, commit};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tracing::info;
use uuid::Uuid;

/// What the steps need; cheap to clone.
#[derive(Clone)]
pub struct StagedImports {
    /// Postgres.
    pub db: Db,
    /// Who may check or store at length now.
    pub room: Arc<Room>,
    /// What is counted.
    pub metrics: Arc<ApiMetrics>,
    /// When the process stops.
    pub lifecycle: Lifecycle,
}

/// Work that goes on by itself.
pub struct InHand(JoinHandle<()>);

impl InHand {
    /// Waits for its end, but not for long: a small file is done before anybody needs a page that
    /// says "wait".
    pub async fn ended_within(self, patience: Duration) {
        let _ = tokio::time::timeout(patience, self.0).await;
    }
}

/// A file, the form it came with, and whose it is.
pub struct Received {
    /// Names the form, so that sending it twice is one import.
    pub form_token: Uuid,
    /// What the file is called.
    pub file_name: String,
    /// The file.
    pub spooled: Spooled,
    /// Who sent it.
    pub by: Actor,
    /// The import of a file that this one corrects; it is discarded, if it is not stored.
    pub instead_of: Option<Uuid>,
    /// What becomes of users who exist, and of those who do not.
    pub mode: ImportMode,
    /// Whether an empty cell clears the value.
    pub clears_empty: bool,
}

/// What a person chose about a file whose columns they saw.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// What all of its columns are read as.
    pub mapping: Mapping,
    /// Its columns, to remember the mapping for the next file that has them.
    pub header: Vec<String>,
    /// What becomes of users who exist, and of those who do not.
    pub mode: ImportMode,
    /// Whether an empty cell clears the value.
    pub clears_empty: bool,
}

impl StagedImports {
    /// From what requests share.
    pub fn of(api: &Api) -> Self {
        Self {
            db: api.db.clone(),
            room: Arc::clone(&api.room),
            metrics: Arc::clone(&api.metrics),
            lifecycle: api.lifecycle.clone(),
        }
    }

    /// Takes a file in. It is to be checked next.
    ///
    /// # Errors
    ///
    /// Nothing of the file is kept, unless it was the answer that was lost: the same form again
    /// finds it.
    pub async fn upload(&self, received: Received) -> Result<Uuid, Problem> {
        let this = self.clone();
        whole(&self.lifecycle, async move { this.keep(received).await }).await
    }

    async fn keep(&self, received: Received) -> Result<Uuid, Problem> {
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
        file::keep(&mut transaction, import, received.spooled.file).await?;
        if let Some(former) = received.instead_of {
            steps::discard(&mut transaction, former, &received.by.name).await?;
        }
        note(&mut transaction, &received.by, Action::FileUploaded, import, json!({})).await?;
        commit(transaction).await?;
        info!(import.id = %import, "Received a file to import");
        Ok(import)
    }

    /// Begins to check a file, or begins again after an interruption. None when somebody does
    /// already, or it is checked. `sheet` names the sheet of a spreadsheet with several.
    ///
    /// # Errors
    ///
    /// When Postgres is away.
    pub async fn check(&self, import: Uuid, sheet: Option<String>) -> Result<Option<InHand>, Problem> {
        let this = self.clone();
        whole(&self.lifecycle, async move {
            let work = steps::begin_check(&this.db, import, sheet.as_deref()).await?;
            Ok(work.map(|work| InHand(this.lifecycle.clone().spawn(work::check(this, work)))))
        })
        .await
    }

    /// The columns of a file that is not stored yet, with their first values.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or Postgres is away.
    pub async fn preview(&self, import: &Import) -> Result<Preview, Problem> {
        let _room = self.room.for_check().await?;
        let (file, sheet) = (file::fetch(&self.db, import.id).await?, import.sheet.clone());
        let read = tokio::task::spawn_blocking(move || Preview::of(file, sheet.as_deref(), Limits::default()));
        read.await.map_err(|_| Problem::internal())?.map_err(file_problem)
    }

    /// Sets what the columns of a file are read as and how it is imported, and remembers the columns for the next file
    /// that has them. It is to be checked again. False when it is being checked or stored, or was.
    ///
    /// # Errors
    ///
    /// When Postgres is away.
    pub async fn choose(&self, import: Uuid, chosen: Chosen, by: &Actor) -> Result<bool, Problem> {
        let (this, by) = (self.clone(), by.clone());
        whole(&self.lifecycle, async move {
            let mapping = serde_json::to_value(&chosen.mapping).map_err(|_| Problem::internal())?;
            let mut transaction = begin(&this.db).await?;
            if !mappings::choose(&mut transaction, import, &mapping, chosen.mode, chosen.clears_empty).await? {
                return Ok(false);
            }
            let columns = sorted_keys(&chosen.header);
            let digest = Sha256::digest(columns.join("\n"));
            let remembered = Remembered { columns, mapping };
            mappings::remember(&mut transaction, &digest, &remembered, &by.name).await?;
            commit(transaction).await?;
            Ok(true)
        })
        .await
    }

    /// Begins to store the good rows of a checked file, or begins again after an interruption. None
    /// when somebody does already, or it is not checked, or no row is good. With `accepts_doubtful`, rows are good
    /// whose every problem may be accepted.
    ///
    /// # Errors
    ///
    /// When Postgres is away.
    pub async fn store(&self, import: Uuid, by: &Actor, accepts_doubtful: bool) -> Result<Option<InHand>, Problem> {
        let (this, by) = (self.clone(), by.clone());
        whole(&self.lifecycle, async move {
            let work = steps::begin_store(&this.db, import, accepts_doubtful).await?;
            Ok(work.map(|work| InHand(this.lifecycle.clone().spawn(work::store(this, work, by)))))
        })
        .await
    }

    /// Discards a file that is not stored; false if it is, or is being stored.
    ///
    /// # Errors
    ///
    /// When Postgres is away.
    pub async fn discard(&self, import: Uuid, by: &Actor) -> Result<bool, Problem> {
        let (this, by) = (self.clone(), by.clone());
        whole(&self.lifecycle, async move {
            let mut transaction = begin(&this.db).await?;
            let is_discarded = steps::discard(&mut transaction, import, &by.name).await?;
            if is_discarded {
                note(&mut transaction, &by, Action::FileDiscarded, import, json!({})).await?;
            }
            commit(transaction).await?;
            Ok(is_discarded)
        })
        .await
    }

    /// Undoes an import: removes whom it created, unless one of them was emailed or has signed in, and gives those
    /// it updated their former values back.
    ///
    /// # Errors
    ///
    /// When Postgres is away, or an import that is being stored keeps this one waiting too long.
    pub async fn undo(&self, import: Uuid, by: &Actor) -> Result<Undone, Problem> {
        let (this, by) = (self.clone(), by.clone());
        whole(&self.lifecycle, async move {
            let _room = this.room.for_import().await?;
            let mut transaction = begin(&this.db).await?;
            let undone = undo::undo(&mut transaction, import, &by.name).await?;
            if let Undone::Done(UndoneTotals {
                removed,
                restored,
                kept,
            }) = undone
            {
                note(
                    &mut transaction,
                    &by,
                    Action::ImportUndone,
                    import,
                    json!({ "removed": removed, "restored": restored, "kept": kept }),
                )
                .await?;
                commit(transaction).await?;
                info!(import.id = %import, removed, restored, kept, "Undid an import");
            }
            Ok(undone)
        })
        .await
    }
}

/// Puts on record that a file was imported, and what came of its rows.
///
/// # Errors
///
/// When Postgres is away.
pub async fn note_imported(
    transaction: &mut Transaction,
    actor: &Actor,
    import: Uuid,
    totals: &Totals,
) -> StoreResult<()> {
    let details = json!({ "created": totals.created, "updated": totals.updated, "unchanged": totals.unchanged,
                          "ignored": totals.ignored, "rejected": totals.rejected });
    note(transaction, actor, Action::FileImported, import, details).await
}

/// Puts on record what was done with an import.
async fn note(
    transaction: &mut Transaction,
    actor: &Actor,
    action: Action,
    import: Uuid,
    details: serde_json::Value,
) -> StoreResult<()> {
    let act = Act {
        actor,
        action,
        subject: Some(format!("import {import}")),
        details,
    };
    audit::note(transaction, &act).await
}

//! Actions that control a batch, recorded in the audit log.
//!
//! An action is one guarded update of the batch's row, in one transaction with its audit entry. From then on the
//! dispatcher and the workers skip the batch's deliveries, or process them again. Updating up to a hundred thousand
//! deliveries follows group by group. If this process ends in the middle, the dispatcher's sweep completes it.

use super::{get, view};
use crate::app::batch_view::BatchView;
use crate::app::problem::Problem;
use crate::app::state::AppState;
use shared::batch::BatchState;
use shared::store::audit::{Action, Actor, AuditEntry};
use shared::store::{batches, begin, commit, sweeps};
use tracing::info;
use uuid::Uuid;

/// An action on a batch.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BatchCommand {
    /// Pauses it: nothing is sent until it is resumed.
    Pause,
    /// Pauses it while an administrator is asked to confirm the stop.
    AskToStop,
    /// Resumes it if that request paused it; otherwise it stays paused.
    CarryOn,
    /// Resumes it after a pause.
    Resume,
    /// Ends its hold now.
    Start,
    /// Stops it during its hold, so that nothing is sent.
    Undo,
    /// Stops it: deliveries that have not begun are cancelled.
    Stop,
}

impl BatchCommand {
    /// The action in the audit log.
    const fn action(self) -> Action {
        match self {
            Self::Pause | Self::AskToStop => Action::BatchPaused,
            Self::Resume | Self::CarryOn => Action::BatchResumed,
            Self::Start => Action::BatchStarted,
            Self::Undo => Action::BatchUndone,
            Self::Stop => Action::BatchStopped,
        }
    }
}

/// Performs an action to completion and returns whether it changed the batch. A repeated action changes nothing and
/// finds the batch as the first one left it.
///
/// # Errors
///
/// If there is no such batch, or Postgres is unavailable.
pub async fn control_batch(api: &AppState, id: Uuid, actor: &Actor, command: BatchCommand) -> Result<bool, Problem> {
    get(api, id).await?;
    if matches!(command, BatchCommand::Resume | BatchCommand::CarryOn) {
        sweeps::take_back(&api.db).await?;
    }
    let is_moved = moved(api, id, actor, command).await?;
    if is_moved {
        info!(batch.id = %id, action = command.action().as_str(), "A batch was controlled");
        follow(api, id, command).await?;
    }
    Ok(is_moved)
}

/// Performs an action and returns the batch. A repeated request finds the batch already changed.
///
/// # Errors
///
/// If the batch can no longer come into the state `wanted`.
pub async fn ensure_state(
    api: &AppState,
    id: Uuid,
    actor: &Actor,
    command: BatchCommand,
    wanted: BatchState,
) -> Result<BatchView, Problem> {
    let moved = control_batch(api, id, actor, command).await?;
    let batch = get(api, id).await?;
    let is_there = batch.state == wanted || (wanted == BatchState::Running && batch.state == BatchState::Held);
    if !moved && !is_there {
        return Err(Problem::conflict(
            "batch_state",
            format!(
                "The batch is {} and cannot become {} any more.",
                batch.state.as_str(),
                wanted.as_str()
            ),
        ));
    }
    view(api, batch).await
}

async fn moved(api: &AppState, id: Uuid, actor: &Actor, command: BatchCommand) -> Result<bool, Problem> {
    let mut transaction = begin(&api.db).await?;
    let is_moved = match command {
        BatchCommand::Pause => batches::pause(&mut transaction, id, &format!("Paused by {}", actor.name)).await?,
        BatchCommand::AskToStop => {
            let reason = format!("Paused by {} to decide whether to stop it", actor.name);
            batches::pause_to_ask(&mut transaction, id, actor.kind.id(), &reason).await?
        }
        BatchCommand::Resume => batches::resume(&mut transaction, id, None).await?,
        BatchCommand::CarryOn => match actor.kind.id() {
            Some(asked_by) => batches::resume(&mut transaction, id, Some(asked_by)).await?,
            None => false,
        },
        BatchCommand::Start => batches::start_now(&mut transaction, id).await?,
        BatchCommand::Undo => batches::undo(&mut transaction, id, &format!("Undone by {}", actor.name)).await?,
        BatchCommand::Stop => batches::stop(&mut transaction, id, &format!("Stopped by {}", actor.name)).await?,
    };
    if is_moved {
        let mut entry = AuditEntry::new(actor, command.action()).subject("batch", id);
        if command == BatchCommand::AskToStop {
            entry = entry.details(serde_json::json!({ "asked_to_stop": true }));
        }
        entry.record(&mut transaction).await?;
        commit(transaction).await?;
    }
    Ok(is_moved)
}

/// Applies the action to the deliveries.
async fn follow(api: &AppState, id: Uuid, command: BatchCommand) -> Result<(), Problem> {
    match command {
        BatchCommand::Pause | BatchCommand::AskToStop => {
            // If this fails, the batch is paused all the same, and the dispatcher withdraws the rest.
            let _ = sweeps::take_back(&api.db).await;
        }
        BatchCommand::Undo | BatchCommand::Stop => {
            sweeps::cancel_rest(&api.db, id).await?;
        }
        BatchCommand::Resume | BatchCommand::CarryOn | BatchCommand::Start => {}
    }
    Ok(())
}

//! A person's say over a batch, kept on record.
//!
//! A wish is one guarded change of the batch's own row, in one transaction with the record of who
//! wished it; from then on the dispatcher and the workers leave its mails alone, or take them up
//! again. What follows for a hundred thousand deliveries comes after it, group by group, and is
//! carried on by the dispatcher's sweep should this process end in the middle.

use super::get;
use crate::problem::Problem;
use crate::state::Api;
use shared::store::audit::{self, Act, Action, Actor};
use shared::store::{batches, begin, commit, sweeps};
use tracing::info;
use uuid::Uuid;

/// What somebody wishes of a batch.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Wish {
    /// Nothing of it leaves until it is resumed.
    Pause,
    /// It is paused while an administrator is asked whether to stop it.
    AskToStop,
    /// It goes on if that question paused it, and stays paused otherwise.
    CarryOn,
    /// It goes on after a pause.
    Resume,
    /// Its hold is over now.
    Start,
    /// It is stopped in its hold: nothing of it leaves at all.
    Undo,
    /// It is stopped: what has not begun is cancelled.
    Stop,
}

impl Wish {
    /// For the record.
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

/// Does what somebody wishes, to the end, and says whether it was this wish that moved the batch: a
/// second click moves nothing, and finds the batch where the first one put it.
///
/// # Errors
///
/// When there is no such batch, or Postgres is away.
pub async fn say(api: &Api, id: Uuid, actor: &Actor, wish: Wish) -> Result<bool, Problem> {
    get(api, id).await?;
    let (this, actor) = (api.clone(), actor.clone());
    api.to_the_end(async move {
        if matches!(wish, Wish::Resume | Wish::CarryOn) {
            sweeps::take_back(&this.db).await?;
        }
        let is_moved = moved(&this, id, &actor, wish).await?;
        if is_moved {
            info!(batch.id = %id, action = wish.action().as_str(), "A batch was told what to do");
            follow(&this, id, wish).await?;
        }
        Ok(is_moved)
    })
    .await
}

async fn moved(api: &Api, id: Uuid, actor: &Actor, wish: Wish) -> Result<bool, Problem> {
    let mut transaction = begin(&api.db).await?;
    let is_moved = match wish {
        Wish::Pause => batches::pause(&mut transaction, id, &format!("Paused by {}", actor.name)).await?,
        Wish::AskToStop => {
            let reason = format!("Paused by {} to decide whether to stop it", actor.name);
            batches::pause_to_ask(&mut transaction, id, actor.kind.id(), &reason).await?
        }
        Wish::Resume => batches::resume(&mut transaction, id, None).await?,
        Wish::CarryOn => match actor.kind.id() {
            Some(asked_by) => batches::resume(&mut transaction, id, Some(asked_by)).await?,
            None => false,
        },
        Wish::Start => batches::start_now(&mut transaction, id).await?,
        Wish::Undo => batches::undo(&mut transaction, id, &format!("Undone by {}", actor.name)).await?,
        Wish::Stop => batches::stop(&mut transaction, id, &format!("Stopped by {}", actor.name)).await?,
    };
    if is_moved {
        let act = Act {
            actor,
            action: wish.action(),
            subject: Some(format!("batch {id}")),
            details: if wish == Wish::AskToStop {
                serde_json::json!({ "asked_to_stop": true })
            } else {
                serde_json::json!({})
            },
        };
        audit::note(&mut transaction, &act).await?;
        commit(transaction).await?;
    }
    Ok(is_moved)
}

/// What follows for the deliveries.
async fn follow(api: &Api, id: Uuid, wish: Wish) -> Result<(), Problem> {
    match wish {
        Wish::Pause | Wish::AskToStop => {
            // When it fails the batch is paused all the same, and the dispatcher takes back the rest.
            let _ = sweeps::take_back(&api.db).await;
        }
        Wish::Undo | Wish::Stop => {
            sweeps::cancel_rest(&api.db, id).await?;
        }
        Wish::Resume | Wish::CarryOn | Wish::Start => {}
    }
    Ok(())
}

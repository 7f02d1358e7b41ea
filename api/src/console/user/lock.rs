//! Locking and unlocking a user, after confirmation.

use super::LISTED;
use super::ended::consequences;
use crate::app::problem::Problem;
use crate::app::state::AppState;
use crate::app::users;
use crate::app::users::lock::{lock_user, unlock_user};
use crate::console::frame::{Frame, Section};
use crate::console::respond::{page, redirect_with_flash, redirect_with_note};
use crate::console::session::Administrator;
use crate::http::query::Path;
use askama::Template;
use axum::extract::State;
use axum::response::Response;
use shared::store::credentials;
use shared::store::users::mails;
use uuid::Uuid;

/// The confirmation page.
#[derive(Template)]
#[template(path = "console/user_lock.html")]
struct LockPage {
    frame: Frame,
    id: Uuid,
    name: String,
    email: String,
    /// Whether the page is about unlocking.
    is_locked: bool,
    /// What locking ends, one sentence each.
    ends: Vec<&'static str>,
}

/// Asks for confirmation to lock a user.
pub(super) async fn ask(
    State(api): State<AppState>,
    administrator: Administrator,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    ask_for(&api, &administrator, id, false).await
}

/// Asks for confirmation to unlock a user.
pub(super) async fn ask_unlock(
    State(api): State<AppState>,
    administrator: Administrator,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    ask_for(&api, &administrator, id, true).await
}

async fn ask_for(api: &AppState, administrator: &Administrator, id: Uuid, unlocks: bool) -> Result<Response, Problem> {
    let user = users::get(api, id).await?;
    if user.locked_at.is_some() != unlocks {
        let now = if unlocks { "not locked" } else { "already locked" };
        return Ok(redirect_with_note(
            &address(id),
            &format!("{} is {now}.", user.called()),
        ));
    }
    let mails = mails::of_user(&api.db, id, LISTED).await?;
    let facts = [
        (user.has_chosen, "The password they chose stops working."),
        (
            credentials::of_user(&api.db, id).await? > 0,
            "The passwords that were mailed to them stop working.",
        ),
        (
            mails.iter().any(mails::Mail::is_owed_password),
            "A password email that has not been sent to them yet is cancelled.",
        ),
    ];
    let ends = facts
        .into_iter()
        .filter(|(is, _)| *is)
        .map(|(_, words)| words)
        .collect();
    let name = user.called();
    let verb = if unlocks { "Unlock" } else { "Lock" };
    page(&LockPage {
        frame: administrator
            .frame(api, Section::Users, format!("{verb} {name}?"))
            .await,
        id,
        name,
        email: user.email,
        is_locked: unlocks,
        ends,
    })
}

/// Locks a user.
pub(super) async fn lock(
    State(api): State<AppState>,
    administrator: Administrator,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    let name = users::get(&api, id).await?.called();
    let locked = lock_user(&api, &administrator.actor, id).await?;
    if locked.was_locked {
        return Ok(redirect_with_note(&address(id), &format!("{name} is already locked.")));
    }
    let words = format!("{name} is locked.{}", consequences(&locked.ended));
    Ok(redirect_with_flash(&address(id), &words))
}

/// Unlocks a user.
pub(super) async fn unlock(
    State(api): State<AppState>,
    administrator: Administrator,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    let name = users::get(&api, id).await?.called();
    if !unlock_user(&api, &administrator.actor, id).await? {
        return Ok(redirect_with_note(&address(id), &format!("{name} is not locked.")));
    }
    let words = format!("{name} is unlocked. They have no password; send them a password email.");
    Ok(redirect_with_flash(&address(id), &words))
}

fn address(id: Uuid) -> String {
    format!("/console/users/{id}")
}

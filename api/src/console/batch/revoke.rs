//! Ending the unused passwords of a batch: a mail cannot be recalled, what is in it can.

use super::{address, seen};
use crate::console::frame::{Frame, Place};
use crate::console::respond::{page, redirect_saying};
use crate::console::session::Administrator;
use crate::console::words::{counted, some};
use crate::credentials::revoke_for;
use crate::problem::Problem;
use crate::query::Path;
use crate::state::Api;
use askama::Template;
use axum::extract::State;
use axum::response::Response;
use shared::store::credentials;
use uuid::Uuid;

/// The page.
#[derive(Template)]
#[template(path = "console/batch_revoke.html")]
struct RevokePage {
    frame: Frame,
    id: Uuid,
    unused: i64,
    used: i64,
    button: String,
    /// Passwords that will be mailed only after this.
    is_sending: bool,
}

impl RevokePage {
    fn unused_shown(&self) -> String {
        some(self.unused, "unused password", "unused passwords")
    }

    fn used_shown(&self) -> String {
        some(self.used, "person has", "people have")
    }
}

/// Asks once, with the figures of this moment.
pub(in crate::console) async fn ask(
    State(api): State<Api>,
    administrator: Administrator,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    let (seen, _) = seen(&api, id).await?;
    let (unused, used) = credentials::of_batch(&api.db, id).await?;
    page(&RevokePage {
        frame: administrator
            .frame(&api, Place::Activity, "Revoke unused passwords")
            .await,
        id,
        unused,
        used,
        button: format!("Revoke {}", some(unused, "password", "passwords")),
        is_sending: seen.view.finished_at.is_none(),
    })
}

/// Ends them, and tells the exact figures.
pub(in crate::console) async fn revoke(
    State(api): State<Api>,
    administrator: Administrator,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    crate::batches::get(&api, id).await?;
    let done = revoke_for(&api, &administrator.actor, Some(id), Vec::new()).await?;
    let ended = some(done.revoked, "password was revoked", "passwords were revoked");
    let kept = match done.already_used {
        0 => String::new(),
        used => format!(
            " {} been used and stay as they are.",
            if used == 1 {
                "1 had".to_owned()
            } else {
                format!("{} had", counted(used))
            }
        ),
    };
    Ok(redirect_saying(&address(id), &format!("{ended}.{kept}")))
}

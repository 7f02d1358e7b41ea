//! Revoking the mailed passwords of a batch. An email cannot be recalled, but the password in it can be revoked.

use super::{address, seen};
use crate::app::credentials::revoke::{RevokeTarget, Revoked, revoke_passwords};
use crate::app::problem::Problem;
use crate::app::state::AppState;
use crate::console::fields::Fields;
use crate::console::format::{counted, some};
use crate::console::frame::{Frame, Section};
use crate::console::respond::{page, redirect_with_flash, redirect_with_note};
use crate::console::session::Administrator;
use crate::http::query::Path;
use askama::Template;
use axum::extract::State;
use axum::response::Response;
use shared::batch::BatchState;
use shared::store::credentials;
use uuid::Uuid;

#[derive(Template)]
#[template(path = "console/batch_revoke.html")]
struct RevokePage {
    frame: Frame,
    id: Uuid,
    unused: i64,
    used: i64,
    /// Number of people who have since chosen their own password.
    replaced: i64,
    /// Whether revoking stops the batch.
    is_sending: bool,
}

impl RevokePage {
    fn unused_shown(&self) -> String {
        some(self.unused, "unused password", "unused passwords")
    }

    fn used_shown(&self) -> String {
        some(self.used, "person has", "people have")
    }

    fn replaced_shown(&self) -> String {
        some(self.replaced, "person has", "people have")
    }

    fn used_choice(&self) -> String {
        match self.used {
            1 => "Also revoke the password that was already used".to_owned(),
            used => format!("Also revoke the {} passwords that were already used", counted(used)),
        }
    }

    fn used_passwords(&self) -> String {
        some(self.used, "used password", "used passwords")
    }

    /// Whether only used passwords are left to revoke.
    fn has_only_used(&self) -> bool {
        self.unused == 0 && self.used > 0 && !self.is_sending
    }

    fn button(&self) -> String {
        match self.unused {
            0 if self.has_only_used() => format!("Revoke {}", self.used_passwords()),
            0 => "Revoke passwords".to_owned(),
            unused => format!("Revoke {}", some(unused, "password", "passwords")),
        }
    }
}

/// Asks for confirmation, with current figures.
pub(in crate::console) async fn ask(
    State(api): State<AppState>,
    administrator: Administrator,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    let (seen, _) = seen(&api, id).await?;
    let passwords = credentials::of_batch(&api.db, id).await?;
    page(&RevokePage {
        frame: administrator.frame(&api, Section::Activity, "Revoke passwords").await,
        id,
        unused: passwords.unused,
        used: passwords.used,
        replaced: passwords.replaced,
        is_sending: seen.view.finished_at.is_none() && seen.view.state != BatchState::Stopped,
    })
}

/// Revokes the passwords and reports the exact figures.
pub(in crate::console) async fn revoke(
    State(api): State<AppState>,
    administrator: Administrator,
    Path(id): Path<Uuid>,
    fields: Fields,
) -> Result<Response, Problem> {
    let include_used = fields.is_set("include_used");
    let done = revoke_passwords(&api, &administrator.actor, RevokeTarget::Batch(id), include_used).await?;
    if done.revoked == 0 && done.mails_cancelled == 0 {
        return Ok(redirect_with_note(&address(id), &outcome(&done)));
    }
    Ok(redirect_with_flash(&address(id), &outcome(&done)))
}

fn outcome(done: &Revoked) -> String {
    let ended = match done.revoked {
        0 => "No passwords were revoked".to_owned(),
        revoked => some(revoked, "password was revoked", "passwords were revoked"),
    };
    let kept = match done.already_used {
        0 => String::new(),
        1 => " 1 had already been used and still works.".to_owned(),
        used => format!(" {} had already been used and still work.", counted(used)),
    };
    let cancelled = match done.mails_cancelled {
        0 => String::new(),
        mails => format!(" {} cancelled.", some(mails, "email was", "emails were")),
    };
    format!("{ended}.{kept}{cancelled}")
}

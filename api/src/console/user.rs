//! A user's page: details, emails and sign-in status.

mod add;
mod delete;
mod edit;
mod ended;
mod export;
mod form;
mod lock;

use super::blocked::BlockedRow;
use super::format::{Moment, author, moment};
use super::frame::{Frame, Section};
use super::people::access;
use super::respond::{page, redirect_with_flash, redirect_with_note};
use super::session::Administrator;
use crate::app::blocked::unblock_addresses;
use crate::app::problem::Problem;
use crate::app::state::AppState;
use crate::app::status_labels::status;
use crate::app::users;
use crate::http::query::Path;
use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};
use shared::store::blocked::{self, BlockedFilter};
use shared::store::imports::{self, Appearance, ImportEffect};
use shared::store::users::User;
use shared::store::users::mails::{self, Mail};
use uuid::Uuid;

/// Emails and imports listed. Older ones are found under Activity.
const LISTED: i64 = 50;

/// Routes of the pages about one user.
pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/console/users/add", get(add::show).post(add::add))
        .route("/console/users/{id}", get(show))
        .route("/console/users/{id}/unblock", post(unblock))
        .route("/console/users/{id}/edit", get(edit::show).post(edit::save))
        .route("/console/users/{id}/lock", get(lock::ask).post(lock::lock))
        .route("/console/users/{id}/unlock", get(lock::ask_unlock).post(lock::unlock))
        .route("/console/users/{id}/export", get(export::download))
        .route("/console/users/{id}/delete", get(delete::ask).post(delete::delete))
}

#[derive(Template)]
#[template(path = "console/user.html")]
struct UserPage {
    frame: Frame,
    id: Uuid,
    name: String,
    email: String,
    /// The block on their address, if there is one.
    blocked: Option<BlockedRow>,
    /// When they were locked. A locked user can neither sign in nor be sent a password.
    locked: Option<Moment>,
    /// Label and value; a value may be empty.
    details: Vec<(String, String)>,
    access: (&'static str, &'static str),
    signed_in: Option<Moment>,
    /// When the mailed password expires or expired, unless they have chosen their own.
    password: Option<(Moment, bool)>,
    added: Moment,
    imports: Vec<ImportRow>,
    mails: Vec<MailRow>,
}

struct ImportRow {
    import: Uuid,
    file_name: String,
    did: &'static str,
}

struct MailRow {
    delivery: Uuid,
    name: &'static str,
    /// The address it was sent to, if that is not the current one.
    former_email: Option<String>,
    tone: &'static str,
    word: &'static str,
    asked: Moment,
    by: String,
    sent: Option<Moment>,
}

/// Shows a user.
pub(super) async fn show(
    State(api): State<AppState>,
    administrator: Administrator,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    let user = users::get(&api, id).await?;
    let (imports, mails) = (
        imports::of_user(&api.db, id, LISTED).await?,
        mails::of_user(&api.db, id, LISTED).await?,
    );
    let blocked = blocked::find(&api.db, &address_of(id)).await?;
    let name = user.called();
    let password = user.password_expires_at.filter(|_| !user.has_chosen);
    page(&UserPage {
        frame: administrator.frame(&api, Section::Users, name.clone()).await,
        id,
        name,
        email: user.email.clone(),
        blocked: blocked.map(BlockedRow::of),
        locked: user.locked_at.map(moment),
        details: details(&user),
        access: access(&user),
        signed_in: user.signed_in_at.map(moment),
        password: password.map(|at| (moment(at), user.password_has_expired)),
        added: moment(user.created_at),
        imports: imports.into_iter().map(import_row).collect(),
        mails: mails.iter().map(mail_row).collect(),
    })
}

/// Filter for the blocked address of a user.
pub(super) fn address_of(id: Uuid) -> BlockedFilter {
    BlockedFilter {
        user: Some(id),
        ..BlockedFilter::default()
    }
}

/// Unblocks the user's address.
async fn unblock(
    State(api): State<AppState>,
    administrator: Administrator,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    let email = users::get(&api, id).await?.email;
    let back = format!("/console/users/{id}");
    Ok(
        match unblock_addresses(&api, &administrator.actor, address_of(id)).await? {
            0 => redirect_with_note(&back, "The address is not blocked any more."),
            _ => redirect_with_flash(&back, &format!("{email} is unblocked. You can send email to it again.")),
        },
    )
}

fn details(user: &User) -> Vec<(String, String)> {
    let own = [
        ("First name", &user.first_name),
        ("Last name", &user.last_name),
        ("Language", &user.language),
    ];
    let own = own.map(|(label, value)| (label.to_owned(), value.clone()));
    let fields = form::fields_of(user);
    own.into_iter()
        .chain(fields.into_iter().map(|(name, value)| (form::label(&name), value)))
        .collect()
}

fn import_row(appearance: Appearance) -> ImportRow {
    ImportRow {
        import: appearance.import,
        file_name: appearance.file_name,
        did: match appearance.effect {
            ImportEffect::Created => "added them",
            ImportEffect::Updated => "updated them",
            ImportEffect::Unchanged => "left them unchanged",
        },
    }
}

fn mail_row(mail: &Mail) -> MailRow {
    let status = status(mail.state, mail.reason.as_deref(), mail.batch_state);
    MailRow {
        delivery: mail.delivery,
        name: mail.kind.name(),
        former_email: mail.former_email.clone(),
        tone: status.tone.as_str(),
        word: status.word,
        asked: moment(mail.created_at),
        by: author(&mail.created_by),
        sent: mail.sent_at.map(moment),
    }
}

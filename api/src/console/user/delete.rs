//! Deleting a user, after confirmation.

use crate::app::problem::Problem;
use crate::app::state::AppState;
use crate::app::users;
use crate::console::frame::{Frame, Section};
use crate::console::respond::{page, redirect_with_flash};
use crate::console::session::Administrator;
use crate::http::query::Path;
use askama::Template;
use axum::extract::State;
use axum::response::Response;
use shared::store::users::mails;
use uuid::Uuid;

/// The confirmation page.
#[derive(Template)]
#[template(path = "console/user_delete.html")]
struct DeletePage {
    frame: Frame,
    id: Uuid,
    name: String,
    email: String,
    has_signed_in: bool,
    is_mail_waiting: bool,
}

/// Asks for confirmation.
pub(super) async fn ask(
    State(api): State<AppState>,
    administrator: Administrator,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    let user = users::get(&api, id).await?;
    let mails = mails::of_user(&api.db, id, super::LISTED).await?;
    let name = user.called();
    page(&DeletePage {
        frame: administrator
            .frame(&api, Section::Users, format!("Delete {name}?"))
            .await,
        id,
        name,
        email: user.email,
        has_signed_in: user.signed_in_at.is_some(),
        is_mail_waiting: mails.iter().any(|mail| !mail.state.has_ended()),
    })
}

/// Deletes a user.
pub(super) async fn delete(
    State(api): State<AppState>,
    administrator: Administrator,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    let name = users::get(&api, id).await?.called();
    users::delete(&api, id, &administrator.actor).await?;
    Ok(redirect_with_flash("/console/users", &format!("{name} is deleted.")))
}

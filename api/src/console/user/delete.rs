//! Deleting a user, after confirmation.

use crate::console::frame::{Frame, Place};
use crate::console::respond::{page, redirect_with_flash};
use crate::console::session::Administrator;
use crate::problem::Problem;
use crate::query::Path;
use crate::state::Api;
use crate::users;
use askama::Template;
use axum::extract::State;
use axum::response::Response;
use shared::store::users::{self as store, mails};
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
    State(api): State<Api>,
    administrator: Administrator,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    let user = users::get(&api, id).await?;
    let mails = mails::of_user(&api.db, id, super::LISTED).await?;
    let name = user.called();
    page(&DeletePage {
        frame: administrator.frame(&api, Place::Users, format!("Delete {name}?")).await,
        id,
        name,
        email: user.email,
        has_signed_in: user.signed_in_at.is_some(),
        is_mail_waiting: mails.iter().any(|mail| !mail.state.has_ended()),
    })
}

/// Deletes a user.
pub(super) async fn delete(
    State(api): State<Api>,
    administrator: Administrator,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    let name = users::get(&api, id).await?.called();
    let this = api.clone();
    let is_gone = api
        .to_the_end(async move { Ok(store::delete(&this.db, id, &administrator.actor).await?) })
        .await?;
    if is_gone {
        Ok(redirect_with_flash("/console/users", &format!("{name} is deleted.")))
    } else {
        Err(Problem::not_found("user"))
    }
}

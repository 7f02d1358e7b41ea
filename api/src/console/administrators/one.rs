//! The page of one administrator: details and actions.

use super::super::frame::{Frame, Place};
use super::super::one_time_secret;
use super::super::respond::{page, redirect_with_flash};
use super::super::session::Administrator as Reader;
use super::{PATH, Row, Standing, get};
use crate::app::problem::Problem;
use crate::app::state::AppState;
use crate::http::query::Path;
use askama::Template;
use axum::extract::State;
use axum::response::Response;
use shared::store::administrators;
use shared::store::audit::{self, Act, Action, Actor};
use shared::store::{Transaction, commit};
use tracing::info;
use url::form_urlencoded::byte_serialize;
use uuid::Uuid;

#[derive(Template)]
#[template(path = "console/administrator.html")]
struct OnePage {
    frame: Frame,
    one: Row,
    token: String,
    acts: String,
}

/// Shows an administrator.
pub(in super::super) async fn show(
    State(api): State<AppState>,
    reader: Reader,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    let found = get(&api, id).await?;
    let frame = reader.frame(&api, Place::Manage, found.name.clone()).await;
    let name: String = byte_serialize(found.name.as_bytes()).collect();
    page(&OnePage {
        frame,
        token: one_time_secret::token(),
        acts: format!("/console/audit?who={name}"),
        one: Row::of(found, &reader),
    })
}

/// Enables a disabled administrator.
pub(in super::super) async fn enable(
    State(api): State<AppState>,
    reader: Reader,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    let known = get(&api, id).await?;
    let mut transaction = reader.session().begin_access_change(&api.db).await?;
    if administrators::enable(&mut transaction, id).await? {
        note(
            transaction,
            &reader.actor,
            Action::AdministratorEnabled,
            id,
            &known.name,
        )
        .await?;
    }
    let message = format!("{} can sign in again with their previous password.", known.name);
    Ok(redirect_with_flash(&format!("{PATH}/{id}"), &message))
}

/// Records a change of access in the audit log and commits it.
pub(super) async fn note(
    mut transaction: Transaction,
    actor: &Actor,
    action: Action,
    id: Uuid,
    name: &str,
) -> Result<(), Problem> {
    let act = Act {
        actor,
        action,
        subject: Some(format!("administrator {id}")),
        details: serde_json::json!({ "name": name }),
    };
    audit::note(&mut transaction, &act).await?;
    commit(transaction).await?;
    info!(administrator.id = %id, action = action.as_str(), "An administrator's access was changed");
    Ok(())
}

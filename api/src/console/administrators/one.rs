//! The page of one administrator: details and actions.

use super::super::frame::{Frame, Section};
use super::super::one_time_secret;
use super::super::respond::{page, redirect_with_flash};
use super::super::session::Administrator as Reader;
use super::{AccountStatus, PATH, Row};
use crate::app::administrators::{enable_administrator, find_administrator};
use crate::app::problem::Problem;
use crate::app::state::AppState;
use crate::http::query::Path;
use askama::Template;
use axum::extract::State;
use axum::response::Response;
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
    let found = find_administrator(&api, id).await?;
    let frame = reader.frame(&api, Section::Manage, found.name.clone()).await;
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
    let known = find_administrator(&api, id).await?;
    enable_administrator(&api, &reader.session(), &known).await?;
    let message = format!("{} can sign in again with their previous password.", known.name);
    Ok(redirect_with_flash(&format!("{PATH}/{id}"), &message))
}

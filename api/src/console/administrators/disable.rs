//! Disabling an administrator, after confirmation.

use super::super::fields::Fields;
use super::super::format::{Moment, moment, some};
use super::super::frame::{Frame, Section};
use super::super::respond::{page, redirect_with_flash, redirect_with_note};
use super::super::session::Administrator as Reader;
use super::PATH;
use crate::app::administrators::{disable_administrator, find_administrator, require_another};
use crate::app::problem::Problem;
use crate::app::state::AppState;
use crate::http::query::Path;
use askama::Template;
use axum::extract::State;
use axum::response::Response;
use shared::store::api_keys::{self, Entry};
use uuid::Uuid;

/// The confirmation page.
#[derive(Template)]
#[template(path = "console/administrator_disable.html")]
struct DisablePage {
    frame: Frame,
    id: Uuid,
    name: String,
    email: String,
    /// Working API keys that this administrator created.
    keys: Vec<Key>,
}

/// An API key offered for revocation.
struct Key {
    id: Uuid,
    name: String,
    used: Option<Moment>,
}

impl From<Entry> for Key {
    fn from(key: Entry) -> Self {
        Self {
            id: key.id,
            name: key.name,
            used: key.last_used_at.map(moment),
        }
    }
}

/// Asks for confirmation.
pub(in super::super) async fn consider(
    State(api): State<AppState>,
    reader: Reader,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    let known = find_administrator(&api, id).await?;
    require_another(&reader.session(), &known)?;
    if known.disabled_at.is_some() {
        let message = format!("{} is already disabled.", known.name);
        return Ok(redirect_with_note(&format!("{PATH}/{id}"), &message));
    }
    let keys = api_keys::made_by(&api.db, id, &known.name).await?;
    page(&DisablePage {
        frame: reader
            .frame(&api, Section::Manage, format!("Disable {}?", known.name))
            .await,
        id,
        name: known.name,
        email: known.email,
        keys: keys.into_iter().map(Key::from).collect(),
    })
}

/// Disables an administrator and revokes the keys they created, except those left unticked.
///
/// Keys created after the page was shown are revoked too.
pub(in super::super) async fn disable(
    State(api): State<AppState>,
    reader: Reader,
    Path(id): Path<Uuid>,
    fields: Fields,
) -> Result<Response, Problem> {
    let known = find_administrator(&api, id).await?;
    let revoked = disable_administrator(&api, &reader.session(), &known, &kept(&fields)).await?;
    let mut message = format!("{} is signed out and can no longer sign in.", known.name);
    if revoked > 0 {
        let keys = some(revoked, "API key they created is", "API keys they created are");
        message = format!("{message} {keys} revoked.");
    }
    Ok(redirect_with_flash(&format!("{PATH}/{id}"), &message))
}

/// Keys that the form listed and that were left unticked.
fn kept(fields: &Fields) -> Vec<Uuid> {
    let revoked: Vec<&str> = fields.all("revoke").collect();
    let unticked = fields.all("listed").filter(|id| !revoked.contains(id));
    unticked.filter_map(|id| id.parse().ok()).collect()
}

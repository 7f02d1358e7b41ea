//! Disabling an administrator, after confirmation.

use super::super::fields::Fields;
use super::super::format::{Moment, moment, some};
use super::super::frame::{Frame, Place};
use super::super::respond::{page, redirect_with_flash, redirect_with_note};
use super::super::session::Administrator as Reader;
use super::one::note;
use super::{PATH, get};
use crate::app::problem::Problem;
use crate::app::state::AppState;
use crate::http::query::Path;
use askama::Template;
use axum::extract::State;
use axum::response::Response;
use shared::store::Transaction;
use shared::store::administrators::{self, Administrator, Disabled};
use shared::store::api_keys::{self, Entry};
use shared::store::audit::{self, Act, Action};
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

/// The administrator with this id, unless that is the reader.
async fn another(api: &AppState, reader: &Reader, id: Uuid) -> Result<Administrator, Problem> {
    let known = get(api, id).await?;
    if id == reader.id {
        return Err(Problem::conflict(
            "own_access",
            "You cannot disable yourself. Ask another administrator to do it.",
        ));
    }
    Ok(known)
}

/// Asks for confirmation.
pub(in super::super) async fn consider(
    State(api): State<AppState>,
    reader: Reader,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    let known = another(&api, &reader, id).await?;
    if known.disabled_at.is_some() {
        let message = format!("{} is already disabled.", known.name);
        return Ok(redirect_with_note(&format!("{PATH}/{id}"), &message));
    }
    let keys = api_keys::made_by(&api.db, id, &known.name).await?;
    page(&DisablePage {
        frame: reader
            .frame(&api, Place::Manage, format!("Disable {}?", known.name))
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
    let known = another(&api, &reader, id).await?;
    let kept = kept(&fields);
    let name = known.name;
    let mut transaction = reader.session().begin_access_change(&api.db).await?;
    let revoked = match administrators::disable(&mut transaction, id).await? {
        Disabled::Done => {
            let revoked = revoke_keys(&mut transaction, &reader, id, &name, &kept).await?;
            note(transaction, &reader.actor, Action::AdministratorDisabled, id, &name).await?;
            revoked
        }
        Disabled::Already => 0,
        Disabled::IsLast => {
            return Err(Problem::conflict(
                "last_administrator",
                format!("{name} is the last administrator who can sign in. Enable or add another administrator first."),
            ));
        }
    };
    let mut message = format!("{name} is signed out and can no longer sign in.");
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

async fn revoke_keys(
    transaction: &mut Transaction,
    reader: &Reader,
    id: Uuid,
    name: &str,
    kept: &[Uuid],
) -> Result<i64, Problem> {
    let mut count = 0;
    for key in api_keys::revoke_made_by(transaction, id, name, kept).await? {
        count += 1;
        let act = Act {
            actor: &reader.actor,
            action: Action::KeyRevoked,
            subject: Some(format!("key {}", key.id)),
            details: serde_json::json!({ "name": key.name }),
        };
        audit::note(transaction, &act).await?;
    }
    Ok(count)
}

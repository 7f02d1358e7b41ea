//! One administrator: what is known of them, and what can be done.

use super::super::access;
use super::super::fields::Fields;
use super::super::frame::{Frame, Place};
use super::super::once;
use super::super::respond::{page, redirect_saying};
use super::super::session::Administrator as Reader;
use super::super::words::{Moment, moment, some};
use super::{PATH, Row, Standing, get};
use crate::problem::Problem;
use crate::query::Path;
use crate::state::Api;
use askama::Template;
use axum::extract::State;
use axum::response::Response;
use shared::store::administrators::{self, Disabled};
use shared::store::api_keys::{self, Entry};
use shared::store::audit::{self, Act, Action, Actor};
use shared::store::{Transaction, commit};
use tracing::info;
use url::form_urlencoded::byte_serialize;
use uuid::Uuid;

/// The page.
#[derive(Template)]
#[template(path = "console/administrator.html")]
struct OnePage {
    frame: Frame,
    one: Row,
    token: String,
    acts: String,
    /// The keys they made that work.
    keys: Vec<Key>,
}

/// A key that somebody made, as it is offered to be revoked.
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

/// Shows one.
pub(in super::super) async fn show(
    State(api): State<Api>,
    reader: Reader,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    let found = get(&api, id).await?;
    let frame = reader.frame(&api, Place::Manage, found.name.clone()).await;
    let keys = api_keys::made_by(&api.db, id, &found.name).await?;
    let name: String = byte_serialize(found.name.as_bytes()).collect();
    page(&OnePage {
        frame,
        token: once::token(),
        acts: format!("/console/audit?who={name}"),
        keys: keys.into_iter().map(Key::from).collect(),
        one: Row::of(found, &reader),
    })
}

/// Disables an administrator, and revokes the keys they made except those that were left unticked.
///
/// A key that was made after the page was shown is revoked as well.
pub(in super::super) async fn disable(
    State(api): State<Api>,
    reader: Reader,
    Path(id): Path<Uuid>,
    fields: Fields,
) -> Result<Response, Problem> {
    let known = get(&api, id).await?;
    if id == reader.id {
        return Err(Problem::conflict(
            "own_access",
            "You cannot disable yourself. Ask another administrator to do it.",
        ));
    }
    let kept = kept(&fields);
    let (db, name) = (api.db.clone(), known.name.clone());
    let revoked = api
        .to_the_end(async move {
            let mut transaction = access::begin(&db, &reader).await?;
            match administrators::disable(&mut transaction, id).await? {
                Disabled::Done => {
                    let revoked = revoke_keys(&mut transaction, &reader, id, &name, &kept).await?;
                    note(transaction, &reader.actor, Action::AdministratorDisabled, id, &name).await?;
                    Ok(revoked)
                }
                Disabled::Already => Ok(0),
                Disabled::IsLast => Err(Problem::conflict(
                    "last_administrator",
                    format!("{name} is the last administrator who can sign in. Enable or add somebody else first."),
                )),
            }
        })
        .await?;
    let mut said = format!("{} is signed out and cannot sign in any more.", known.name);
    if revoked > 0 {
        let keys = some(revoked, "API key they made is", "API keys they made are");
        said = format!("{said} {keys} revoked.");
    }
    Ok(redirect_saying(&format!("{PATH}/{id}"), &said))
}

/// The keys that the form listed and that were left unticked.
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

/// Lets somebody in again.
pub(in super::super) async fn enable(
    State(api): State<Api>,
    reader: Reader,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    let known = get(&api, id).await?;
    let (db, name) = (api.db.clone(), known.name.clone());
    api.to_the_end(async move {
        let mut transaction = access::begin(&db, &reader).await?;
        if administrators::enable(&mut transaction, id).await? {
            note(transaction, &reader.actor, Action::AdministratorEnabled, id, &name).await?;
        }
        Ok(())
    })
    .await?;
    let said = format!("{} can sign in again, with the password they had.", known.name);
    Ok(redirect_saying(&format!("{PATH}/{id}"), &said))
}

async fn note(
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

//! Manage > API keys: what programs call the API with. A key is seen once, when it is made.

use super::fields::Fields;
use super::frame::{Frame, Place};
use super::leaf::{LIMIT, Leaf, TurnQuery};
use super::once::{self, Told};
use super::respond::{page, page_as, redirect_saying};
use super::session::Administrator;
use super::words::{Moment, moment};
use crate::administrators::check_label;
use crate::caller::make_key;
use crate::problem::Problem;
use crate::query::Path;
use crate::state::Api;
use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use shared::store::api_keys::{self, Entry};
use shared::store::audit::{self, Act, Action};
use shared::store::{begin, commit};
use tracing::info;
use uuid::Uuid;
use zeroize::Zeroizing;

const PATH: &str = "/console/keys";

/// The list.
#[derive(Template)]
#[template(path = "console/keys.html")]
struct ListPage {
    frame: Frame,
    leaf: Leaf<Row>,
}

/// The form that makes one.
#[derive(Template)]
#[template(path = "console/key_new.html")]
struct NewPage {
    frame: Frame,
    name: String,
    token: String,
    fault: Option<&'static str>,
}

/// What revoking one means.
#[derive(Template)]
#[template(path = "console/key_revoke.html")]
struct RevokePage {
    frame: Frame,
    key: Row,
}

/// A key, as pages show it.
struct Row {
    id: Uuid,
    name: String,
    made: Moment,
    made_by: String,
    used: Option<Moment>,
    revoked: Option<Moment>,
}

impl Row {
    fn of(key: Entry) -> Self {
        Self {
            id: key.id,
            name: key.name,
            made: moment(key.created_at),
            made_by: key.created_by,
            used: key.last_used_at.map(moment),
            revoked: key.revoked_at.map(moment),
        }
    }
}

/// Shows all keys.
pub(super) async fn list(
    State(api): State<Api>,
    reader: Administrator,
    TurnQuery { 0: turn }: TurnQuery,
) -> Result<Response, Problem> {
    let found = api_keys::list(&api.db, turn.before, turn.after, LIMIT).await?;
    let leaf = Leaf::of(found, turn, |key| key.id, PATH, &[]);
    let frame = reader.frame(&api, Place::Manage, leaf.title("API keys")).await;
    page(&ListPage {
        frame,
        leaf: leaf.map(Row::of),
    })
}

/// Asks what a new one is for.
pub(super) async fn ask(State(api): State<Api>, reader: Administrator) -> Result<Response, Problem> {
    page(&NewPage {
        frame: reader.frame(&api, Place::Manage, "Make an API key").await,
        name: String::new(),
        token: once::token(),
        fault: None,
    })
}

/// Makes one, and shows it.
pub(super) async fn make(State(api): State<Api>, reader: Administrator, fields: Fields) -> Result<Response, Problem> {
    let name = fields.trimmed("name").to_owned();
    if let Err(fault) = check_label(&name) {
        let frame = reader.frame(&api, Place::Manage, "Make an API key").await;
        let token = fields.text("token").to_owned();
        let form = NewPage {
            frame: frame.with_faults(),
            name,
            token,
            fault: Some(fault),
        };
        return page_as(StatusCode::UNPROCESSABLE_ENTITY, &form);
    }
    let (key, digest) = make_key().map_err(|_| Problem::internal())?;
    let key = Zeroizing::new(key);
    let is_made = keep(&api, &reader, &name, digest, fields.text("token")).await?;
    let title = if is_made {
        format!("API key ‘{name}’")
    } else {
        format!("API key ‘{name}’ was made already")
    };
    let frame = reader.frame(&api, Place::Manage, title).await;
    once::shown(frame, is_made.then_some(key), told())
}

fn told() -> Told {
    Told {
        first: "Copy this key now.",
        label: "API key",
        what_next: "Programs send it with every call, as ‘Authorization: Bearer’ and the key. Whoever has it can \
                    import people and send them email, so keep it where passwords are kept."
            .to_owned(),
        otherwise: "Nobody can look it up. If it was not copied, revoke it and make another.",
        back: PATH.to_owned(),
        back_label: "Go to the API keys",
    }
}

async fn keep(api: &Api, reader: &Administrator, name: &str, digest: Vec<u8>, token: &str) -> Result<bool, Problem> {
    let once = once::form(&reader.caller(), "make key", token)?;
    let (db, actor, name) = (api.db.clone(), reader.actor.clone(), name.to_owned());
    api.to_the_end(async move {
        let mut transaction = begin(&db).await?;
        if once.answered::<once::Made>(&mut transaction).await?.is_some() {
            return Ok(false);
        }
        let id = api_keys::create(&mut transaction, &name, &digest, &actor.name).await?;
        let act = Act {
            actor: &actor,
            action: Action::KeyMade,
            subject: Some(format!("key {id}")),
            details: serde_json::json!({ "name": name }),
        };
        audit::note(&mut transaction, &act).await?;
        once.commit(&db, transaction, StatusCode::OK, &once::Made { id })
            .await?;
        info!(key.id = %id, "Made an API key");
        Ok(true)
    })
    .await
}

async fn get(api: &Api, id: Uuid) -> Result<Entry, Problem> {
    api_keys::find_by_id(&api.db, id)
        .await?
        .ok_or_else(|| Problem::not_found("API key"))
}

/// Says what revoking one means.
pub(super) async fn consider(
    State(api): State<Api>,
    reader: Administrator,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    let key = Row::of(get(&api, id).await?);
    let frame = reader
        .frame(&api, Place::Manage, format!("Revoke API key ‘{}’", key.name))
        .await;
    page(&RevokePage { frame, key })
}

/// Ends one.
pub(super) async fn revoke(
    State(api): State<Api>,
    reader: Administrator,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    let key = get(&api, id).await?;
    let (db, actor, name) = (api.db.clone(), reader.actor.clone(), key.name.clone());
    api.to_the_end(async move {
        let mut transaction = begin(&db).await?;
        if api_keys::revoke(&mut transaction, id).await? {
            let act = Act {
                actor: &actor,
                action: Action::KeyRevoked,
                subject: Some(format!("key {id}")),
                details: serde_json::json!({ "name": name }),
            };
            audit::note(&mut transaction, &act).await?;
            commit(transaction).await?;
            info!(key.id = %id, "Revoked an API key");
        }
        Ok(())
    })
    .await?;
    Ok(redirect_saying(
        PATH,
        &format!("The key ‘{}’ is revoked. Calls with it are refused.", key.name),
    ))
}

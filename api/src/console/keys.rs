//! Manage > API keys: keys for programs. A key is shown only once, when it is created.

use super::cursor::{CursorPage, CursorQuery, LIMIT};
use super::fields::Fields;
use super::format::{Moment, moment};
use super::frame::{Frame, Section};
use super::one_time_secret::{self, SecretTexts};
use super::respond::{page, page_as, redirect_with_flash};
use super::session::Administrator;
use crate::app::api_keys::{KeyCreation, KeyToCreate, create_key, find_key, revoke_key};
use crate::app::problem::Problem;
use crate::app::state::AppState;
use crate::http::query::Path;
use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use shared::store::api_keys::{self, Entry, Expiry};
use std::time::Duration;
use uuid::Uuid;

const PATH: &str = "/console/keys";

/// Lifetimes: form value, days and label. The first is the default.
const LIFETIMES: [(&str, Option<u32>, &str); 3] = [
    ("365d", Some(365), "1 year"),
    ("90d", Some(90), "90 days"),
    ("never", None, "Never"),
];

#[derive(Template)]
#[template(path = "console/keys.html")]
struct ListPage {
    frame: Frame,
    list: CursorPage<Row>,
}

/// The form that creates a key.
#[derive(Template)]
#[template(path = "console/key_new.html")]
struct NewPage {
    frame: Frame,
    name: String,
    /// Form value of the selected lifetime.
    lifetime: &'static str,
    may_read_audit_log: bool,
    token: String,
    fault: Option<String>,
}

/// The confirmation page for revoking a key.
#[derive(Template)]
#[template(path = "console/key_revoke.html")]
struct RevokePage {
    frame: Frame,
    key: Row,
}

/// A key in the list.
struct Row {
    id: Uuid,
    name: String,
    made: Moment,
    made_by: String,
    used: Option<Moment>,
    revoked: Option<Moment>,
    expires: Option<Moment>,
    expiry: Expiry,
    may_read_audit_log: bool,
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
            expires: key.expires_at.map(moment),
            expiry: key.expiry,
            may_read_audit_log: key.may_read_audit_log,
        }
    }
}

/// Lists all keys.
pub(super) async fn list(
    State(api): State<AppState>,
    reader: Administrator,
    CursorQuery { 0: cursor }: CursorQuery,
) -> Result<Response, Problem> {
    let found = api_keys::list(&api.db, cursor.before, cursor.after, LIMIT).await?;
    let list = CursorPage::of(found, cursor, |key| key.id, PATH, &[]);
    let frame = reader.frame(&api, Section::Manage, list.title("API keys")).await;
    page(&ListPage {
        frame,
        list: list.map(Row::of),
    })
}

/// Shows the form that creates a key.
pub(super) async fn ask(State(api): State<AppState>, reader: Administrator) -> Result<Response, Problem> {
    page(&form(&api, &reader, &Fields::default(), None).await)
}

async fn form(api: &AppState, reader: &Administrator, fields: &Fields, fault: Option<String>) -> NewPage {
    let frame = reader.frame(api, Section::Manage, "Create an API key").await;
    let (lifetime, ..) = lifetime(fields);
    let token = fields.text("token");
    NewPage {
        frame: if fault.is_some() { frame.with_faults() } else { frame },
        name: fields.trimmed("name").to_owned(),
        lifetime,
        may_read_audit_log: fields.is_set("may_read_audit_log"),
        token: if token.is_empty() {
            one_time_secret::token()
        } else {
            token.to_owned()
        },
        fault,
    }
}

/// The lifetime selected in the form.
fn lifetime(fields: &Fields) -> (&'static str, Option<u32>, &'static str) {
    let [default, ..] = LIFETIMES;
    let chosen = LIFETIMES
        .into_iter()
        .find(|(word, ..)| *word == fields.text("lifetime"));
    chosen.unwrap_or(default)
}

/// Creates a key and shows it.
pub(super) async fn make(
    State(api): State<AppState>,
    reader: Administrator,
    fields: Fields,
) -> Result<Response, Problem> {
    let name = fields.trimmed("name").to_owned();
    let (_, days, _) = lifetime(&fields);
    let wanted = KeyToCreate {
        name: name.clone(),
        expires_after: days.map(|days| Duration::from_hours(24) * days),
        may_read_audit_log: fields.is_set("may_read_audit_log"),
    };
    let created = create_key(&api, &reader.session(), wanted, fields.text("token")).await?;
    let (title, key) = match created {
        KeyCreation::Done(key) => (format!("API key ‘{name}’"), Some(key)),
        KeyCreation::Repeated => (format!("API key ‘{name}’ was already created"), None),
        KeyCreation::NameRejected(fault) => {
            let page = form(&api, &reader, &fields, Some(fault.to_string())).await;
            return page_as(StatusCode::UNPROCESSABLE_ENTITY, &page);
        }
        KeyCreation::NameTaken(taken) => {
            let fault = format!(
                "An active key is already called ‘{taken}’, which is the same or looks the same. Choose another name, or \
                 revoke that key first"
            );
            let page = form(&api, &reader, &fields, Some(fault)).await;
            return page_as(StatusCode::CONFLICT, &page);
        }
    };
    let frame = reader.frame(&api, Section::Manage, title).await;
    one_time_secret::shown(frame, key, texts())
}

fn texts() -> SecretTexts {
    SecretTexts {
        first: "Copy this key now.",
        label: "API key",
        what_next: "Programs send it with every request, as ‘Authorization: Bearer’ followed by the key. Anyone who \
                    has it can import users and send them email, so store it like a password."
            .to_owned(),
        otherwise: "If you did not copy it, revoke it and create another.",
        back: PATH.to_owned(),
        back_label: "Go to the API keys",
    }
}

/// Asks for confirmation before revoking a key.
pub(super) async fn consider(
    State(api): State<AppState>,
    reader: Administrator,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    let key = Row::of(find_key(&api, id).await?);
    let frame = reader
        .frame(&api, Section::Manage, format!("Revoke API key ‘{}’", key.name))
        .await;
    page(&RevokePage { frame, key })
}

/// Revokes a key.
pub(super) async fn revoke(
    State(api): State<AppState>,
    reader: Administrator,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    let name = revoke_key(&api, &reader.actor, id).await?;
    Ok(redirect_with_flash(
        PATH,
        &format!("The key ‘{name}’ is revoked. Calls with it are refused."),
    ))
}

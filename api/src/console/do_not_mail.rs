//! Do-not-mail lists: addresses that batches leave out.

mod upload;

use super::fields::Fields;
use super::format::{Moment, counted, moment, some};
use super::frame::{Frame, Section};
use super::respond::{page, redirect, redirect_with_flash, redirect_with_note};
use super::session::Administrator;
use crate::app::do_not_mail::{delete_list, download as file, get as find, remove, set_always};
use crate::app::problem::Problem;
use crate::app::state::AppState;
use crate::http::download::{CSV, download};
use crate::http::query::{Path, SearchForm, SearchQuery};
use askama::Template;
use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::response::Response;
use axum::routing::{get, post};
use serde::Deserialize;
use shared::address::EmailAddress;
use shared::store::do_not_mail::{self, DoNotMailList};
use url::form_urlencoded::Serializer;
use uuid::Uuid;

const PATH: &str = "/console/do-not-mail";

/// Addresses on a page.
const ROWS: usize = 50;

/// Routes of the pages about do-not-mail lists.
pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/console/do-not-mail", get(list))
        .route("/console/do-not-mail/{id}", get(show))
        .route("/console/do-not-mail/{id}/addresses.csv", get(csv))
        .route("/console/do-not-mail/{id}/always", post(change))
        .route("/console/do-not-mail/{id}/remove", post(remove_address))
        .route("/console/do-not-mail/{id}/delete", post(delete))
}

/// The upload page. It has no time limit, because an upload takes as long as the client's connection needs.
pub(super) fn upload_routes() -> Router<AppState> {
    Router::new()
        .route("/console/do-not-mail/new", get(upload::show).post(upload::upload))
        .layer(DefaultBodyLimit::disable())
}

fn path_of(id: Uuid) -> String {
    format!("{PATH}/{id}")
}

#[derive(Template)]
#[template(path = "console/do_not_mail.html")]
struct ListsPage {
    frame: Frame,
    rows: Vec<Row>,
}

struct Row {
    id: Uuid,
    name: String,
    always: bool,
    addresses: String,
    by: String,
    at: Moment,
}

impl From<DoNotMailList> for Row {
    fn from(list: DoNotMailList) -> Self {
        Self {
            id: list.id,
            name: list.name,
            always: list.always,
            addresses: counted(list.addresses),
            by: list.created_by,
            at: moment(list.created_at),
        }
    }
}

/// Shows all lists.
async fn list(State(api): State<AppState>, administrator: Administrator) -> Result<Response, Problem> {
    let found = do_not_mail::list(&api.db).await?;
    page(&ListsPage {
        frame: administrator.frame(&api, Section::Users, "Do-not-mail lists").await,
        rows: found.into_iter().map(Row::from).collect(),
    })
}

/// Query parameters of the page of a list.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    /// Part of the address.
    q: Option<String>,
    /// The last address of the page before.
    after: Option<String>,
    page: Option<u32>,
}

impl SearchForm for ListQuery {
    const MAY_BE_EMPTY: &'static [&'static str] = &["q"];
}

#[derive(Template)]
#[template(path = "console/do_not_mail_list.html")]
struct ListPage {
    frame: Frame,
    id: Uuid,
    always: bool,
    /// Number of addresses, as text.
    addresses: String,
    has_addresses: bool,
    /// Number of addresses of deleted users, as text; empty if none.
    erased: String,
    q: String,
    emails: Vec<String>,
    /// The address of the next page; empty on the last.
    next: String,
    number: u32,
    by: String,
    at: Moment,
}

/// Shows a list.
async fn show(
    State(api): State<AppState>,
    administrator: Administrator,
    Path(id): Path<Uuid>,
    SearchQuery(look): SearchQuery<ListQuery>,
) -> Result<Response, Problem> {
    let list = find(&api, id).await?;
    let q = look.q.as_deref().map(str::trim).unwrap_or_default().to_owned();
    let limit = i64::try_from(ROWS + 1).unwrap_or(i64::MAX);
    let search = Some(q.as_str()).filter(|q| !q.is_empty());
    let mut emails = do_not_mail::addresses(&api.db, id, search, look.after.as_deref(), limit).await?;
    let has_more = emails.len() > ROWS;
    emails.truncate(ROWS);
    let number = if look.after.is_some() {
        look.page.unwrap_or(2).max(2)
    } else {
        1
    };
    let next = emails.last().filter(|_| has_more).map_or_else(String::new, |last| {
        let mut query = Serializer::new(String::new());
        if !q.is_empty() {
            query.append_pair("q", &q);
        }
        query.append_pair("after", last);
        query.append_pair("page", &number.saturating_add(1).to_string());
        format!("{}?{}", path_of(id), query.finish())
    });
    let title = if number > 1 {
        format!("{}, page {number}", list.name)
    } else {
        list.name.clone()
    };
    page(&ListPage {
        frame: administrator.frame(&api, Section::Users, title).await,
        id,
        always: list.always,
        addresses: some(list.addresses, "address", "addresses"),
        has_addresses: list.addresses > list.erased,
        erased: if list.erased > 0 {
            some(list.erased, "address of a deleted user", "addresses of deleted users")
        } else {
            String::new()
        },
        q,
        emails,
        next,
        number,
        by: list.created_by,
        at: moment(list.created_at),
    })
}

/// The addresses as a file.
async fn csv(State(api): State<AppState>, Path(id): Path<Uuid>) -> Result<Response, Problem> {
    find(&api, id).await?;
    let name = format!("do-not-mail-{id}.csv");
    Ok(download(CSV, &name, file::csv(api, id)))
}

/// Sets whether every batch leaves out the users on a list.
async fn change(
    State(api): State<AppState>,
    administrator: Administrator,
    Path(id): Path<Uuid>,
    fields: Fields,
) -> Result<Response, Problem> {
    let always = fields.text("always") == "true";
    set_always(&api, id, always, &administrator.actor).await?;
    let message = if always {
        "Every new batch leaves out the users on this list."
    } else {
        "New batches leave out the users on this list only if you choose the list when you send."
    };
    Ok(redirect_with_flash(&path_of(id), message))
}

/// Removes an address from a list.
async fn remove_address(
    State(api): State<AppState>,
    administrator: Administrator,
    Path(id): Path<Uuid>,
    fields: Fields,
) -> Result<Response, Problem> {
    let Ok(address) = EmailAddress::parse(fields.text("address")) else {
        return Ok(redirect(&path_of(id)));
    };
    if remove(&api, id, &address.key(), &administrator.actor).await? {
        let message = format!("{} is no longer on this list.", address.as_typed());
        return Ok(redirect_with_flash(&path_of(id), &message));
    }
    let message = format!("{} was not on this list.", address.as_typed());
    Ok(redirect_with_note(&path_of(id), &message))
}

/// Deletes a list.
async fn delete(
    State(api): State<AppState>,
    administrator: Administrator,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    delete_list(&api, id, &administrator.actor).await?;
    Ok(redirect_with_flash(
        PATH,
        "The list was deleted. New batches no longer leave out its addresses because of it.",
    ))
}

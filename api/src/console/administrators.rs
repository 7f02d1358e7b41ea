//! Manage > Administrators: the people who may use the console.

mod add;
mod disable;
mod link;
mod one;

pub(super) use add::{add, ask};
pub(super) use disable::{consider, disable};
pub(super) use link::reset;
pub(super) use one::{enable, show};

use super::cursor::{CursorPage, CursorQuery, LIMIT};
use super::format::{Moment, moment};
use super::frame::{Frame, Section};
use super::respond::page;
use super::session::Administrator as Reader;
use crate::app::problem::Problem;
use crate::app::state::AppState;
use askama::Template;
use axum::extract::State;
use axum::response::Response;
use shared::store::administrators::{self, Administrator};
use uuid::Uuid;

const PATH: &str = "/console/administrators";

#[derive(Template)]
#[template(path = "console/administrators.html")]
struct ListPage {
    frame: Frame,
    list: CursorPage<Row>,
}

/// An administrator in the list.
struct Row {
    id: Uuid,
    name: String,
    email: String,
    is_reader: bool,
    status: AccountStatus,
    added: Moment,
    added_by: String,
    signed_in: Option<Moment>,
}

/// Whether an administrator can sign in.
enum AccountStatus {
    /// Yes, with a password of their own.
    In,
    /// Not yet: they can choose a password until this time.
    Invited(Moment),
    /// No: they did not choose a password in time.
    Late,
    /// No: disabled at this time.
    Out(Moment),
}

impl Row {
    fn of(found: Administrator, reader: &Reader) -> Self {
        let status = match (found.disabled_at, found.can_choose_until) {
            (Some(since), _) => AccountStatus::Out(moment(since)),
            (None, Some(_)) if found.is_too_late_to_choose => AccountStatus::Late,
            (None, Some(until)) => AccountStatus::Invited(moment(until)),
            (None, None) => AccountStatus::In,
        };
        Self {
            id: found.id,
            is_reader: found.id == reader.id,
            status,
            added: moment(found.created_at),
            added_by: found.created_by,
            signed_in: found.signed_in_at.map(moment),
            name: found.name,
            email: found.email,
        }
    }
}

/// Lists all administrators.
pub(super) async fn list(
    State(api): State<AppState>,
    reader: Reader,
    CursorQuery { 0: cursor }: CursorQuery,
) -> Result<Response, Problem> {
    let found = administrators::list(&api.db, cursor.before, cursor.after, LIMIT).await?;
    let list = CursorPage::of(found, cursor, |one| one.id, PATH, &[]);
    let frame = reader.frame(&api, Section::Manage, list.title("Administrators")).await;
    page(&ListPage {
        frame,
        list: list.map(|one| Row::of(one, &reader)),
    })
}

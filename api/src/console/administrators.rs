//! Manage > Administrators: the people who may use the console.

mod add;
mod disable;
mod link;
mod one;

pub(super) use add::{add, ask};
pub(super) use disable::{consider, disable};
pub(super) use link::reset;
pub(super) use one::{enable, show};

use super::frame::{Frame, Place};
use super::leaf::{LIMIT, Leaf, TurnQuery};
use super::respond::page;
use super::session::Administrator as Reader;
use super::words::{Moment, moment};
use crate::problem::Problem;
use crate::state::Api;
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
    leaf: Leaf<Row>,
}

/// An administrator in the list.
struct Row {
    id: Uuid,
    name: String,
    email: String,
    is_reader: bool,
    standing: Standing,
    added: Moment,
    added_by: String,
    signed_in: Option<Moment>,
}

/// Whether an administrator can sign in.
enum Standing {
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
        let standing = match (found.disabled_at, found.can_choose_until) {
            (Some(since), _) => Standing::Out(moment(since)),
            (None, Some(_)) if found.is_too_late_to_choose => Standing::Late,
            (None, Some(until)) => Standing::Invited(moment(until)),
            (None, None) => Standing::In,
        };
        Self {
            id: found.id,
            is_reader: found.id == reader.id,
            standing,
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
    State(api): State<Api>,
    reader: Reader,
    TurnQuery { 0: turn }: TurnQuery,
) -> Result<Response, Problem> {
    let found = administrators::list(&api.db, turn.before, turn.after, LIMIT).await?;
    let leaf = Leaf::of(found, turn, |one| one.id, PATH, &[]);
    let frame = reader.frame(&api, Place::Manage, leaf.title("Administrators")).await;
    page(&ListPage {
        frame,
        leaf: leaf.map(|one| Row::of(one, &reader)),
    })
}

/// The administrator with this id, or 404.
async fn get(api: &Api, id: Uuid) -> Result<Administrator, Problem> {
    administrators::find(&api.db, id)
        .await?
        .ok_or_else(|| Problem::not_found("administrator"))
}

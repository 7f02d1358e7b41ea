//! Manage Users: all users, and the selection of those to email.

use super::fields::Fields;
use super::frame::{Frame, Place};
use super::people::{PeopleList, Pressed, View, list, take};
use super::respond::{page, page_as, redirect};
use super::selections::own;
use super::session::Administrator;
use crate::problem::Problem;
use crate::state::Api;
use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use shared::store::selections::{self, Selection};

const PATH: &str = "/console/users";

#[derive(Template)]
#[template(path = "console/users.html")]
struct UsersPage {
    frame: Frame,
    list: PeopleList,
    fault: Option<&'static str>,
}

/// Shows a page of users.
pub(super) async fn show(
    State(api): State<Api>,
    administrator: Administrator,
    view: View,
) -> Result<Response, Problem> {
    page(&of(&api, &administrator, view).await?)
}

async fn of(api: &Api, administrator: &Administrator, mut view: View) -> Result<UsersPage, Problem> {
    let selection = open(api, administrator, &view).await?;
    // A selection that was already sent is dropped. A bookmark of it shows the same people unticked.
    view.selection = selection.as_ref().map(|selection| selection.id);
    let title = match view.number() {
        1 => "Users".to_owned(),
        number => format!("Users, page {number}"),
    };
    Ok(UsersPage {
        frame: administrator.frame(api, Place::Users, title).await,
        list: list(api, view, selection.as_ref(), PATH).await?,
        fault: None,
    })
}

async fn open(api: &Api, administrator: &Administrator, view: &View) -> Result<Option<Selection>, Problem> {
    let Some(id) = view.selection else { return Ok(None) };
    let found = selections::find(&api.db, administrator.id, id).await?;
    Ok(found.filter(|selection| selection.batch.is_none()))
}

/// Saves the ticks and redirects to where the button leads.
pub(super) async fn press(
    State(api): State<Api>,
    administrator: Administrator,
    fields: Fields,
) -> Result<Response, Problem> {
    let this = api.clone();
    api.to_the_end(async move {
        let mut view = View::read(&fields)?;
        let known = open(&this, &administrator, &view).await?;
        let (selection, pressed) = take(&this, administrator.id, known, &view, &fields).await?;
        view.selection = selection.as_ref().map(|selection| selection.id);
        if pressed == Pressed::Save {
            return own::save_filter(&this, &administrator, view, &fields, PATH).await;
        }
        if let Pressed::Preview(kind) = pressed {
            let Some(selection) = selection.filter(|selection| selection.count() > 0) else {
                let mut refused = of(&this, &administrator, view).await?;
                refused.frame = refused.frame.with_faults();
                refused.fault = Some("Select at least one user");
                return page_as(StatusCode::UNPROCESSABLE_ENTITY, &refused);
            };
            return own::go_on(&this, selection, kind, "preview").await;
        }
        Ok(redirect(&own::next_view(view, pressed, &fields).address(PATH)))
    })
    .await
}

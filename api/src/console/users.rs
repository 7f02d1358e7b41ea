//! Manage Users: all users, and the selection of those to email.

use super::fields::Fields;
use super::frame::{Frame, Section};
use super::people::{ButtonAction, PeopleList, TypedConditions, View, list, list_as_typed, take};
use super::respond::{page, page_as, redirect};
use super::selections::load_selection;
use super::session::Administrator;
use crate::app::problem::Problem;
use crate::app::state::AppState;
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
    State(api): State<AppState>,
    administrator: Administrator,
    view: View,
) -> Result<Response, Problem> {
    page(&of(&api, &administrator, view).await?)
}

async fn of(api: &AppState, administrator: &Administrator, mut view: View) -> Result<UsersPage, Problem> {
    let selection = open(api, administrator, &view).await?;
    // A selection that was already sent is dropped. A bookmark of it shows the same people unticked.
    view.selection = selection.as_ref().map(|selection| selection.id);
    let title = match view.number() {
        1 => "Users".to_owned(),
        number => format!("Users, page {number}"),
    };
    Ok(UsersPage {
        frame: administrator.frame(api, Section::Users, title).await,
        list: list(api, view, selection.as_ref(), PATH).await?,
        fault: None,
    })
}

/// The page for a filter that cannot be applied.
async fn as_typed(
    api: &AppState,
    administrator: &Administrator,
    mut view: View,
    typed: TypedConditions,
) -> Result<UsersPage, Problem> {
    let selection = open(api, administrator, &view).await?;
    view.selection = selection.as_ref().map(|selection| selection.id);
    Ok(UsersPage {
        frame: administrator.frame(api, Section::Users, "Users").await.with_faults(),
        list: list_as_typed(api, view.first_page(), selection.as_ref(), PATH, typed).await?,
        fault: None,
    })
}

async fn open(api: &AppState, administrator: &Administrator, view: &View) -> Result<Option<Selection>, Problem> {
    let Some(id) = view.selection else { return Ok(None) };
    let found = selections::find(&api.db, administrator.id, id).await?;
    Ok(found.filter(|selection| selection.batch.is_none()))
}

/// Saves the ticks and redirects to where the button leads.
pub(super) async fn submit(
    State(api): State<AppState>,
    administrator: Administrator,
    fields: Fields,
) -> Result<Response, Problem> {
    let (mut view, typed) = View::read_or_typed(&fields)?;
    if let Some(typed) = typed {
        return page_as(
            StatusCode::UNPROCESSABLE_ENTITY,
            &as_typed(&api, &administrator, view, typed).await?,
        );
    }
    let known = open(&api, &administrator, &view).await?;
    let (selection, pressed) = take(&api, administrator.id, known, &view, &fields).await?;
    view.selection = selection.as_ref().map(|selection| selection.id);
    if pressed == ButtonAction::Save {
        return load_selection::save_filter(&api, &administrator, view, &fields, PATH).await;
    }
    if let ButtonAction::Preview(kind) = pressed {
        let Some(selection) = selection.filter(|selection| selection.count() > 0) else {
            let mut refused = of(&api, &administrator, view).await?;
            refused.frame = refused.frame.with_faults();
            refused.fault = Some("Select at least one user");
            return page_as(StatusCode::UNPROCESSABLE_ENTITY, &refused);
        };
        return load_selection::save_and_redirect(&api, selection, kind, "preview").await;
    }
    Ok(redirect(
        &load_selection::next_view(view, pressed, &fields).address(PATH),
    ))
}

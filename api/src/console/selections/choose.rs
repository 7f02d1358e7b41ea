//! Step 1: select users.

use super::load_selection::{self, OpenSelection};
use crate::app::problem::Problem;
use crate::app::state::AppState;
use crate::console::fields::Fields;
use crate::console::frame::{Frame, Section};
use crate::console::people::{ButtonAction, PeopleList, View, list, list_as_typed, take};
use crate::console::respond::{page, page_as, redirect};
use crate::console::session::Administrator;
use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use shared::store::selections::Selection;
use shared::system_email::SystemEmailKind;

/// The selection page.
#[derive(Template)]
#[template(path = "console/choose.html")]
struct ChoosePage {
    frame: Frame,
    list: PeopleList,
    heading: &'static str,
    send: &'static str,
    fault: Option<&'static str>,
}

/// Label of the send button.
pub(super) const fn verb(kind: SystemEmailKind) -> &'static str {
    match kind {
        SystemEmailKind::Invite => "Send Invite Email",
        SystemEmailKind::PasswordReset => "Send Password Reset Email",
    }
}

/// Shows the selection, initially filtered to the users it began with.
pub(in crate::console) async fn show(
    State(api): State<AppState>,
    administrator: Administrator,
    OpenSelection(selection, kind): OpenSelection,
    RawQuery(query): RawQuery,
    view: View,
) -> Result<Response, Problem> {
    let view = match query {
        Some(_) => view,
        None => View::of(selection.filter.clone().unwrap_or_default(), None),
    };
    page(&of(&api, &administrator, &selection, kind, view).await?)
}

async fn of(
    api: &AppState,
    administrator: &Administrator,
    selection: &Selection,
    kind: SystemEmailKind,
    mut view: View,
) -> Result<ChoosePage, Problem> {
    view.selection = None;
    let heading = match kind {
        SystemEmailKind::Invite => "Send Invite Email: select users",
        SystemEmailKind::PasswordReset => "Send Password Reset Email: select users",
    };
    let title = match view.number() {
        1 => heading.to_owned(),
        number => format!("{heading}, page {number}"),
    };
    let path = format!("/console/selections/{}", selection.id);
    Ok(ChoosePage {
        frame: administrator.frame(api, Section::Users, title).await,
        list: list(api, view, Some(selection), &path).await?,
        heading,
        send: verb(kind),
        fault: None,
    })
}

/// Saves the ticks and redirects to where the button leads.
pub(in crate::console) async fn submit(
    State(api): State<AppState>,
    administrator: Administrator,
    OpenSelection(selection, kind): OpenSelection,
    fields: Fields,
) -> Result<Response, Problem> {
    let id = selection.id;
    let (view, typed) = View::read_or_typed(&fields)?;
    if let Some(typed) = typed {
        let mut page = Box::pin(of(&api, &administrator, &selection, kind, View::default())).await?;
        let action = page.list.action.clone();
        let typed = list_as_typed(&api, view.first_page(), Some(&selection), &action, typed);
        page.list = Box::pin(typed).await?;
        page.frame = page.frame.with_faults();
        return page_as(StatusCode::UNPROCESSABLE_ENTITY, &page);
    }
    let taken = take(&api, administrator.id, Some(selection), &view, &fields);
    let (selection, pressed) = Box::pin(taken).await?;
    let selection = selection.ok_or_else(Problem::internal)?;
    let step = match pressed {
        ButtonAction::Preview(_) => "preview",
        ButtonAction::Check => "check",
        ButtonAction::Save => {
            let path = format!("/console/selections/{id}");
            return Box::pin(load_selection::save_filter(&api, &administrator, view, &fields, &path)).await;
        }
        _ => {
            // Always with a query string, even an empty one: it shows all users instead of those the selection
            // began with.
            let next = load_selection::next_view(view, pressed, &fields);
            return Ok(redirect(&format!("/console/selections/{id}?{}", next.query())));
        }
    };
    if selection.count() == 0 {
        let mut refused = Box::pin(of(&api, &administrator, &selection, kind, view)).await?;
        refused.frame = refused.frame.with_faults();
        refused.fault = Some("Select at least one user");
        return page_as(StatusCode::UNPROCESSABLE_ENTITY, &refused);
    }
    Box::pin(load_selection::save_and_redirect(&api, selection, None, step)).await
}

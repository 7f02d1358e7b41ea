//! Step 1: select users.

use super::own::{self, Own};
use crate::console::fields::Fields;
use crate::console::frame::{Frame, Place};
use crate::console::people::{PeopleList, Pressed, View, list, take};
use crate::console::respond::{page, page_as, redirect};
use crate::console::session::Administrator;
use crate::problem::Problem;
use crate::query::Path;
use crate::state::Api;
use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use shared::store::selections::Selection;
use shared::system_email::SystemEmailKind;
use uuid::Uuid;

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
    State(api): State<Api>,
    administrator: Administrator,
    Path(id): Path<Uuid>,
    RawQuery(query): RawQuery,
    view: View,
) -> Result<Response, Problem> {
    let (selection, kind) = match own::find(&api, &administrator, id).await? {
        Own::Open(selection, kind) => (selection, kind),
        Own::Sent(response) => return Ok(response),
    };
    let view = match query {
        Some(_) => view,
        None => View::of(selection.filter.clone().unwrap_or_default(), None),
    };
    page(&of(&api, &administrator, &selection, kind, view).await?)
}

async fn of(
    api: &Api,
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
        frame: administrator.frame(api, Place::Users, title).await,
        list: list(api, view, Some(selection), &path).await?,
        heading,
        send: verb(kind),
        fault: None,
    })
}

/// Saves the ticks and redirects to where the button leads.
pub(in crate::console) async fn press(
    State(api): State<Api>,
    administrator: Administrator,
    Path(id): Path<Uuid>,
    fields: Fields,
) -> Result<Response, Problem> {
    let this = api.clone();
    api.to_the_end(async move {
        let (selection, kind) = match own::find(&this, &administrator, id).await? {
            Own::Open(selection, kind) => (selection, kind),
            Own::Sent(response) => return Ok(response),
        };
        let view = View::read(&fields)?;
        let (selection, pressed) = take(&this, administrator.id, Some(selection), &view, &fields).await?;
        let selection = selection.ok_or_else(Problem::internal)?;
        let step = match pressed {
            Pressed::Preview(_) => "preview",
            Pressed::Check => "check",
            Pressed::Save => {
                let path = format!("/console/selections/{id}");
                return own::save_filter(&this, &administrator, view, &fields, &path).await;
            }
            _ => {
                // Always with a query string, even an empty one: it shows all users instead of those the selection
                // began with.
                let next = own::next_view(view, pressed, &fields);
                return Ok(redirect(&format!("/console/selections/{id}?{}", next.query())));
            }
        };
        if selection.count() == 0 {
            let mut refused = of(&this, &administrator, &selection, kind, view).await?;
            refused.frame = refused.frame.with_faults();
            refused.fault = Some("Select at least one user");
            return page_as(StatusCode::UNPROCESSABLE_ENTITY, &refused);
        }
        own::go_on(&this, selection, None, step).await
    })
    .await
}

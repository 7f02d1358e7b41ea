//! The choice a request is about, and the ways between the steps.

use crate::console::fields::Fields;
use crate::console::people::{Pressed, View};
use crate::console::respond::{redirect, redirect_noting, redirect_saying};
use crate::console::session::Administrator;
use crate::problem::Problem;
use crate::saved_filters;
use crate::state::Api;
use axum::response::Response;
use shared::store::selections::{self, Selection};
use shared::system_email::SystemEmailKind;
use uuid::Uuid;

/// A choice that can still be sent to, or the way to what was sent.
pub(in crate::console) enum Own {
    /// It is open, for this kind of mail.
    Open(Selection, SystemEmailKind),
    /// It was sent to already.
    Sent(Response),
}

/// Finds an administrator's own choice.
///
/// # Errors
///
/// 404 when there is none, it is somebody else's, or it is a week old.
pub(in crate::console) async fn find(api: &Api, administrator: &Administrator, id: Uuid) -> Result<Own, Problem> {
    let gone = || {
        let mut problem = Problem::not_found("selection");
        "This selection is no longer there: it is more than a week old, or somebody else made it. Choose the people again."
            .clone_into(&mut problem.detail);
        problem
    };
    let selection = selections::find(&api.db, administrator.id, id)
        .await?
        .ok_or_else(gone)?;
    if let Some(batch) = selection.batch {
        let to = format!("/console/batches/{batch}");
        return Ok(Own::Sent(redirect_noting(
            &to,
            "This was sent already: here is what became of it.",
        )));
    }
    let kind = selection.kind.ok_or_else(gone)?;
    Ok(Own::Open(selection, kind))
}

/// Writes a choice down and goes on to the next step.
pub(in crate::console) async fn go_on(
    api: &Api,
    mut selection: Selection,
    kind: Option<SystemEmailKind>,
    step: &str,
) -> Result<Response, Problem> {
    if kind.is_some() && kind != selection.kind {
        selection.kind = kind;
        selections::change(&api.db, &selection).await?;
    }
    write_down(api, &selection).await?;
    Ok(redirect(&format!("/console/selections/{}/{step}", selection.id)))
}

/// Writes a choice down, if that was not done yet, and says how many it is.
pub(in crate::console) async fn write_down(api: &Api, selection: &Selection) -> Result<i32, Problem> {
    if let Some(chosen) = selection.chosen {
        return Ok(chosen);
    }
    let written = selections::write_down(&api.db, selection).await?;
    Ok(written.unwrap_or_default())
}

/// Saves the filter of a list under the name in its form, and leads back to the list.
pub(in crate::console) async fn save_filter(
    api: &Api,
    administrator: &Administrator,
    view: View,
    fields: &Fields,
    path: &str,
) -> Result<Response, Problem> {
    let filter = view.who().unwrap_or_default();
    let to = view.first_page().address(path);
    match saved_filters::save(api, fields.text("filter_name"), &filter, &administrator.actor).await {
        Ok(saved) => Ok(redirect_saying(
            &to,
            &format!("The filter is saved as ‘{}’.", saved.name),
        )),
        Err(problem) if matches!(problem.status, 409 | 422) => Ok(redirect_noting(
            &to,
            &format!("The filter was not saved. {}", problem.detail),
        )),
        Err(problem) => Err(problem),
    }
}

/// Where a list goes when a button of it was pressed.
pub(in crate::console) fn next_view(view: View, pressed: Pressed, fields: &Fields) -> View {
    let number = view.number();
    let edge = |name: &str| fields.trimmed(name).parse().ok();
    match pressed {
        Pressed::Next => View {
            before: edge("last"),
            after: None,
            page: Some(number + 1),
            ..view
        },
        Pressed::Previous if number > 2 => View {
            after: edge("first"),
            before: None,
            page: Some(number - 1),
            ..view
        },
        Pressed::All | Pressed::Nobody => view,
        _ => view.first_page(),
    }
}

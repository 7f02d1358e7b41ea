//! Loads the selection of a request, and moves between the steps.

use crate::app::problem::{Problem, ProblemKind};
use crate::app::saved_filters;
use crate::app::state::AppState;
use crate::console::fields::Fields;
use crate::console::people::{ButtonAction, View};
use crate::console::respond::{redirect, redirect_with_flash, redirect_with_note};
use crate::console::session::Administrator;
use crate::http::query::Path;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};
use shared::store::selections::{self, Selection};
use shared::system_email::SystemEmailKind;
use uuid::Uuid;

/// A selection that can still be sent, or a redirect to its batch.
#[expect(clippy::large_enum_variant, reason = "one is made for each request")]
pub(in crate::console) enum Loaded {
    /// It is open, for this system email.
    Open(Selection, SystemEmailKind),
    /// It was already sent.
    Sent(Response),
}

/// The administrator's own selection with the id in the path, if it was not sent yet. Otherwise the request leads to its
/// batch.
pub(in crate::console) struct OpenSelection(pub(super) Selection, pub(super) SystemEmailKind);

impl FromRequestParts<AppState> for OpenSelection {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, api: &AppState) -> Result<Self, Response> {
        let found = async {
            let administrator = Administrator::from_request_parts(parts, api).await?;
            let Path(id) = Path::<Uuid>::from_request_parts(parts, api).await?;
            load_selection(api, &administrator, id).await
        };
        match found.await.map_err(Problem::into_response)? {
            Loaded::Open(selection, kind) => Ok(Self(selection, kind)),
            Loaded::Sent(response) => Err(response),
        }
    }
}

/// Finds an administrator's own selection.
///
/// # Errors
///
/// 404 if there is none, it belongs to another administrator, or it is a week old.
pub(in crate::console) async fn load_selection(
    api: &AppState,
    administrator: &Administrator,
    id: Uuid,
) -> Result<Loaded, Problem> {
    let gone = || {
        let mut problem = Problem::not_found("selection");
        "This selection no longer exists: it is more than a week old, or another administrator made it. Select the \
         users again."
            .clone_into(&mut problem.detail);
        problem
    };
    let selection = selections::find(&api.db, administrator.id, id)
        .await?
        .ok_or_else(gone)?;
    if let Some(batch) = selection.batch {
        let to = format!("/console/batches/{batch}");
        return Ok(Loaded::Sent(redirect_with_note(
            &to,
            "This selection was already sent. This page shows the result.",
        )));
    }
    let kind = selection.kind.ok_or_else(gone)?;
    Ok(Loaded::Open(selection, kind))
}

/// Stores a selection and redirects to the next step.
pub(in crate::console) async fn save_and_redirect(
    api: &AppState,
    mut selection: Selection,
    kind: Option<SystemEmailKind>,
    step: &str,
) -> Result<Response, Problem> {
    if kind.is_some() && kind != selection.kind {
        selection.kind = kind;
        selections::change(&api.db, &selection).await?;
    }
    store_ids(api, &selection).await?;
    Ok(redirect(&format!("/console/selections/{}/{step}", selection.id)))
}

/// Stores the users of a selection unless that was done before. Returns their number.
pub(in crate::console) async fn store_ids(api: &AppState, selection: &Selection) -> Result<i32, Problem> {
    if let Some(chosen) = selection.chosen {
        return Ok(chosen);
    }
    let written = selections::store_ids(&api.db, selection).await?;
    Ok(written.unwrap_or_default())
}

/// Saves the filter of a list under the submitted name and redirects to the list.
pub(in crate::console) async fn save_filter(
    api: &AppState,
    administrator: &Administrator,
    view: View,
    fields: &Fields,
    path: &str,
) -> Result<Response, Problem> {
    let filter = view.user_filter().unwrap_or_default();
    let to = view.first_page().address(path);
    match saved_filters::save(api, fields.text("filter_name"), &filter, &administrator.actor).await {
        Ok(saved) => Ok(redirect_with_flash(
            &to,
            &format!("The filter is saved as ‘{}’.", saved.name),
        )),
        Err(problem) if matches!(problem.kind, ProblemKind::Conflict | ProblemKind::Invalid) => Ok(redirect_with_note(
            &to,
            &format!("The filter was not saved. {}", problem.detail),
        )),
        Err(problem) => Err(problem),
    }
}

/// The view of a list after one of its buttons was clicked.
pub(in crate::console) fn next_view(view: View, pressed: ButtonAction, fields: &Fields) -> View {
    let number = view.number();
    let edge = |name: &str| fields.trimmed(name).parse().ok();
    match pressed {
        ButtonAction::Next => View {
            before: edge("last"),
            after: None,
            page: Some(number + 1),
            ..view
        },
        ButtonAction::Previous if number > 2 => View {
            after: edge("first"),
            before: None,
            page: Some(number - 1),
            ..view
        },
        ButtonAction::All | ButtonAction::Clear => view,
        _ => view.first_page(),
    }
}

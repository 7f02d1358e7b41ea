//! The editor of a system email.

use super::super::fields::Fields;
use super::super::respond::{redirect, redirect_with_flash};
use super::super::session::Administrator;
use super::form::{Answer, Faults, Typed, inside};
use super::review::{self, Changes};
use super::{editor_address, text_of};
use crate::problem::Problem;
use crate::query::{Path, Query};
use crate::state::Api;
use crate::system_emails::{KindPath, current, custom_fields, save_version};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use shared::store::system_emails::Version;
use shared::system_email::{CustomFields, SystemEmailKind, Template};

/// Query of the editor.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Way {
    /// Address to return to.
    #[serde(rename = "return")]
    back: Option<String>,
}

/// Shows the current text.
pub(super) async fn show(
    State(api): State<Api>,
    administrator: Administrator,
    Path(kind): KindPath,
    Query(way): Query<Way>,
) -> Result<Response, Problem> {
    let now = current(&api, kind).await?;
    let typed = Typed {
        subject: now.subject,
        body: now.body,
        based_on: now.version,
        way_back: way.back.as_deref().and_then(inside),
        ..Typed::default()
    };
    Answer::plain(typed).page(&api, &administrator, kind).await
}

/// Redirects to the editor when the address of one of its forms is opened directly.
pub(super) async fn again(Path(kind): KindPath) -> Response {
    redirect(&editor_address(kind, None))
}

/// Saves the typed text or shows why it was not saved.
pub(super) async fn submit(
    State(api): State<Api>,
    administrator: Administrator,
    Path(kind): KindPath,
    fields: Fields,
) -> Result<Response, Problem> {
    let mut typed = Typed::read(&fields);
    if fields.is_set("back") {
        return Answer::plain(typed).page(&api, &administrator, kind).await;
    }
    let now = current(&api, kind).await?;
    if typed.is(&now) {
        if now.version == typed.based_on + 1 && now.created_by == administrator.name {
            // The same form was submitted twice.
            return Ok(say_saved(kind, &typed, now.version));
        }
        typed.based_on = now.version;
        let note = "Nothing changed: this text is already in use.";
        return Answer::plain(typed)
            .with_note(note)
            .page(&api, &administrator, kind)
            .await;
    }
    let custom = custom_fields(&api).await?;
    let compiled = match typed.draft().compile(kind, CustomFields::Known(&custom)) {
        Ok(compiled) => compiled,
        Err(faults) => {
            let answer = Answer::plain(typed).with(Faults::of_text(faults));
            return answer.page(&api, &administrator, kind).await;
        }
    };
    let changes = Changes::between(&text_of(&now), &compiled, &custom);
    if typed.based_on != now.version {
        return review::conflict(&api, &administrator, &now, &typed, changes).await;
    }
    if !changes.is_empty() && !fields.is_set("confirmed") {
        return review::confirm(&api, &administrator, kind, &typed, changes).await;
    }
    let saved = save(&api, &administrator, kind, typed.draft(), now.version).await?;
    let Some(saved) = saved else {
        let now = current(&api, kind).await?;
        let changes = Changes::between(&text_of(&now), &compiled, &custom);
        return review::conflict(&api, &administrator, &now, &typed, changes).await;
    };
    Ok(say_saved(kind, &typed, saved.version))
}

fn say_saved(kind: SystemEmailKind, typed: &Typed, version: i32) -> Response {
    let message = format!("Saved as version {version}. Emails sent from now on use this text.");
    redirect_with_flash(&editor_address(kind, typed.way_back.as_deref()), &message)
}

/// Saves a text if the version it is based on is still the current one; otherwise returns `None`.
pub(super) async fn save(
    api: &Api,
    administrator: &Administrator,
    kind: SystemEmailKind,
    draft: Template,
    based_on: i32,
) -> Result<Option<Version>, Problem> {
    let (this, by) = (api.clone(), administrator.actor.clone());
    let saved = api
        .to_the_end(async move { save_version(&this, kind, &draft, Some(based_on), &by).await })
        .await;
    match saved {
        Ok(version) => Ok(Some(version)),
        Err(problem) if problem.status == StatusCode::CONFLICT.as_u16() => Ok(None),
        Err(problem) => Err(problem),
    }
}

//! The editor of a system email.

use super::super::fields::Fields;
use super::super::respond::{redirect, redirect_with_flash, redirect_with_note};
use super::super::session::Administrator;
use super::editor_address;
use super::form::{Answer, EditorState, Faults, inside};
use super::review::{self, Changes};
use crate::app::problem::{Problem, ProblemKind};
use crate::app::state::AppState;
use crate::app::system_emails::texts::read_language;
use crate::app::system_emails::{current, custom_fields, save_version};
use crate::http::query::{KindPath, Path, SearchForm, SearchQuery};
use axum::extract::State;
use axum::response::Response;
use import::single;
use serde::Deserialize;
use shared::language::{is_same, name_of};
use shared::store::system_emails::Version;
use shared::system_email::{CustomFields, SystemEmailKind, Template, Texts};

/// Query of the editor.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EditorQuery {
    /// Address to return to.
    #[serde(rename = "return")]
    back: Option<String>,
    /// The language of a translation; it may not exist yet.
    #[serde(default)]
    language: String,
}

impl SearchForm for EditorQuery {
    const MAY_BE_EMPTY: &'static [&'static str] = &["language"];
}

/// Shows the current text. A new translation begins with the default text.
pub(super) async fn show(
    State(api): State<AppState>,
    administrator: Administrator,
    Path(kind): KindPath,
    SearchQuery(way): SearchQuery<EditorQuery>,
) -> Result<Response, Problem> {
    let now = current(&api, kind).await?;
    let way_back = way.back.as_deref().and_then(inside);
    let translation = match single::language(&way.language) {
        Ok(language) if is_same(&language, &now.language) => String::new(),
        Ok(language) => language,
        Err(fault) => {
            let to = editor_address(kind, "", way_back.as_deref());
            return Ok(redirect_with_note(&to, &fault.message));
        }
    };
    let mut typed = EditorState {
        translation,
        based_on: now.version,
        way_back,
        ..EditorState::default()
    };
    let Template { subject, body } = typed.saved(&now);
    (typed.subject, typed.body, typed.language) = (subject, body, now.language);
    Answer::plain(typed).page(&api, &administrator, kind).await
}

/// Redirects to the editor when the address of one of its forms is opened directly.
pub(super) async fn again(Path(kind): KindPath) -> Response {
    redirect(&editor_address(kind, "", None))
}

/// Saves the typed text or shows why it was not saved.
pub(super) async fn submit(
    State(api): State<AppState>,
    administrator: Administrator,
    Path(kind): KindPath,
    fields: Fields,
) -> Result<Response, Problem> {
    let mut typed = EditorState::read(&fields);
    if fields.is_set("back") {
        return Answer::plain(typed).page(&api, &administrator, kind).await;
    }
    let now = current(&api, kind).await?;
    typed.translation = read_language("translation", &typed.translation)?;
    if fields.is_set("remove") {
        return remove(&api, &administrator, kind, typed).await;
    }
    match single::language(&typed.language) {
        Ok(language) => typed.language = language,
        Err(fault) => {
            let answer = Answer::plain(typed).with(Faults::of_language(fault.message));
            return answer.page(&api, &administrator, kind).await;
        }
    }
    if typed.applied(&now) == now.texts() {
        if now.version == typed.based_on + 1 && now.created_by == administrator.name {
            // The same form was submitted twice.
            return Ok(saved_response(kind, &typed, now.version));
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
    let changes = Changes::between(&typed.saved(&now), &compiled, &custom);
    if typed.based_on != now.version {
        return review::conflict(&api, &administrator, &now, &typed, changes).await;
    }
    if !changes.is_empty() && !fields.is_set("confirmed") {
        return review::confirm(&api, &administrator, kind, &typed, changes).await;
    }
    let next = typed.clone();
    let saved = save(&api, &administrator, kind, now.version, move |now| next.applied(now)).await?;
    let Some(saved) = saved else {
        let now = current(&api, kind).await?;
        let changes = Changes::between(&typed.saved(&now), &compiled, &custom);
        return review::conflict(&api, &administrator, &now, &typed, changes).await;
    };
    Ok(saved_response(kind, &typed, saved.version))
}

fn saved_response(kind: SystemEmailKind, typed: &EditorState, version: i32) -> Response {
    let message = format!("Saved as version {version}. Emails sent from now on use this text.");
    let to = editor_address(kind, &typed.translation, typed.way_back.as_deref());
    redirect_with_flash(&to, &message)
}

/// Removes a translation. Earlier versions keep it.
async fn remove(
    api: &AppState,
    administrator: &Administrator,
    kind: SystemEmailKind,
    typed: EditorState,
) -> Result<Response, Problem> {
    let language = typed.translation.clone();
    let next = move |now: &Version| {
        let mut texts = now.texts();
        texts.remove(&language);
        texts
    };
    if save(api, administrator, kind, typed.based_on, next).await?.is_none() {
        let note = "Another version was saved in the meantime. Nothing was removed.";
        return Answer::plain(typed)
            .with_note(note)
            .page(api, administrator, kind)
            .await;
    }
    let message = format!("{} was removed. Earlier versions keep it.", name_of(&typed.translation));
    let to = editor_address(kind, "", typed.way_back.as_deref());
    Ok(redirect_with_flash(&to, &message))
}

/// Saves texts if the version that they are based on is still the current one; otherwise returns `None`.
pub(super) async fn save(
    api: &AppState,
    administrator: &Administrator,
    kind: SystemEmailKind,
    based_on: i32,
    next: impl Fn(&Version) -> Texts + Send,
) -> Result<Option<Version>, Problem> {
    match save_version(api, kind, next, Some(based_on), &administrator.actor).await {
        Ok(version) => Ok(Some(version)),
        Err(problem) if problem.kind == ProblemKind::Conflict => Ok(None),
        Err(problem) => Err(problem),
    }
}

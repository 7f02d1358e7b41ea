//! Wording for one batch only: the editor between preview and check.

use super::load_selection::OpenSelection;
use crate::app::problem::Problem;
use crate::app::state::AppState;
use crate::app::system_emails::{current, custom_fields, normalised};
use crate::console::fields::Fields;
use crate::console::frame::{Frame, Section};
use crate::console::respond::{page_as, redirect, redirect_with_flash};
use crate::console::session::Administrator;
use crate::console::system_emails::{Comparison, FaultLine, Faults, FieldLine, rule};
use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use shared::store::selections;
use shared::store::system_emails::{self, Wording};
use shared::system_email::{CustomFields, Field, SystemEmailKind};
use uuid::Uuid;

/// The page.
#[derive(Template)]
#[template(path = "console/selection_wording.html")]
struct WordingPage {
    frame: Frame,
    id: Uuid,
    name: &'static str,
    typed: Wording,
    subject_faults: Vec<FaultLine>,
    body_faults: Vec<FaultLine>,
    fields: Vec<FieldLine>,
    rule: &'static str,
    /// Whether the shared text has translations, which the wording replaces.
    has_translations: bool,
    /// Whether the batch has its own wording.
    is_own: bool,
    /// What that wording changes.
    comparison: Comparison,
}

/// Shows the editor.
pub(in crate::console) async fn show(
    State(api): State<AppState>,
    administrator: Administrator,
    OpenSelection(selection, kind): OpenSelection,
) -> Result<Response, Problem> {
    let id = selection.id;
    let typed = match selection.wording.clone() {
        Some(wording) => wording,
        None => shared_text(&api, kind).await?,
    };
    let editor = Editor {
        id,
        kind,
        stored: selection.wording,
    };
    editor.page(&api, &administrator, typed, Faults::default()).await
}

/// Stores the typed wording, or returns to the shared text.
pub(in crate::console) async fn submit(
    State(api): State<AppState>,
    administrator: Administrator,
    OpenSelection(selection, kind): OpenSelection,
    fields: Fields,
) -> Result<Response, Problem> {
    let id = selection.id;
    let to = format!("/console/selections/{id}/preview");
    let now = shared_text(&api, kind).await?;
    let draft = normalised(fields.text("subject"), fields.text("body"));
    let is_shared = draft.subject == now.subject && draft.body == now.body;
    if is_shared || fields.text("do") == "shared" {
        selections::set_wording(&api.db, id, None).await?;
        return Ok(if selection.wording.is_some() {
            redirect_with_flash(&to, "This batch uses the shared text again.")
        } else {
            redirect(&to)
        });
    }
    let typed = Wording {
        language: now.language.clone(),
        based_on: base_of(&api, kind, &fields, &now).await?,
        subject: draft.subject.clone(),
        body: draft.body.clone(),
    };
    let custom = custom_fields(&api).await?;
    if let Err(faults) = draft.compile(kind, CustomFields::Known(&custom)) {
        let editor = Editor {
            id,
            kind,
            stored: selection.wording,
        };
        return editor.page(&api, &administrator, typed, Faults::of_text(faults)).await;
    }
    selections::set_wording(&api.db, id, Some(&typed)).await?;
    let message = "This batch has its own wording. The shared text did not change.";
    Ok(redirect_with_flash(&to, message))
}

/// The shared text, as wording that is based on it.
async fn shared_text(api: &AppState, kind: SystemEmailKind) -> Result<Wording, Problem> {
    let now = current(api, kind).await?;
    Ok(Wording {
        subject: now.subject,
        body: now.body,
        based_on: now.version,
        language: now.language,
    })
}

/// The version that the typed wording was written from. A form that names no existing one is based on the current one.
async fn base_of(api: &AppState, kind: SystemEmailKind, fields: &Fields, now: &Wording) -> Result<i32, Problem> {
    let given: i32 = fields.trimmed("based_on").parse().unwrap_or_default();
    let is_known = given > 0 && system_emails::find(&api.db, kind, given).await?.is_some();
    Ok(if is_known { given } else { now.based_on })
}

/// The editor of a selection.
struct Editor {
    id: Uuid,
    kind: SystemEmailKind,
    stored: Option<Wording>,
}

impl Editor {
    async fn page(
        self,
        api: &AppState,
        administrator: &Administrator,
        typed: Wording,
        faults: Faults,
    ) -> Result<Response, Problem> {
        let Self { id, kind, stored } = self;
        let comparison = Comparison::with_base(api, kind, stored.as_ref().unwrap_or(&typed)).await?;
        let custom = custom_fields(api).await?;
        let offered = Field::offered(kind, CustomFields::Known(&custom));
        let frame = administrator.frame(api, Section::Users, "Wording for this batch").await;
        let is_faulty = !faults.is_empty();
        let shown = WordingPage {
            frame: if is_faulty { frame.with_faults() } else { frame },
            id,
            name: kind.name(),
            typed,
            subject_faults: faults.subject,
            body_faults: faults.body,
            fields: offered.iter().map(FieldLine::from).collect(),
            rule: rule(kind),
            has_translations: !current(api, kind).await?.translations.is_empty(),
            is_own: stored.is_some(),
            comparison,
        };
        let status = if is_faulty {
            StatusCode::UNPROCESSABLE_ENTITY
        } else {
            StatusCode::OK
        };
        page_as(status, &shown)
    }
}

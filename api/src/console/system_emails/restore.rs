//! Restoring an earlier version or the original text.
//!
//! Restoring does not undo anything: the old text is saved as the newest version, like a typed one.

use super::super::fields::Fields;
use super::super::frame::{Frame, Section};
use super::super::respond::{page_as, redirect_with_flash};
use super::super::session::Administrator;
use super::difference::Comparison;
use super::editor::save;
use super::form::{Answer, EditorState, Faults};
use super::history::{ORIGINAL, VersionPath, get};
use super::review::Changes;
use super::{Letter, Saved, editor_address};
use crate::app::problem::Problem;
use crate::app::state::AppState;
use crate::app::system_emails::{current, custom_fields};
use askama::Template as Page;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use shared::store::system_emails::Version;
use shared::system_email::{CustomFields, Template, TemplateFault, Texts};

/// The confirmation page.
#[derive(Page)]
#[template(path = "console/system_email_restore.html")]
struct RestorePage {
    frame: Frame,
    letter: Letter,
    /// "version 3" or "the original text".
    what: String,
    /// Address that the form is submitted to.
    to: String,
    now: Saved,
    comparison: Comparison,
    changes: Changes,
    /// Whether another version was saved while the page was open.
    is_late: bool,
}

/// What is restored.
#[derive(Clone)]
struct OldVersion {
    path: VersionPath,
    /// The texts of the version; `None` for the original text, which leaves the translations as they are.
    texts: Option<Texts>,
}

impl OldVersion {
    async fn find(api: &AppState, path: VersionPath) -> Result<Self, Problem> {
        let texts = match path.version {
            Some(version) => Some(get(api, path.kind, version).await?.texts()),
            None => None,
        };
        Ok(Self { path, texts })
    }

    /// The texts after restoring.
    fn applied(&self, now: &Version) -> Texts {
        self.texts.clone().unwrap_or_else(|| {
            let mut texts = now.texts();
            texts.set_default("en", Template::shipped(self.path.kind), now.version);
            texts
        })
    }

    fn name(&self) -> String {
        self.path.version.map_or_else(
            || "the original text".to_owned(),
            |version| format!("version {version}"),
        )
    }

    fn address(&self) -> String {
        let version = self.path.version.map(|version| version.to_string());
        format!(
            "/console/system-emails/{}/restore/{}",
            self.path.kind.as_str(),
            version.as_deref().unwrap_or(ORIGINAL)
        )
    }
}

/// Asks for confirmation.
pub(super) async fn ask(
    State(api): State<AppState>,
    administrator: Administrator,
    path: VersionPath,
) -> Result<Response, Problem> {
    let old = OldVersion::find(&api, path).await?;
    let now = current(&api, path.kind).await?;
    confirm_page(&api, &administrator, &old, &now, false).await
}

/// Restores the text.
pub(super) async fn restore(
    State(api): State<AppState>,
    administrator: Administrator,
    path: VersionPath,
    fields: Fields,
) -> Result<Response, Problem> {
    let old = OldVersion::find(&api, path).await?;
    let based_on = fields.text("based_on").parse().unwrap_or_default();
    let now = current(&api, path.kind).await?;
    let saved = if compiles(&api, &old, &now).await? {
        let next = old.clone();
        save(&api, &administrator, path.kind, based_on, move |now| next.applied(now)).await?
    } else {
        None
    };
    let Some(saved) = saved else {
        let now = current(&api, path.kind).await?;
        return confirm_page(&api, &administrator, &old, &now, true).await;
    };
    let message = format!("Restored {}, saved as version {}.", old.name(), saved.version);
    Ok(redirect_with_flash(&editor_address(path.kind, "", None), &message))
}

async fn compiles(api: &AppState, old: &OldVersion, now: &Version) -> Result<bool, Problem> {
    let custom = custom_fields(api).await?;
    let texts = old.applied(now);
    Ok(texts.compile(old.path.kind, CustomFields::Known(&custom)).is_ok())
}

/// The first text with errors, for the editor.
fn faulty(texts: &Texts, based_on: i32, faults: Vec<(Option<String>, TemplateFault)>) -> Answer {
    let translation = faults
        .first()
        .and_then(|(language, _)| language.clone())
        .unwrap_or_default();
    let text = texts
        .translation(&translation)
        .map_or(&texts.default, |known| &known.text);
    let of_text = faults
        .into_iter()
        .filter(|(language, _)| language.as_deref().unwrap_or_default() == translation);
    let typed = EditorState {
        subject: text.subject.clone(),
        body: text.body.clone(),
        language: texts.language.clone(),
        based_on,
        ..EditorState::default()
    };
    let faults = Faults::of_text(of_text.map(|(_, fault)| fault).collect());
    Answer::plain(EditorState { translation, ..typed }).with(faults)
}

/// Shows what would change and asks for confirmation. A text that can no longer be sent opens in the editor, with its
/// errors.
async fn confirm_page(
    api: &AppState,
    administrator: &Administrator,
    old: &OldVersion,
    now: &Version,
    is_late: bool,
) -> Result<Response, Problem> {
    let custom = custom_fields(api).await?;
    let (before, texts) = (now.texts(), old.applied(now));
    let compiled = match texts.compile(old.path.kind, CustomFields::Known(&custom)) {
        Ok(compiled) => compiled.default,
        Err(faults) => {
            let answer = faulty(&texts, now.version, faults);
            return answer.page(api, administrator, old.path.kind).await;
        }
    };
    let title = format!("Restore {}?", old.name());
    let mut frame = administrator.frame(api, Section::Manage, title).await;
    let mut status = StatusCode::OK;
    if is_late {
        (frame, status) = (frame.with_faults(), StatusCode::CONFLICT);
    }
    page_as(
        status,
        &RestorePage {
            frame,
            letter: old.path.kind.into(),
            what: old.name(),
            to: old.address(),
            now: Saved::from(now),
            comparison: Comparison::of_versions(&before, &texts),
            changes: Changes::between(&before.default, &compiled, &custom),
            is_late,
        },
    )
}

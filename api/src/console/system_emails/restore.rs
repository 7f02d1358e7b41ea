//! Restoring an earlier version or the original text.
//!
//! Restoring does not undo anything: the old text is saved as the newest version, like a typed one.

use super::super::fields::Fields;
use super::super::frame::{Frame, Place};
use super::super::respond::{page_as, redirect_with_flash};
use super::super::session::Administrator;
use super::difference::Comparison;
use super::editor::save;
use super::form::{Answer, Faults, Typed};
use super::history::{ORIGINAL, VersionPath, get};
use super::review::Changes;
use super::{Letter, Saved, editor_address, text_of};
use crate::problem::Problem;
use crate::state::Api;
use crate::system_emails::{current, custom_fields};
use askama::Template as Page;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use shared::store::system_emails::Version;
use shared::system_email::{CustomFields, Template};

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

/// The text to restore.
struct Old {
    path: VersionPath,
    text: Template,
}

impl Old {
    async fn find(api: &Api, path: VersionPath) -> Result<Self, Problem> {
        let text = match path.version {
            Some(version) => text_of(&get(api, path.kind, version).await?),
            None => Template::shipped(path.kind),
        };
        Ok(Self { path, text })
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
    State(api): State<Api>,
    administrator: Administrator,
    path: VersionPath,
) -> Result<Response, Problem> {
    let old = Old::find(&api, path).await?;
    let now = current(&api, path.kind).await?;
    question(&api, &administrator, &old, &now, false).await
}

/// Restores the text.
pub(super) async fn restore(
    State(api): State<Api>,
    administrator: Administrator,
    path: VersionPath,
    fields: Fields,
) -> Result<Response, Problem> {
    let old = Old::find(&api, path).await?;
    let based_on = fields.text("based_on").parse().unwrap_or_default();
    let saved = if compiles(&api, &old).await? {
        save(&api, &administrator, path.kind, old.text.clone(), based_on).await?
    } else {
        None
    };
    let Some(saved) = saved else {
        let now = current(&api, path.kind).await?;
        return question(&api, &administrator, &old, &now, true).await;
    };
    let message = format!("Restored {}, saved as version {}.", old.name(), saved.version);
    Ok(redirect_with_flash(&editor_address(path.kind, None), &message))
}

async fn compiles(api: &Api, old: &Old) -> Result<bool, Problem> {
    let custom = custom_fields(api).await?;
    Ok(old.text.compile(old.path.kind, CustomFields::Known(&custom)).is_ok())
}

/// Shows what would change and asks for confirmation. A text that can no longer be sent opens in the editor, with its
/// errors.
async fn question(
    api: &Api,
    administrator: &Administrator,
    old: &Old,
    now: &Version,
    is_late: bool,
) -> Result<Response, Problem> {
    let custom = custom_fields(api).await?;
    let compiled = match old.text.compile(old.path.kind, CustomFields::Known(&custom)) {
        Ok(compiled) => compiled,
        Err(faults) => {
            let typed = Typed {
                subject: old.text.subject.clone(),
                body: old.text.body.clone(),
                based_on: now.version,
                ..Typed::default()
            };
            let answer = Answer::plain(typed).with(Faults::of_text(faults));
            return answer.page(api, administrator, old.path.kind).await;
        }
    };
    let title = format!("Restore {}?", old.name());
    let mut frame = administrator.frame(api, Place::Manage, title).await;
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
            comparison: Comparison::between(&text_of(now), &old.text),
            changes: Changes::between(&text_of(now), &compiled, &custom),
            is_late,
        },
    )
}

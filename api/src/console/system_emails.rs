//! Manage > System Emails: listing, editing and restoring the texts that users receive.
//!
//! No typed text is lost: every response (an error, a conflict, removed fields, an expired session) carries it along.
//! No saved text is lost either: each Submit creates a version, and restoring an old one creates another.
//!
//! | file | page |
//! |---|---|
//! | here | the list |
//! | `editor.rs` | the editor and its Submit |
//! | `form.rs` | the editor's form and its validation errors |
//! | `review.rs` | confirmation before saving: fields added or removed, a change by another administrator |
//! | `preview.rs` | the rendered email, in the editor's frame |
//! | `trial.rs` | sending a test |
//! | `history.rs` | listing, viewing and comparing versions |
//! | `restore.rs` | restoring a version or the original |
//! | `languages.rs` | the languages of a system email |
//! | `difference.rs` | the differences between two texts |

mod difference;
mod editor;
mod form;
mod history;
mod languages;
mod preview;
mod restore;
mod review;
mod trial;

use super::format::{Moment, author, moment};
use super::frame::{Frame, Section};
use super::respond::page;
use super::session::Administrator;
use crate::app::problem::Problem;
use crate::app::state::AppState;
use crate::app::system_emails::current;
use askama::Template as Page;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};
pub(super) use difference::Comparison;
pub(super) use form::{FaultLine, Faults};
use shared::store::system_emails::Version;
use shared::system_email::{Field, SystemEmailKind, Template};
use url::form_urlencoded;

/// Routes of the pages about system emails.
pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/console/system-emails", get(list))
        .route("/console/system-emails/{key}", get(editor::show).post(editor::submit))
        .route(
            "/console/system-emails/{key}/preview",
            get(preview::saved).post(preview::typed),
        )
        .route(
            "/console/system-emails/{key}/test",
            post(trial::send).get(editor::again),
        )
        .route("/console/system-emails/{key}/history", get(history::list))
        .route("/console/system-emails/{key}/history/{version}", get(history::show))
        .route("/console/system-emails/{key}/compare", get(history::compare))
        .route(
            "/console/system-emails/{key}/restore/{version}",
            get(restore::ask).post(restore::restore),
        )
}

#[derive(Page)]
#[template(path = "console/system_emails.html")]
struct ListPage {
    frame: Frame,
    letters: Vec<Line>,
}

/// A system email in the list.
struct Line {
    letter: Letter,
    used_for: &'static str,
    subject: String,
    saved: Saved,
    is_changed: bool,
    /// The translations in one sentence.
    languages: String,
}

/// The system email that a page is about.
#[derive(Clone, Copy, Debug)]
struct Letter {
    key: &'static str,
    name: &'static str,
}

impl From<SystemEmailKind> for Letter {
    fn from(kind: SystemEmailKind) -> Self {
        Self {
            key: kind.as_str(),
            name: kind.name(),
        }
    }
}

/// Author and time of a version.
#[derive(Clone, Debug)]
struct Saved {
    version: i32,
    by: String,
    at: Moment,
}

impl From<&Version> for Saved {
    fn from(version: &Version) -> Self {
        Self {
            version: version.version,
            by: author(&version.created_by),
            at: moment(version.created_at),
        }
    }
}

/// A merge field as shown on pages.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct FieldLine {
    /// With its braces, ready to copy.
    pub(super) code: String,
    pub(super) meaning: &'static str,
    /// Whether some users have no value for it.
    is_sometimes_empty: bool,
}

impl From<&Field> for FieldLine {
    fn from(field: &Field) -> Self {
        Self {
            code: format!("{{{{ {} }}}}", field.name()),
            meaning: field.meaning(),
            is_sometimes_empty: matches!(
                field,
                Field::FirstName | Field::LastName | Field::FullName | Field::Language | Field::Custom(_)
            ),
        }
    }
}

/// Lists the system emails.
async fn list(State(api): State<AppState>, administrator: Administrator) -> Result<Response, Problem> {
    let mut letters = Vec::with_capacity(SystemEmailKind::ALL.len());
    for kind in SystemEmailKind::ALL {
        let now = current(&api, kind).await?;
        let texts = now.texts();
        letters.push(Line {
            letter: kind.into(),
            used_for: used_for(kind),
            saved: Saved::from(&now),
            is_changed: texts.default != Template::shipped(kind),
            languages: languages::summary(&texts),
            subject: now.subject,
        });
    }
    page(&ListPage {
        frame: administrator.frame(&api, Section::Manage, "System Emails").await,
        letters,
    })
}

fn used_for(kind: SystemEmailKind) -> &'static str {
    match kind {
        SystemEmailKind::Invite => "Invites people to join. It contains no password.",
        SystemEmailKind::PasswordReset => "Sends each person a new password and the sign-in details.",
    }
}

/// Rule about the fields that the system email must or must not contain.
pub(super) fn rule(kind: SystemEmailKind) -> &'static str {
    match kind {
        SystemEmailKind::Invite => {
            "Invites contain no password. Only the Reset Password email can use the password fields."
        }
        SystemEmailKind::PasswordReset => {
            "The body must contain {{ password }}, preferably on its own line. The subject must not, because other people may see it."
        }
    }
}

/// Address of the editor of a translation or, without a language, of the default text, with an optional link back to
/// the page before it.
fn editor_address(kind: SystemEmailKind, language: &str, way_back: Option<&str>) -> String {
    let path = format!("/console/system-emails/{}", kind.as_str());
    let mut query = form_urlencoded::Serializer::new(String::new());
    if !language.is_empty() {
        query.append_pair("language", language);
    }
    if let Some(to) = way_back {
        query.append_pair("return", to);
    }
    match query.finish() {
        query if query.is_empty() => path,
        query => format!("{path}?{query}"),
    }
}

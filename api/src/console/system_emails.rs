//! Manage > System Emails: the letters people get, changed without fear.
//!
//! Nothing typed is ever lost: whatever an answer has to say (a fault, a conflict, fields that are
//! gone, a session that ended), it carries the text along. Nothing saved is ever lost either: each
//! Submit makes a version, and going back to an old one makes another.
//!
//! | file | page |
//! |---|---|
//! | here | the list |
//! | `editor.rs` | the editor and its Submit |
//! | `form.rs` | what is typed in it, and what is wrong with that |
//! | `review.rs` | what is asked before saving: fields that come or go, somebody else's change |
//! | `preview.rs` | the mail as somebody would see it, in the editor's frame |
//! | `trial.rs` | a test to oneself |
//! | `history.rs` | the versions: seen, and compared |
//! | `restore.rs` | going back to one, or to the original |
//! | `difference.rs` | what differs between two texts |

mod difference;
mod editor;
mod form;
mod history;
mod preview;
mod restore;
mod review;
mod trial;

use super::frame::{Frame, Place};
use super::respond::page;
use super::session::Administrator;
use super::words::{Moment, asker, moment};
use crate::problem::Problem;
use crate::state::Api;
use crate::system_emails::current;
use askama::Template as Page;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};
use shared::store::system_emails::Version;
use shared::system_email::{Field, SystemEmailKind, Template};
use url::form_urlencoded;

/// All pages about the system emails.
pub(super) fn routes() -> Router<Api> {
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

/// The list.
#[derive(Page)]
#[template(path = "console/system_emails.html")]
struct ListPage {
    frame: Frame,
    letters: Vec<Line>,
}

/// One system email in the list.
struct Line {
    letter: Letter,
    used_for: &'static str,
    subject: String,
    saved: Saved,
    is_changed: bool,
}

/// Which system email a page is about.
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

/// Who saved a version, and when.
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
            by: asker(&version.created_by),
            at: moment(version.created_at),
        }
    }
}

/// A merge field as the pages show it.
#[derive(Clone, Debug, Eq, PartialEq)]
struct FieldLine {
    /// With its braces, to be copied.
    code: String,
    meaning: &'static str,
    /// Whether there are people who have no value for it.
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

/// Lists them.
async fn list(State(api): State<Api>, administrator: Administrator) -> Result<Response, Problem> {
    let mut letters = Vec::with_capacity(SystemEmailKind::ALL.len());
    for kind in SystemEmailKind::ALL {
        let now = current(&api, kind).await?;
        letters.push(Line {
            letter: kind.into(),
            used_for: used_for(kind),
            saved: Saved::from(&now),
            is_changed: text_of(&now) != Template::shipped(kind),
            subject: now.subject,
        });
    }
    page(&ListPage {
        frame: administrator.frame(&api, Place::Manage, "System Emails").await,
        letters,
    })
}

fn used_for(kind: SystemEmailKind) -> &'static str {
    match kind {
        SystemEmailKind::Invite => "Asks people to come. There is no password in it.",
        SystemEmailKind::PasswordReset => "Takes a password made for each person to them, with how to sign in.",
    }
}

/// What the letter must and must not have.
fn rule(kind: SystemEmailKind) -> &'static str {
    match kind {
        SystemEmailKind::Invite => {
            "An invite has no password: the fields for it belong to the Reset Password email alone."
        }
        SystemEmailKind::PasswordReset => {
            "The body must have {{ password }}, on a line of its own if you can. The subject must not: others can see it."
        }
    }
}

fn text_of(version: &Version) -> Template {
    Template {
        subject: version.subject.clone(),
        body: version.body.clone(),
    }
}

/// The address of an editor that offers the way back to where somebody came from.
fn editor_address(kind: SystemEmailKind, way_back: Option<&str>) -> String {
    let path = format!("/console/system-emails/{}", kind.as_str());
    let Some(to) = way_back else { return path };
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("return", to)
        .finish();
    format!("{path}?{query}")
}

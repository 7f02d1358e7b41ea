//! The mail as somebody would see it, in the editor's frame.
//!
//! The frame is sandboxed and the document has a policy of its own: a letter may have the styles
//! of a mail, and nothing in it can run, load, or reach the page around it. The form of the editor
//! is sent into the frame by a button, so it works without a script; the script presses the button
//! when somebody stops typing. What is wrong with a text is a page in the frame with status 200:
//! somebody who is in the middle of a word has made no mistake.

use super::super::assets;
use super::super::fields::Fields;
use super::super::letter::framed;
use super::form::{FaultLine, Faults, Typed};
use super::text_of;
use crate::problem::Problem;
use crate::query::{Path, Query, shown};
use crate::state::Api;
use crate::system_emails::{KindPath, PreviewView, current, custom_fields, preview_of};
use askama::Template as Page;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use shared::address::EmailAddress;
use shared::letter::EXAMPLE;
use shared::store::system_emails;
use shared::store::users::{self, User};
use shared::system_email::{Compiled, CustomFields, SystemEmailKind};
use shared::user_filter::UserFilter;

/// The document in the frame.
#[derive(Page)]
#[template(path = "console/system_email_preview.html")]
struct PreviewDocument {
    sheet: &'static str,
    content: Content,
}

/// What it shows.
enum Content {
    /// The mail.
    Mail {
        mail: Box<PreviewView>,
        is_text: bool,
        notes: Vec<String>,
    },
    /// Why there is none.
    Faults(Vec<FaultLine>),
    /// How to see one.
    Later,
}

/// Which saved text to show.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wish {
    /// A version other than the one in use.
    version: Option<i32>,
    /// Whether there is something else in the editor, which only its form can bring.
    typed: Option<bool>,
}

/// Shows a saved text.
pub(super) async fn saved(
    State(api): State<Api>,
    Path(kind): KindPath,
    Query(wish): Query<Wish>,
) -> Result<Response, Problem> {
    if wish.typed == Some(true) {
        return document(Content::Later);
    }
    let version = match wish.version {
        Some(version) => system_emails::find(&api.db, kind, version)
            .await?
            .ok_or_else(|| Problem::not_found("version"))?,
        None => current(&api, kind).await?,
    };
    // As the worker does: a column that has gone since is an empty value.
    match text_of(&version).compile(kind, CustomFields::Any) {
        Ok(compiled) => mail(&api, &compiled, "", false).await,
        Err(faults) => document(Content::Faults(Faults::of_text(faults).lines())),
    }
}

/// Shows what is typed.
pub(super) async fn typed(State(api): State<Api>, Path(kind): KindPath, fields: Fields) -> Result<Response, Problem> {
    let typed = Typed::read(&fields);
    let custom = custom_fields(&api).await?;
    match typed.draft().compile(kind, CustomFields::Known(&custom)) {
        Ok(compiled) => mail(&api, &compiled, &typed.person, fields.text("part") == "text").await,
        Err(faults) => document(Content::Faults(Faults::of_text(faults).lines())),
    }
}

async fn mail(api: &Api, compiled: &Compiled, person: &str, is_text: bool) -> Result<Response, Problem> {
    let found = whose(api, person).await?;
    let mail = preview_of(api, compiled, found.as_ref()).await?;
    let mut notes = Vec::new();
    if found.is_none() {
        let (first_name, last_name) = EXAMPLE;
        notes.push(if person.is_empty() {
            format!("There are no users yet: {first_name} {last_name} is made up.")
        } else {
            format!(
                "No user matches ‘{}’: {first_name} {last_name} is made up.",
                shown(person)
            )
        });
    }
    if !mail.missing.is_empty() {
        let names: Vec<String> = mail.missing.iter().map(|name| format!("{{{{ {name} }}}}")).collect();
        notes.push(format!(
            "Left empty, as there is no value for it: {}.",
            names.join(", ")
        ));
    }
    if compiled.kind() == SystemEmailKind::PasswordReset {
        notes.push("The password is made when the email is sent. Nobody, including us, can see it here.".to_owned());
    }
    document(Content::Mail {
        mail: Box::new(mail),
        is_text,
        notes,
    })
}

/// The user whose address this is, else the first that a search for it finds; the first of all
/// when nothing is asked for.
async fn whose(api: &Api, person: &str) -> Result<Option<User>, Problem> {
    if let Ok(address) = EmailAddress::parse(person)
        && let Some(user) = users::find_by_key(&api.db, &address.key()).await?
    {
        return Ok(Some(user));
    }
    let filter = UserFilter {
        q: (!person.is_empty()).then(|| person.to_owned()),
        ..UserFilter::default()
    };
    Ok(users::list(&api.db, &filter, None, 1).await?.into_iter().next())
}

fn document(content: Content) -> Result<Response, Problem> {
    let [sheet, ..] = assets::names();
    framed(&PreviewDocument { sheet, content })
}

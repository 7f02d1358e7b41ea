//! The preview of an email, in the editor's frame.
//!
//! The frame is sandboxed and the document has its own content security policy: an email may have inline styles, but
//! nothing in it can run, load, or affect the page around it. A button submits the editor's form into the frame, so it
//! works without JavaScript; the script clicks the button when the administrator stops typing. Errors in the text are
//! shown in the frame with status 200, because an administrator in the middle of a word has made no mistake.

use super::super::assets;
use super::super::fields::Fields;
use super::super::letter::framed;
use super::form::{EditorState, FaultLine, Faults};
use crate::app::problem::Problem;
use crate::app::state::AppState;
use crate::app::system_emails::preview::{PreviewView, preview_of};
use crate::app::system_emails::{current, custom_fields};
use crate::app::validation::shown;
use crate::http::query::{KindPath, Path, Query};
use askama::Template as Page;
use axum::extract::State;
use axum::response::Response;
use import::single;
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

enum Content {
    /// The rendered email.
    Mail {
        mail: Box<PreviewView>,
        is_text: bool,
        notes: Vec<String>,
    },
    /// Errors in the text.
    Faults(Vec<FaultLine>),
    /// A hint to click the preview button.
    Later,
}

/// The saved text to show.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PreviewQuery {
    /// A version other than the current one.
    version: Option<i32>,
    /// The language of a translation.
    #[serde(default)]
    language: String,
    /// Whether the editor contains unsaved text, which only its form can submit.
    typed: Option<bool>,
}

/// Shows a saved text.
pub(super) async fn saved(
    State(api): State<AppState>,
    Path(kind): KindPath,
    Query(query): Query<PreviewQuery>,
) -> Result<Response, Problem> {
    if query.typed == Some(true) {
        return document(Content::Later);
    }
    let version = match query.version {
        Some(version) => system_emails::find(&api.db, kind, version)
            .await?
            .ok_or_else(|| Problem::not_found("version"))?,
        None => current(&api, kind).await?,
    };
    // As in the worker, a merge field that no longer exists is empty.
    let texts = version.texts().by_language();
    let language = if query.language.is_empty() {
        &texts.language
    } else {
        &query.language
    };
    let (language, text) = texts.find(language).ok_or_else(|| Problem::not_found("language"))?;
    match text.compile(kind, CustomFields::Any) {
        Ok(compiled) => mail(&api, &compiled.in_language(language), "", false).await,
        Err(faults) => document(Content::Faults(Faults::of_text(faults).lines())),
    }
}

/// Shows the text in the editor.
pub(super) async fn typed(
    State(api): State<AppState>,
    Path(kind): KindPath,
    fields: Fields,
) -> Result<Response, Problem> {
    let typed = EditorState::read(&fields);
    let custom = custom_fields(&api).await?;
    match typed.draft().compile(kind, CustomFields::Known(&custom)) {
        Ok(compiled) => {
            // An invalid language is reported when the text is submitted.
            let language = single::language(typed.text_language()).unwrap_or_default();
            let is_text = fields.text("part") == "text";
            mail(&api, &compiled.in_language(&language), &typed.person, is_text).await
        }
        Err(faults) => document(Content::Faults(Faults::of_text(faults).lines())),
    }
}

async fn mail(api: &AppState, compiled: &Compiled, person: &str, is_text: bool) -> Result<Response, Problem> {
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
        notes.push(format!("Left empty because there is no value: {}.", names.join(", ")));
    }
    if compiled.kind() == SystemEmailKind::PasswordReset {
        notes.push("The password is created when the email is sent, so it cannot be shown here.".to_owned());
    }
    document(Content::Mail {
        mail: Box::new(mail),
        is_text,
        notes,
    })
}

/// The user with this address, otherwise the first match of a search. Without a search text, the first of all users.
async fn whose(api: &AppState, person: &str) -> Result<Option<User>, Problem> {
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

//! Step 2: preview the exact email for each selected person.

use super::choice::Choice;
use super::exclude;
use super::load_selection::{self, Loaded, OpenSelection};
use crate::app::idempotent::{IdempotencyKey, IdempotentRequest};
use crate::app::intake::missing;
use crate::app::problem::Problem;
use crate::app::state::AppState;
use crate::app::system_emails::preview::{PreviewView, preview_of};
use crate::app::system_emails::texts::read_language;
use crate::app::system_emails::trial::{Trial, send_test};
use crate::app::wording::compiled;
use crate::console::fields::Fields;
use crate::console::format::{counted, some};
use crate::console::frame::{Frame, Section};
use crate::console::letter;
use crate::console::respond::{page, redirect_with_flash, redirect_with_note};
use crate::console::session::Administrator;
use crate::http::query::{Path, Query, SearchForm, SearchQuery};
use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use shared::address::EmailAddress;
use shared::language::{ByLanguage, name_of};
use shared::store::missing::ChosenUsers;
use shared::store::selections::{self, Selection};
use shared::system_email::{Compiled, SystemEmailKind};
use shared::trace::TraceContext;
use uuid::Uuid;

/// The preview page.
#[derive(Template)]
#[template(path = "console/preview.html")]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
struct PreviewPage {
    frame: Frame,
    id: Uuid,
    key: &'static str,
    name: &'static str,
    /// The person shown, and their position in the selection.
    person: String,
    place: i32,
    of: String,
    previous: Option<i32>,
    next: Option<i32>,
    find: String,
    is_found: bool,
    is_text: bool,
    mail: PreviewView,
    is_password_mail: bool,
    /// Fields without a value, and how many people lack one.
    gaps: Vec<(String, String)>,
    own_address: String,
    /// Whether the email has translations, and the name of the language shown.
    has_languages: bool,
    language: String,
    /// Whether the batch has its own wording.
    own_wording: bool,
    token: Uuid,
}

/// Query of the page.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::console) struct PreviewedUser {
    /// Position in the selection.
    n: Option<i32>,
    /// Part of a name or address to find instead.
    find: Option<String>,
    /// `text` for the plain text part.
    part: Option<String>,
}

impl SearchForm for PreviewedUser {
    const MAY_BE_EMPTY: &'static [&'static str] = &["find"];
}

/// Shows the email for one person.
pub(in crate::console) async fn show(
    State(api): State<AppState>,
    administrator: Administrator,
    OpenSelection(selection, kind): OpenSelection,
    SearchQuery(whose): SearchQuery<PreviewedUser>,
) -> Result<Response, Problem> {
    let id = selection.id;
    let total = load_selection::store_ids(&api, &selection).await?;
    if total == 0 {
        return Ok(redirect_with_note(
            &format!("/console/selections/{id}"),
            "No users are selected. Select at least one user.",
        ));
    }
    let found = found(&api, id, &whose).await?;
    let place = found.or(whose.n).unwrap_or(1).clamp(1, total);
    let compiled = compiled(&api, kind, selection.wording.as_ref()).await?;
    let (mail, person) = mail_of(&api, &compiled, id, place).await?;
    let has_languages = !compiled.others.is_empty();
    let title = format!("Preview: {}", kind.name());
    page(&PreviewPage {
        frame: administrator.frame(&api, Section::Users, title).await,
        id,
        key: kind.as_str(),
        name: kind.name(),
        person,
        place,
        of: counted(total),
        previous: (place > 1).then(|| place - 1),
        next: (place < total).then(|| place + 1),
        is_found: whose.find.is_none() || found.is_some(),
        find: whose.find.unwrap_or_default(),
        is_text: whose.part.as_deref() == Some("text"),
        has_languages,
        language: if mail.language.is_empty() {
            "Default text".to_owned()
        } else {
            name_of(&mail.language)
        },
        mail,
        is_password_mail: kind == SystemEmailKind::PasswordReset,
        gaps: gaps(&api, &selection, kind, total == 1).await?,
        own_wording: selection.wording.is_some(),
        own_address: administrator.email.clone(),
        token: Uuid::new_v4(),
    })
}

async fn found(api: &AppState, id: Uuid, whose: &PreviewedUser) -> Result<Option<i32>, Problem> {
    let Some(find) = &whose.find else { return Ok(None) };
    Ok(selections::place_of(&api.db, id, find).await?)
}

async fn mail_of(
    api: &AppState,
    compiled: &ByLanguage<Compiled>,
    id: Uuid,
    place: i32,
) -> Result<(PreviewView, String), Problem> {
    let gone = || Problem::not_found("user any more. Go to the next one");
    let user = selections::at(&api.db, id, place).await?.ok_or_else(gone)?;
    let user = crate::app::users::get(api, user).await?;
    let (_, compiled) = compiled.pick(&user.language);
    Ok((preview_of(api, compiled, Some(&user)).await?, user.called()))
}

/// Fields of the email without a value, and how many people lack one.
async fn gaps(
    api: &AppState,
    selection: &Selection,
    kind: SystemEmailKind,
    is_one: bool,
) -> Result<Vec<(String, String)>, Problem> {
    let excluded = exclude::users(api, selection).await?;
    let chosen = ChosenUsers {
        selection: selection.id,
        kind,
        including: Choice::default().resolved(is_one),
        excluded: &excluded,
    };
    let missing = missing::of_choice(api, chosen, selection.wording.as_ref()).await?;
    let bare = missing.into_iter().filter(|value| value.default.is_none());
    Ok(bare
        .map(|value| (value.field, some(value.people, "person has", "people have")))
        .collect())
}

/// The HTML part alone, for the frame on the page.
pub(in crate::console) async fn html(
    State(api): State<AppState>,
    administrator: Administrator,
    Path(id): Path<Uuid>,
    Query(whose): Query<PreviewedUser>,
) -> Result<Response, Problem> {
    let Loaded::Open(selection, kind) = load_selection::load_selection(&api, &administrator, id).await? else {
        return Err(Problem::not_found("email to preview: it was already sent"));
    };
    let total = load_selection::store_ids(&api, &selection).await?;
    let compiled = compiled(&api, kind, selection.wording.as_ref()).await?;
    let place = whose.n.unwrap_or(1).clamp(1, total.max(1));
    let (mail, _) = mail_of(&api, &compiled, id, place).await?;
    Ok(letter::document(mail.html))
}

/// Sends a test to the administrator.
pub(in crate::console) async fn test(
    State(api): State<AppState>,
    administrator: Administrator,
    Extension(trace): Extension<TraceContext>,
    OpenSelection(selection, kind): OpenSelection,
    fields: Fields,
) -> Result<Response, Problem> {
    let id = selection.id;
    let address = EmailAddress::parse(&administrator.email).map_err(|_| Problem::internal())?;
    let caller = administrator.caller();
    let once = IdempotentRequest::new(
        &caller,
        &format!("test {}", kind.as_str()),
        IdempotencyKey::of(fields.text("token")),
        Vec::new(),
    );
    let trial = Trial {
        kind,
        wording: selection.wording,
        address,
        language: read_language("language", fields.trimmed("language"))?,
    };
    send_test(&api, once, trial, &caller, trace).await?;
    let place: i32 = fields.trimmed("n").parse().unwrap_or(1);
    Ok(redirect_with_flash(
        &format!("/console/selections/{id}/preview?n={place}"),
        &format!(
            "A test is on its way to {}. It contains no working password and does not affect any user.",
            administrator.email
        ),
    ))
}

//! Step 2: preview the exact email for each selected person.

use super::check::Choice;
use super::own::{self, Own};
use crate::console::fields::Fields;
use crate::console::frame::{Frame, Place};
use crate::console::letter;
use crate::console::respond::{page, redirect_with_flash, redirect_with_note};
use crate::console::session::Administrator;
use crate::console::words::{counted, some};
use crate::idempotent::{IdempotencyKey, Once};
use crate::intake::missing;
use crate::problem::Problem;
use crate::query::{Path, Query, SearchForm, SearchQuery};
use crate::state::Api;
use crate::system_emails::{PreviewView, in_use, preview_of, send_test};
use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use shared::address::EmailAddress;
use shared::store::missing::ChosenUsers;
use shared::store::selections;
use shared::system_email::{Compiled, SystemEmailKind};
use shared::trace::TraceContext;
use uuid::Uuid;

/// The preview page.
#[derive(Template)]
#[template(path = "console/preview.html")]
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
    token: Uuid,
}

/// Query of the page.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::console) struct Whose {
    /// Position in the selection.
    n: Option<i32>,
    /// Part of a name or address to find instead.
    find: Option<String>,
    /// `text` for the plain text part.
    part: Option<String>,
}

impl SearchForm for Whose {
    const MAY_BE_EMPTY: &'static [&'static str] = &["find"];
}

/// Shows the email for one person.
pub(in crate::console) async fn show(
    State(api): State<Api>,
    administrator: Administrator,
    Path(id): Path<Uuid>,
    SearchQuery(whose): SearchQuery<Whose>,
) -> Result<Response, Problem> {
    let (selection, kind) = match own::find(&api, &administrator, id).await? {
        Own::Open(selection, kind) => (selection, kind),
        Own::Sent(response) => return Ok(response),
    };
    let total = own::write_down(&api, &selection).await?;
    if total == 0 {
        return Ok(redirect_with_note(
            &format!("/console/selections/{id}"),
            "No users are selected. Select at least one user.",
        ));
    }
    let found = found(&api, id, &whose).await?;
    let place = found.or(whose.n).unwrap_or(1).clamp(1, total);
    let compiled = in_use(&api, kind).await?;
    let (mail, person) = mail_of(&api, &compiled, id, place).await?;
    let title = format!("Preview: {}", kind.name());
    page(&PreviewPage {
        frame: administrator.frame(&api, Place::Users, title).await,
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
        mail,
        is_password_mail: kind == SystemEmailKind::PasswordReset,
        gaps: gaps(&api, id, kind, total == 1).await?,
        own_address: administrator.email.clone(),
        token: Uuid::new_v4(),
    })
}

async fn found(api: &Api, id: Uuid, whose: &Whose) -> Result<Option<i32>, Problem> {
    let Some(find) = &whose.find else { return Ok(None) };
    Ok(selections::place_of(&api.db, id, find).await?)
}

async fn mail_of(api: &Api, compiled: &Compiled, id: Uuid, place: i32) -> Result<(PreviewView, String), Problem> {
    let gone = || Problem::not_found("user any more. Go to the next one");
    let user = selections::at(&api.db, id, place).await?.ok_or_else(gone)?;
    let user = crate::users::get(api, user).await?;
    Ok((preview_of(api, compiled, Some(&user)).await?, user.called()))
}

/// Fields of the email without a value, and how many people lack one.
async fn gaps(
    api: &Api,
    selection: Uuid,
    kind: SystemEmailKind,
    is_one: bool,
) -> Result<Vec<(String, String)>, Problem> {
    let chosen = ChosenUsers {
        selection,
        kind,
        including: Choice::default().resolved(is_one),
    };
    let missing = missing::of_choice(api, chosen).await?;
    let bare = missing.into_iter().filter(|value| value.default.is_none());
    Ok(bare
        .map(|value| (value.field, some(value.people, "person has", "people have")))
        .collect())
}

/// The HTML part alone, for the frame on the page.
pub(in crate::console) async fn html(
    State(api): State<Api>,
    administrator: Administrator,
    Path(id): Path<Uuid>,
    Query(whose): Query<Whose>,
) -> Result<Response, Problem> {
    let Own::Open(selection, kind) = own::find(&api, &administrator, id).await? else {
        return Err(Problem::not_found("email to preview: it was already sent"));
    };
    let total = own::write_down(&api, &selection).await?;
    let compiled = in_use(&api, kind).await?;
    let place = whose.n.unwrap_or(1).clamp(1, total.max(1));
    let (mail, _) = mail_of(&api, &compiled, id, place).await?;
    Ok(letter::document(mail.html))
}

/// Sends a test to the administrator.
pub(in crate::console) async fn test(
    State(api): State<Api>,
    administrator: Administrator,
    Extension(trace): Extension<TraceContext>,
    Path(id): Path<Uuid>,
    fields: Fields,
) -> Result<Response, Problem> {
    let kind = match own::find(&api, &administrator, id).await? {
        Own::Open(_, kind) => kind,
        Own::Sent(response) => return Ok(response),
    };
    let address = EmailAddress::parse(&administrator.email).map_err(|_| Problem::internal())?;
    let caller = administrator.caller();
    let once = Once::new(
        &caller,
        &format!("test {}", kind.as_str()),
        IdempotencyKey::of(fields.text("token")),
        Vec::new(),
    );
    send_test(&api, once, kind, address, &caller, trace).await?;
    let place: i32 = fields.trimmed("n").parse().unwrap_or(1);
    Ok(redirect_with_flash(
        &format!("/console/selections/{id}/preview?n={place}"),
        &format!(
            "A test is on its way to {}. It contains no working password and does not affect any user.",
            administrator.email
        ),
    ))
}

//! Recipients without a value for one of the email's fields.

use super::choice::Choice;
use super::exclude;
use super::load_selection::{self, OpenSelection};
use crate::app::intake::MissingValue;
use crate::app::intake::missing::fallbacks;
use crate::app::problem::Problem;
use crate::app::state::AppState;
use crate::console::fields::Fields;
use crate::console::format::{counted, some};
use crate::console::frame::{Frame, Section};
use crate::console::respond::{page, redirect_with_flash};
use crate::console::session::Administrator;
use crate::http::query::Query;
use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use shared::store::exclusion::ExcludedUsers;
use shared::store::missing::{self, ChosenUsers, UserMissingValue};
use shared::store::selections::Selection;
use shared::system_email::SystemEmailKind;
use url::form_urlencoded::byte_serialize;
use uuid::Uuid;

/// Maximum number of people shown. The button applies to all of them.
const SHOWN: i64 = 100;

/// A line of the check page.
pub(super) struct MissingLine {
    /// How many people lack the value, and what their email shows instead.
    pub(super) sentence: String,
    /// Whether the field has no default.
    pub(super) is_bare: bool,
    /// Name of the field in a sentence.
    pub(super) name: String,
    /// The field, percent-encoded.
    pub(super) field: String,
}

impl MissingLine {
    /// Describes a value that some of `sent` people lack.
    pub(super) fn of(value: &MissingValue, sent: i64) -> Self {
        let have = if value.people == 1 { "has" } else { "have" };
        let people = format!("{} of {} {have}", counted(value.people), some(sent, "person", "people"));
        let name = name_of(&value.field);
        Self {
            sentence: match &value.default {
                Some(text) => format!("{people} no {name}, so their email will show ‘{text}’"),
                None => format!("{people} no {name} and there is no default, so it will be blank in their email"),
            },
            name,
            is_bare: value.default.is_none(),
            field: byte_serialize(value.field.as_bytes()).collect(),
        }
    }
}

/// Name of a field in a sentence.
fn name_of(field: &str) -> String {
    match field {
        "first_name" => "first name".to_owned(),
        "last_name" => "last name".to_owned(),
        "full_name" => "first or last name".to_owned(),
        "language" => "language".to_owned(),
        other => format!("value for {other}"),
    }
}

/// The page that lists them.
#[derive(Template)]
#[template(path = "console/missing.html")]
struct MissingPage {
    frame: Frame,
    id: Uuid,
    field: String,
    people: Vec<UserMissingValue>,
    has_more: bool,
    /// Options of the check page.
    choice: Choice,
    /// Default that the email shows instead.
    default: Option<String>,
}

/// Query of the page.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::console) struct MissingQuery {
    /// Name of the field.
    #[serde(default)]
    field: String,
    /// As on the check page.
    signed_in: Option<bool>,
    /// As on the check page.
    recent: Option<bool>,
}

impl MissingQuery {
    fn choice(&self) -> Choice {
        Choice {
            signed_in: self.signed_in,
            recent: self.recent,
            start_at: String::new(),
        }
    }
}

/// Stores the selection and returns its users.
async fn chosen<'a>(
    api: &AppState,
    selection: &Selection,
    kind: SystemEmailKind,
    choice: &Choice,
    excluded: &'a ExcludedUsers,
) -> Result<ChosenUsers<'a>, Problem> {
    let people = load_selection::store_ids(api, selection).await?;
    Ok(ChosenUsers {
        selection: selection.id,
        kind,
        including: choice.resolved(people == 1),
        excluded,
    })
}

/// Lists the people.
pub(in crate::console) async fn show(
    State(api): State<AppState>,
    administrator: Administrator,
    OpenSelection(selection, kind): OpenSelection,
    Query(asked): Query<MissingQuery>,
) -> Result<Response, Problem> {
    let id = selection.id;
    let texts = fallbacks(&api, kind, selection.wording.as_ref()).await?;
    // If the texts in several languages have several, the first; the check page has counted each.
    let mut defaults = texts.iter().filter_map(|(_, fields)| fields.get(&asked.field));
    let default = defaults.next().cloned();
    let default = default.ok_or_else(|| Problem::not_found("field of the email"))?;
    let choice = asked.choice();
    let excluded = exclude::users(&api, &selection).await?;
    let chosen = chosen(&api, &selection, kind, &choice, &excluded).await?;
    let mut people = missing::users(&api.db, chosen, &asked.field, SHOWN + 1).await?;
    let has_more = i64::try_from(people.len()).is_ok_and(|found| found > SHOWN);
    people.truncate(usize::try_from(SHOWN).unwrap_or(100));
    let title = format!("People without a value for {}", asked.field);
    page(&MissingPage {
        frame: administrator.frame(&api, Section::Users, title).await,
        id,
        field: asked.field,
        people,
        has_more,
        choice,
        default,
    })
}

/// Leaves them out of the selection.
pub(in crate::console) async fn leave_out(
    State(api): State<AppState>,
    OpenSelection(selection, kind): OpenSelection,
    fields: Fields,
) -> Result<Response, Problem> {
    let id = selection.id;
    let choice = Choice::read(&fields);
    let excluded = exclude::users(&api, &selection).await?;
    let chosen = chosen(&api, &selection, kind, &choice, &excluded).await?;
    let left_out = missing::leave_out(&api.db, chosen, fields.text("field")).await?;
    let message = format!(
        "{} left out of this selection.",
        some(left_out, "person is", "people are")
    );
    let to = format!("/console/selections/{id}/check?{}", choice.query());
    Ok(redirect_with_flash(&to, &message))
}

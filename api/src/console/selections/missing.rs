//! Recipients without a value for one of the email's fields.

use super::choice::Choice;
use super::exclude;
use super::load_selection::{self, OpenSelection};
use crate::app::intake::MissingValue;
use crate::app::intake::missing::{fallbacks, of_choice};
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
    /// Describes the values that some of `sent` people lack, one line for each field.
    pub(super) fn all(values: &[MissingValue], sent: i64) -> Vec<Self> {
        let mut fields: Vec<&str> = Vec::new();
        for value in values {
            if !fields.contains(&value.field.as_str()) {
                fields.push(&value.field);
            }
        }
        let of = |field: &str| values.iter().filter(|value| value.field == field).collect::<Vec<_>>();
        fields
            .into_iter()
            .map(|field| Self::of(field, &of(field), sent))
            .collect()
    }

    /// Describes one field. Texts in several languages may have several default texts for it.
    fn of(field: &str, values: &[&MissingValue], sent: i64) -> Self {
        let lacking: i64 = values.iter().map(|value| value.people).sum();
        let have = if lacking == 1 { "has" } else { "have" };
        let people = format!("{} of {} {have}", counted(lacking), some(sent, "person", "people"));
        let name = name_of(field);
        let sentence = match values {
            [
                MissingValue {
                    default: Some(text), ..
                },
            ] => {
                format!("{people} no {name}, so their email will show ‘{text}’")
            }
            [_] => format!("{people} no {name} and there is no default, so it will be blank in their email"),
            _ => format!("{people} no {name}. Depending on the language, {}", defaults_of(values)),
        };
        Self {
            sentence,
            name,
            is_bare: values.iter().any(|value| value.default.is_none()),
            field: byte_serialize(field.as_bytes()).collect(),
        }
    }
}

/// Lists what the emails show instead, with the number of people for each.
fn defaults_of(values: &[&MissingValue]) -> String {
    let shown: Vec<String> = values
        .iter()
        .map(|value| match &value.default {
            Some(text) => format!("‘{text}’ ({})", counted(value.people)),
            None => format!("nothing ({})", counted(value.people)),
        })
        .collect();
    format!("their email will show {}", either(&shown))
}

/// Describes what the emails of the listed people show instead.
fn shown_instead(values: &[&MissingValue]) -> String {
    match values {
        [] => "The text in their language does not use it.".to_owned(),
        [
            MissingValue {
                default: Some(text), ..
            },
        ] => format!("Their email will show ‘{text}’ instead."),
        [_] => "It will be blank in their email.".to_owned(),
        _ => format!("Depending on the language, {}.", defaults_of(values)),
    }
}

/// Joins alternatives: “a, b or c”.
fn either(alternatives: &[String]) -> String {
    match alternatives {
        [first @ .., last] if !first.is_empty() => format!("{} or {last}", first.join(", ")),
        _ => alternatives.concat(),
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
    /// What their emails show instead.
    shown_instead: String,
    /// Whether something is blank in some of the emails.
    is_bare: bool,
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
    if !texts.iter().any(|(_, fields)| fields.contains_key(&asked.field)) {
        return Err(Problem::not_found("field of the email"));
    }
    let choice = asked.choice();
    let excluded = exclude::users(&api, &selection).await?;
    let chosen = chosen(&api, &selection, kind, &choice, &excluded).await?;
    let values = of_choice(&api, chosen, selection.wording.as_ref()).await?;
    let values: Vec<&MissingValue> = values.iter().filter(|value| value.field == asked.field).collect();
    let mut people = missing::users(&api.db, chosen, &asked.field, SHOWN + 1).await?;
    let has_more = i64::try_from(people.len()).is_ok_and(|found| found > SHOWN);
    people.truncate(usize::try_from(SHOWN).unwrap_or(100));
    let title = format!("People without a {}", name_of(&asked.field));
    page(&MissingPage {
        frame: administrator.frame(&api, Section::Users, title).await,
        id,
        field: asked.field,
        people,
        has_more,
        choice,
        shown_instead: shown_instead(&values),
        is_bare: values.iter().any(|value| value.default.is_none()),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn value(field: &str, people: i64, default: Option<&str>) -> MissingValue {
        MissingValue {
            field: field.to_owned(),
            people,
            default: default.map(str::to_owned),
            users_url: String::new(),
        }
    }

    #[test]
    fn a_field_has_one_line_for_the_texts_in_all_languages() {
        let lines = MissingLine::all(
            &[
                value("room", 3, None),
                value("first_name", 63, Some("there")),
                value("first_name", 44, Some("zusammen")),
                value("first_name", 1_200, None),
            ],
            5_000,
        );

        let sentences: Vec<&str> = lines.iter().map(|line| line.sentence.as_str()).collect();
        assert_eq!(
            sentences,
            [
                "3 of 5,000 people have no value for room and there is no default, so it will be blank in their email",
                "1,307 of 5,000 people have no first name. Depending on the language, their email will show ‘there’ (63), \
                 ‘zusammen’ (44) or nothing (1,200)",
            ]
        );
        assert!(lines.iter().all(|line| line.is_bare));
    }

    #[test]
    fn the_page_says_what_the_emails_of_the_listed_people_show() {
        let (there, blank) = (value("first_name", 63, Some("there")), value("first_name", 1_200, None));

        assert_eq!(shown_instead(&[&there]), "Their email will show ‘there’ instead.");
        assert_eq!(shown_instead(&[&blank]), "It will be blank in their email.");
        assert_eq!(
            shown_instead(&[&blank, &there]),
            "Depending on the language, their email will show nothing (1,200) or ‘there’ (63)."
        );
        assert_eq!(shown_instead(&[]), "The text in their language does not use it.");
    }
}

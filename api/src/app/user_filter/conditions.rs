//! Conditions on users' fields in requests.

use crate::app::listed::Listed;
use crate::app::problem::{FieldError, Problem, ProblemKind};
use crate::app::state::AppState;
use crate::app::validation::{shown, without_controls};
use serde::Deserialize;
use serde::de::value::SeqAccessDeserializer;
use serde::de::{DeserializeOwned, Deserializer, Error as _, SeqAccess, Visitor};
use shared::store::users;
use shared::user_filter::{Comparison, FieldCondition, MAX_CONDITIONS, Negatable, OWN_FIELDS, UserFilter};
use std::collections::BTreeSet;
use std::fmt;
use std::marker::PhantomData;
use time::Date;
use time::macros::format_description;
use utoipa::ToSchema;

/// Number of entries of a list that are kept.
const KEPT: usize = MAX_CONDITIONS + 1;

/// A condition on one field.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FieldConditionRequest {
    /// `email`, `first_name`, `last_name`, `language`, or an imported field.
    pub field: String,
    /// `is`, `is_not`, `contains`, `not_contains`, `empty`, `not_empty`, `before` or `after`. Case is ignored.
    #[schema(value_type = String)]
    pub op: Comparison,
    /// The value to compare with: a text, or for `before` and `after` a date such as 2026-12-31; these match only
    /// values in that form. Not for `empty` and `not_empty`.
    pub value: Option<String>,
}

/// Reads a list from JSON, or from a string that contains JSON or comma-separated words.
///
/// One entry more than [`MAX_CONDITIONS`] is kept, which the caller rejects. The others need no memory: a body of
/// 16 MiB can list a million.
pub(super) fn list_or_text<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    deserializer: D,
) -> Result<Option<Vec<T>>, D::Error> {
    struct ListOrText<T>(PhantomData<T>);

    impl<'de, T: DeserializeOwned> Visitor<'de> for ListOrText<T> {
        type Value = Vec<T>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("a list")
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Vec<T>, E> {
            let text = text.trim();
            if text.starts_with(['[', '{']) {
                let list: Listed<T, KEPT> = serde_json::from_str(text).map_err(E::custom)?;
                return Ok(list.into_entries());
            }
            text.split(',')
                .take(KEPT)
                .map(|word| serde_json::from_value(serde_json::Value::from(word.trim())).map_err(E::custom))
                .collect()
        }

        fn visit_seq<A: SeqAccess<'de>>(self, entries: A) -> Result<Vec<T>, A::Error> {
            let list = Listed::<serde_json::Value, KEPT>::deserialize(SeqAccessDeserializer::new(entries))?;
            let read = |entry| serde_json::from_value(entry).map_err(A::Error::custom);
            list.into_entries().into_iter().map(read).collect()
        }
    }

    deserializer.deserialize_any(ListOrText(PhantomData)).map(Some)
}

/// Converts the requested negations.
pub(super) fn negations(asked: Vec<Negatable>) -> Result<BTreeSet<Negatable>, FieldError> {
    if asked.len() > MAX_CONDITIONS {
        let message = format!("`not` lists more than {MAX_CONDITIONS} conditions.");
        return Err(FieldError::in_field("not", "too_many", message));
    }
    Ok(asked.into_iter().collect())
}

/// Converts the requested conditions.
pub(super) fn conditions(asked: Vec<FieldConditionRequest>) -> Result<Vec<FieldCondition>, FieldError> {
    if asked.len() > MAX_CONDITIONS {
        return Err(fault(
            "too_many",
            format!("where has more than {MAX_CONDITIONS} conditions."),
        ));
    }
    asked.into_iter().map(condition).collect()
}

fn condition(asked: FieldConditionRequest) -> Result<FieldCondition, FieldError> {
    let FieldConditionRequest { field, op, value } = asked;
    without_controls("where", &field)?;
    let field = match OWN_FIELDS.iter().find(|own| **own == field) {
        Some(own) => (*own).to_owned(),
        None => import::single::field_name(&field)
            .map_err(|found| fault(found.code, format!("where: {}.", found.message)))?,
    };
    let word = op.as_str();
    let value = match (value, op.needs_value()) {
        (None, false) => None,
        (Some(_), false) => {
            return Err(fault(
                "value_not_used",
                format!("where: {field} {word} takes no value; leave it out."),
            ));
        }
        (None, true) => {
            return Err(fault("value_missing", format!("where: {field} {word} needs a value.")));
        }
        (Some(value), true) => {
            without_controls("where", &value)?;
            let value = value.trim().to_owned();
            if value.is_empty() {
                let message = format!("where: {field} {word} has a blank value. Use empty or not_empty instead.");
                return Err(fault("blank", message));
            }
            if op.needs_date() && Date::parse(&value, format_description!("[year]-[month]-[day]")).is_err() {
                let message = format!("where: {field} {word} needs a date such as 2026-12-31.");
                return Err(fault("date_invalid", message));
            }
            Some(value)
        }
    };
    Ok(FieldCondition { field, op, value })
}

fn fault(code: &str, message: String) -> FieldError {
    FieldError::in_field("where", code, message)
}

/// Rejects conditions on unknown fields. A misspelt field would match every user or none.
///
/// # Errors
///
/// A problem of this kind that names the field, or one of Postgres.
pub async fn require_known_fields(api: &AppState, filter: &UserFilter, kind: ProblemKind) -> Result<(), Problem> {
    let is_own = |field: &str| OWN_FIELDS.contains(&field);
    if filter.fields.iter().all(|condition| is_own(&condition.field)) {
        return Ok(());
    }
    let known = users::field_names(&api.db).await?;
    let unknown = filter
        .fields
        .iter()
        .map(|condition| condition.field.as_str())
        .find(|field| !is_own(field) && !known.iter().any(|known| known == *field));
    let Some(unknown) = unknown else { return Ok(()) };
    let message = format!("where: no user has a field {}.", shown(unknown));
    Err(Problem::new(kind, "unknown_field", message.clone()).with_errors(vec![fault("unknown_field", message)]))
}

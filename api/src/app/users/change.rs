//! Reads a change of a user, with the validation rules of imports.

use crate::app::problem::{FieldError, Problem};
use import::single::{self, ValueFault};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use shared::address::EmailAddress;
use shared::store::users::Change;
use std::fmt;
use utoipa::ToSchema;

/// Maximum number of merge fields, the same as for the columns of an import.
const MAX_FIELDS: usize = 200;

/// A change of a user. Absent and null values stay the same, and an empty text clears a value.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeRequest {
    /// The new address. The user keeps the password they chose. Passwords mailed to the old address stop working.
    pub email: Option<String>,
    /// The first name, up to 200 characters, without links.
    pub first_name: Option<String>,
    /// The last name, up to 200 characters, without links.
    pub last_name: Option<String>,
    /// The language tag, such as `pt-BR`.
    pub language: Option<String>,
    /// Merge fields to set, up to 1000 characters each. Null or an empty text removes a field.
    #[schema(value_type = Option<std::collections::BTreeMap<String, Option<String>>>)]
    pub fields: Option<FieldChanges>,
}

/// Merge fields and their values, including duplicate keys: a map would silently keep only the last of two equal keys.
///
/// Entries beyond `MAX_FIELDS` are counted but not kept.
#[derive(Clone, Debug, Default)]
pub struct FieldChanges {
    entries: Vec<(String, Option<String>)>,
    given: usize,
}

impl From<Vec<(String, Option<String>)>> for FieldChanges {
    fn from(entries: Vec<(String, Option<String>)>) -> Self {
        Self {
            given: entries.len(),
            entries,
        }
    }
}

impl<'de> Deserialize<'de> for FieldChanges {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Entries)
    }
}

struct Entries;

impl<'de> Visitor<'de> for Entries {
    type Value = FieldChanges;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of texts")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<FieldChanges, A::Error> {
        let mut changes = FieldChanges::default();
        while changes.given < MAX_FIELDS {
            let Some(entry) = object.next_entry()? else {
                return Ok(changes);
            };
            changes.entries.push(entry);
            changes.given += 1;
        }
        while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
            changes.given += 1;
        }
        Ok(changes)
    }
}

/// Reads a request into the change and the names of the merge fields that it sets.
///
/// # Errors
///
/// All validation errors at once.
pub(crate) fn read_change(request: ChangeRequest) -> Result<(Change, Vec<String>), Problem> {
    let mut errors = Vec::new();
    let mut take = |field: &str, raw: Option<String>, judge: fn(&str) -> Result<String, ValueFault>| {
        raw.and_then(|raw| judge(&raw).map_err(|fault| errors.push(error(field, fault))).ok())
    };
    let first_name = take("first_name", request.first_name, single::name);
    let last_name = take("last_name", request.last_name, single::name);
    let language = take("language", request.language, single::language);
    let email = request.email.and_then(|raw| {
        let parsed = EmailAddress::parse(&raw);
        parsed
            .map_err(|fault| errors.push(FieldError::in_field("email", fault.code(), fault.to_string())))
            .ok()
    });
    let fields = read_fields(&request.fields.unwrap_or_default(), &mut errors);
    if !errors.is_empty() {
        let detail = "Some of the request cannot be used; see errors. Nothing was changed.";
        return Err(Problem::invalid("invalid_request", detail).with_errors(errors));
    }
    let set = fields
        .iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, _)| name.clone())
        .collect();
    let change = Change {
        email: email.map(|address| (address.as_typed().to_owned(), address.key())),
        first_name,
        last_name,
        language,
        fields: (!fields.is_empty()).then_some(serde_json::Value::Object(fields)),
    };
    Ok((change, set))
}

fn read_fields(changes: &FieldChanges, errors: &mut Vec<FieldError>) -> serde_json::Map<String, serde_json::Value> {
    let mut fields = serde_json::Map::new();
    if changes.given > MAX_FIELDS {
        let message = format!(
            "The request changes {} fields; the maximum per request is {MAX_FIELDS}.",
            changes.given
        );
        errors.push(FieldError::in_field("fields", "too_many_fields", message));
        return fields;
    }
    for (key, raw) in &changes.entries {
        let place = format!("fields.{}", single::shown(key));
        let judged = single::field_name(key).and_then(|name| {
            let value = raw.as_deref().map(single::value).transpose()?.flatten();
            Ok((name, value.map_or(serde_json::Value::Null, serde_json::Value::String)))
        });
        match judged {
            Err(fault) => errors.push(error(&place, fault)),
            Ok((name, _)) if fields.contains_key(&name) => {
                let message = format!("‘{name}’ occurs twice – delete one");
                errors.push(FieldError::in_field(&place, "json_duplicate_key", message));
            }
            Ok((name, value)) => {
                fields.insert(name, value);
            }
        }
    }
    fields
}

fn error(field: &str, fault: ValueFault) -> FieldError {
    FieldError::in_field(field, fault.code, fault.message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(request: &str) -> Result<(Change, Vec<String>), Problem> {
        read_change(serde_json::from_str(request).unwrap())
    }

    #[test]
    fn given_values_are_normalised_and_absent_ones_stay() {
        let (change, set) = read(
            r#"{"email": " Ana@Example.org ", "first_name": "", "last_name": null, "language": "pt_br",
                "fields": {"Start date": " 1 May ", "Room": null, "Desk": " "}}"#,
        )
        .unwrap();

        assert_eq!(change.email, Some(("Ana@Example.org".into(), "ana@example.org".into())));
        assert_eq!(change.first_name.as_deref(), Some(""));
        assert_eq!(change.last_name, None);
        assert_eq!(change.language.as_deref(), Some("pt-BR"));
        assert_eq!(
            change.fields,
            Some(json!({"start_date": "1 May", "room": null, "desk": null}))
        );
        assert_eq!(set, ["start_date"]);
    }

    #[test]
    fn an_empty_change_has_no_effect() {
        for request in ["{}", r#"{"email": null, "fields": null}"#, r#"{"fields": {}}"#] {
            let (change, set) = read(request).unwrap();
            assert!(
                change.email.is_none() && change.fields.is_none() && set.is_empty(),
                "{request}"
            );
        }
    }

    #[test]
    fn all_errors_are_reported_together() {
        let problem = read(
            r#"{"email": "ana", "first_name": "evil.com", "last_name": "a\u0000b", "language": "?",
                "fields": {"password": "x", "Email": "x", "9": "x", "team": "a\nb", "Room": "1", "room": "2"}}"#,
        )
        .unwrap_err();

        let listed: Vec<_> = problem
            .errors
            .iter()
            .map(|error| (error.field.as_deref().unwrap(), error.code.as_str()))
            .collect();
        assert_eq!(
            listed,
            [
                ("first_name", "looks_like_a_link"),
                ("last_name", "control_character"),
                ("language", "language_invalid"),
                ("email", "at_sign_missing"),
                ("fields.password", "reserved_field"),
                ("fields.Email", "reserved_field"),
                ("fields.9", "field_name_invalid"),
                ("fields.team", "control_character"),
                ("fields.room", "json_duplicate_key"),
            ]
        );
    }
}

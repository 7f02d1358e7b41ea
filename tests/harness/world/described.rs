//! Checks responses of the API against its description at `/openapi.json`.
//!
//! Every response to [`World::ask`] is checked, so every test that calls the API also tests its description. An
//! undescribed field is a fault, like a missing one.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jsonschema::Validator;
use reqwest::Method;
use serde_json::{Map, Value, json};
use tokio::sync::OnceCell;

use super::World;
use super::calls::Answer;

/// All worlds of a process run the same API.
static DESCRIPTION: OnceCell<Description> = OnceCell::const_new();

/// The operations whose responses were checked: id and status.
pub(super) type Seen = Mutex<BTreeSet<(String, String)>>;

impl World {
    /// The operations whose successful responses were checked: id and status, such as `users_list` and `200`.
    pub fn described_answers(&self) -> BTreeSet<(String, String)> {
        lock(&self.described).clone()
    }

    /// Asserts that a response is as described.
    ///
    /// # Panics
    ///
    /// When it is not.
    pub async fn check_described(&self, method: &Method, path: &str, answer: &Answer) {
        // Another release may have another description.
        if self.setup.programs.is_some() || !path.starts_with("/v1/") {
            return;
        }
        let Ok(description) = DESCRIPTION.get_or_try_init(|| self.description()).await else {
            return;
        };
        match description.fault(method, path, answer) {
            Ok(Some(seen)) if answer.status < 300 => {
                lock(&self.described).insert(seen);
            }
            Ok(_) => {}
            Err(fault) => panic!(
                "{method} {path} answered {}, which is not as it is described: {fault}\n{}",
                answer.status, answer.text
            ),
        }
    }

    async fn description(&self) -> reqwest::Result<Description> {
        let answer = self.http.get(format!("{}/openapi.json", self.base)).send().await?;
        Ok(Description::read(answer.json().await?))
    }
}

/// The description and the validators compiled so far.
struct Description {
    document: Value,
    validators: Mutex<HashMap<(String, String), Arc<Validator>>>,
}

impl Description {
    fn read(mut document: Value) -> Self {
        close(&mut document, false);
        Self {
            document,
            validators: Mutex::default(),
        }
    }

    /// The id and status of the described response that matches; `None` for an undescribed path or method.
    fn fault(&self, method: &Method, path: &str, answer: &Answer) -> Result<Option<(String, String)>, String> {
        let path = path.split('?').next().unwrap_or_default();
        let paths = self.document["paths"].as_object().into_iter().flatten();
        let item = paths
            .filter(|(template, _)| fits(template, path))
            .map(|(_, item)| item)
            .next();
        let operation = item.map(|item| &item[method.as_str().to_lowercase()]);
        let Some(operation) = operation.filter(|operation| operation.is_object()) else {
            return Ok(None);
        };
        let responses = &operation["responses"];
        let mut status = answer.status.to_string();
        if responses.get(&status).is_none() && answer.status >= 400 {
            "default".clone_into(&mut status);
        }
        let response = responses.get(&status).ok_or("this status is not described")?;
        let seen = (operation["operationId"].as_str().unwrap_or_default().to_owned(), status);
        let Some(content) = response["content"].as_object().filter(|content| !content.is_empty()) else {
            let is_empty = answer.text.is_empty();
            return if is_empty {
                Ok(Some(seen))
            } else {
                Err("no body is described".to_owned())
            };
        };
        let media = content.get(&answer.media_type);
        let media = media.ok_or_else(|| format!("`{}` is not described", answer.media_type))?;
        if answer.media_type.ends_with("json") {
            self.validate(&seen, &media["schema"], &answer.body)?;
        }
        Ok(Some(seen))
    }

    fn validate(&self, seen: &(String, String), schema: &Value, body: &Value) -> Result<(), String> {
        let known = lock(&self.validators).get(seen).cloned();
        let validator = if let Some(validator) = known {
            validator
        } else {
            let validator = Arc::new(self.validator(schema)?);
            lock(&self.validators).insert(seen.clone(), Arc::clone(&validator));
            validator
        };
        let faults: Vec<String> = validator
            .iter_errors(body)
            .map(|fault| format!("{} at {}", fault, fault.instance_path()))
            .collect();
        if faults.is_empty() {
            Ok(())
        } else {
            Err(faults.join("; "))
        }
    }

    fn validator(&self, schema: &Value) -> Result<Validator, String> {
        let root = json!({ "allOf": [schema], "unevaluatedProperties": is_open(schema), "components": self.document["components"] });
        jsonschema::draft202012::options()
            .should_validate_formats(true)
            .build(&root)
            .map_err(|fault| fault.to_string())
    }
}

/// Whether a path matches a template such as `/v1/users/{id}`.
fn fits(template: &str, path: &str) -> bool {
    let (mut steps, mut actual) = (template.split('/'), path.split('/'));
    loop {
        match (steps.next(), actual.next()) {
            (None, None) => return true,
            (Some(step), Some(actual)) if step == actual || (step.starts_with('{') && !actual.is_empty()) => {}
            _ => return false,
        }
    }
}

/// Makes the schema reject undescribed fields in every object. A schema that is part of another one (`allOf`, or by
/// reference) is closed where it is used, because other fields may be added there.
fn close(part: &mut Value, is_place: bool) {
    match part {
        Value::Object(entries) => {
            for (name, inner) in entries.iter_mut() {
                match name.as_str() {
                    "properties" => inner
                        .as_object_mut()
                        .into_iter()
                        .flat_map(Map::values_mut)
                        .for_each(|field| close(field, true)),
                    "items" => close(inner, true),
                    _ => close(inner, false),
                }
            }
            if is_place && !is_open_object(entries) {
                entries.insert("unevaluatedProperties".to_owned(), Value::Bool(false));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| close(item, false)),
        _ => {}
    }
}

fn is_open(schema: &Value) -> bool {
    schema.as_object().is_none_or(is_open_object)
}

/// Whether an object does not declare its fields, because it holds arbitrary details.
fn is_open_object(schema: &Map<String, Value>) -> bool {
    !["$ref", "allOf", "oneOf", "anyOf", "properties"]
        .iter()
        .any(|name| schema.contains_key(*name))
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn description() -> Description {
        Description::read(json!({
            "paths": { "/v1/users/{id}": { "get": {
                "operationId": "users_show",
                "responses": {
                    "200": { "content": { "application/json": { "schema": { "$ref": "#/components/schemas/User" } } } },
                    "204": {},
                    "default": { "content": { "application/problem+json": { "schema": { "type": "object" } } } },
                }
            } } },
            "components": { "schemas": {
                "Name": { "type": "object", "required": ["first"], "properties": { "first": { "type": "string" } } },
                "User": { "allOf": [
                    { "$ref": "#/components/schemas/Name" },
                    { "type": "object", "properties": {
                        "at": { "type": ["string", "null"], "format": "date-time" },
                        "friends": { "type": "array", "items": { "$ref": "#/components/schemas/Name" } },
                        "noted": { "type": "object" },
                    } },
                ] },
            } },
        }))
    }

    fn fault(status: u16, media_type: &str, body: &Value) -> Result<(), String> {
        let answer = Answer {
            status,
            media_type: media_type.to_owned(),
            body: body.clone(),
            text: if body.is_null() {
                String::new()
            } else {
                body.to_string()
            },
        };
        description().fault(&Method::GET, "/v1/users/7?a=b", &answer).map(drop)
    }

    #[test]
    fn an_answer_is_as_described_or_the_difference_is_named() {
        let json = "application/json";
        let whole = json!({
            "first": "Ada", "at": "2026-01-01T00:00:00Z", "friends": [{ "first": "Ben" }], "noted": { "what": "ever" }
        });
        assert_eq!(fault(200, json, &whole), Ok(()));
        assert_eq!(fault(204, "", &Value::Null), Ok(()));
        assert_eq!(fault(418, "application/problem+json", &json!({ "any": 1 })), Ok(()));
        for (status, media_type, body, named) in [
            (200, json, json!({ "first": 5 }), "/first"),
            (200, json, json!({ "at": null }), "required"),
            (200, json, json!({ "first": "Ada", "at": "today" }), "date-time"),
            (200, json, json!({ "first": "Ada", "more": 1 }), "more"),
            (
                200,
                json,
                json!({ "first": "Ada", "friends": [{ "first": "Ben", "more": 1 }] }),
                "more",
            ),
            (200, "text/csv", json!("a"), "text/csv"),
            (201, json, whole.clone(), "status"),
            (204, json, whole.clone(), "no body"),
        ] {
            let described_fault = fault(status, media_type, &body).unwrap_err();
            assert!(described_fault.contains(named), "{body}: {described_fault}");
        }
    }

    #[test]
    fn a_path_matches_the_template_with_as_many_segments() {
        assert!(fits("/v1/users/{id}", "/v1/users/7") && !fits("/v1/users/{id}", "/v1/users/7/export"));
        assert!(!fits("/v1/users/{id}", "/v1/users/") && fits("/v1/users", "/v1/users"));
    }
}

//! The form for a user's details: fields, input and validation errors.

use crate::app::problem::{FieldError, Problem};
use crate::app::state::AppState;
use crate::app::users::change::{ChangeRequest, FieldChanges, read_change};
use crate::console::fields::Fields;
use serde_json::Value;
use shared::store::users::{self, Change, User};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Fields that every user has: name, label, hint.
const OWN: [(&str, &str, &str); 4] = [
    ("email", "Email address", ""),
    ("first_name", "First name", ""),
    ("last_name", "Last name", ""),
    ("language", "Language", "A code such as en, de or pt-BR"),
];

/// Prefix of merge fields' names in the form.
const MERGE: &str = "fields.";

/// A field of the form.
pub(super) struct FormField {
    /// Name and id in the form.
    pub(super) name: String,
    pub(super) label: String,
    pub(super) hint: String,
    pub(super) value: String,
    /// Validation error.
    pub(super) fault: Option<String>,
    /// Current value, if another administrator has changed it meanwhile.
    pub(super) now: Option<String>,
}

pub(super) struct UserForm {
    pub(super) fields: Vec<FormField>,
    /// Name and value of a field that does not exist yet.
    pub(super) new_field: (String, String),
    /// Validation error of the new field.
    pub(super) new_fault: Option<String>,
    /// The user who already has the entered address.
    pub(super) taken_by: Option<Uuid>,
    /// Error of the form as a whole.
    pub(super) fault: Option<String>,
}

impl UserForm {
    /// The form with these values and a field for every merge field that exists.
    pub(super) async fn with(api: &AppState, values: &BTreeMap<String, String>) -> Result<Self, Problem> {
        let mut merge = users::field_names(&api.db).await?;
        let others = values.keys().filter_map(|name| name.strip_prefix(MERGE));
        merge.extend(others.map(str::to_owned));
        merge.sort_unstable();
        merge.dedup();
        let field = |name: String, label: String, hint: &str| FormField {
            value: values.get(&name).cloned().unwrap_or_default(),
            name,
            label,
            hint: hint.to_owned(),
            fault: None,
            now: None,
        };
        let own = OWN.map(|(name, label, hint)| field(name.to_owned(), label.to_owned(), hint));
        let merge = merge
            .into_iter()
            .map(|name| field(format!("{MERGE}{name}"), label(&name), ""));
        Ok(Self {
            fields: own.into_iter().chain(merge).collect(),
            new_field: (String::new(), String::new()),
            new_fault: None,
            taken_by: None,
            fault: None,
        })
    }

    /// Sets the hint of a field.
    pub(super) fn hint(&mut self, name: &str, hint: &str) {
        if let Some(field) = self.fields.iter_mut().find(|field| field.name == name) {
            hint.clone_into(&mut field.hint);
        }
    }

    /// All errors: field name and message.
    pub(super) fn faults(&self) -> Vec<(&str, &str)> {
        let whole = self.fault.as_deref().map(|fault| ("email", fault));
        let fields = self
            .fields
            .iter()
            .filter_map(|field| Some((field.name.as_str(), field.fault.as_deref()?)));
        let new = self.new_fault.as_deref().map(|fault| ("new_field", fault));
        whole.into_iter().chain(fields).chain(new).collect()
    }

    /// Assigns validation errors to their fields.
    pub(super) fn assign_errors(&mut self, errors: Vec<FieldError>) {
        for error in errors {
            let name = error.field.unwrap_or_default();
            match self.fields.iter_mut().find(|field| field.name == name) {
                Some(field) => field.fault = Some(error.message),
                None => self.new_fault = Some(error.message),
            }
        }
    }

    /// Adds an error because the address belongs to another user.
    pub(super) fn assign_taken_address(&mut self, taken_by: Option<Uuid>) {
        self.taken_by = taken_by;
        self.assign_errors(vec![FieldError::in_field(
            "email",
            "address_taken",
            "Another user has this address",
        )]);
    }

    pub(super) fn has_faults(&self) -> bool {
        !self.faults().is_empty()
    }
}

/// The entered values by field name.
pub(super) fn entered(fields: &Fields) -> BTreeMap<String, String> {
    let is_known = |name: &str| name.starts_with(MERGE) || OWN.iter().any(|(own, _, _)| *own == name);
    let values = fields.pairs().iter().filter(|(name, _)| is_known(name));
    values
        .map(|(name, value)| (name.clone(), value.trim().to_owned()))
        .collect()
}

/// Name and value of the new field, if either was entered.
pub(super) fn entered_new(fields: &Fields) -> Option<(String, String)> {
    let (name, value) = (fields.trimmed("new_field"), fields.trimmed("new_value"));
    (!name.is_empty() || !value.is_empty()).then(|| (name.to_owned(), value.to_owned()))
}

/// A user's values by field name.
pub(super) fn values_of(user: &User) -> BTreeMap<String, String> {
    let own = [&user.email, &user.first_name, &user.last_name, &user.language];
    let own = OWN
        .iter()
        .zip(own)
        .map(|((name, _, _), value)| ((*name).to_owned(), value.clone()));
    let fields = fields_of(user)
        .into_iter()
        .map(|(name, value)| (format!("{MERGE}{name}"), value));
    own.chain(fields).collect()
}

/// A user's merge fields.
pub(super) fn fields_of(user: &User) -> BTreeMap<String, String> {
    let fields = user.fields.as_object().into_iter().flatten();
    fields
        .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
        .collect()
}

/// The difference between the old and the entered values, as a change, with the names of the merge fields it fills.
/// Otherwise all validation errors.
pub(super) fn change(
    before: &BTreeMap<String, String>,
    values: &BTreeMap<String, String>,
    new: Option<&(String, String)>,
) -> Result<(Change, Vec<String>), Vec<FieldError>> {
    let differs = |name: &str| {
        let value = values.get(name)?;
        let was = before.get(name).map(String::as_str).unwrap_or_default();
        (value != was).then(|| value.clone())
    };
    let merge = values.keys().filter_map(|name| {
        let value = differs(name)?;
        Some((name.strip_prefix(MERGE)?.to_owned(), Some(value)))
    });
    let mut fields: Vec<(String, Option<String>)> = merge.collect();
    let mut errors = Vec::new();
    match new {
        Some((name, _)) if name.is_empty() => {
            errors.push(FieldError::in_field(
                "new_field",
                "missing",
                "Enter a name for the field, or clear its value",
            ));
        }
        Some((name, value)) => fields.push((name.clone(), Some(value.clone()))),
        None => {}
    }
    let request = ChangeRequest {
        email: differs("email"),
        first_name: differs("first_name"),
        last_name: differs("last_name"),
        language: differs("language"),
        fields: (!fields.is_empty()).then(|| FieldChanges::from(fields)),
    };
    match read_change(request) {
        Ok(change) if errors.is_empty() => Ok(change),
        Ok(_) => Err(errors),
        Err(problem) => Err(errors.into_iter().chain(problem.errors).collect()),
    }
}

/// Whether the change is empty.
pub(super) fn is_nothing(change: &Change) -> bool {
    change.email.is_none()
        && change.first_name.is_none()
        && change.last_name.is_none()
        && change.language.is_none()
        && change.fields.is_none()
}

/// Label of a merge field: `start_date` becomes "Start date".
pub(super) fn label(name: &str) -> String {
    let mut letters = name.chars().map(|c| if c == '_' { ' ' } else { c });
    letters
        .next()
        .into_iter()
        .flat_map(char::to_uppercase)
        .chain(letters)
        .collect()
}

/// The merge fields of a change that have a value, as stored.
pub(super) fn filled(fields: Option<Value>) -> Value {
    let fields = match fields {
        Some(Value::Object(fields)) => fields,
        _ => serde_json::Map::new(),
    };
    Value::Object(fields.into_iter().filter(|(_, value)| !value.is_null()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn values(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn only_what_differs_is_changed_and_what_was_cleared_is_removed() {
        let before = values(&[
            ("email", "ana@example.org"),
            ("first_name", "Ana"),
            ("fields.team", "Blue"),
        ]);
        let after = values(&[
            ("email", "ana@example.org"),
            ("first_name", "Anna"),
            ("fields.team", ""),
            ("fields.desk", ""),
        ]);

        let (change, _) = change(&before, &after, Some(&("Start date".to_owned(), "1 May".to_owned()))).unwrap();

        assert_eq!((change.email, change.first_name.as_deref()), (None, Some("Anna")));
        assert_eq!(change.fields, Some(json!({ "team": null, "start_date": "1 May" })));
        assert!(is_nothing(&super::change(&before, &before, None).unwrap().0));
    }

    #[test]
    fn every_error_is_shown_at_its_field() {
        let after = values(&[("email", ""), ("last_name", "evil.com"), ("fields.team", "a\nb")]);
        let before = values(&[("email", "ana@example.org")]);

        let errors = change(&before, &after, Some(&(String::new(), "x".to_owned()))).unwrap_err();

        let places: Vec<&str> = errors.iter().filter_map(|error| error.field.as_deref()).collect();
        assert_eq!(places, ["new_field", "last_name", "email", "fields.team"]);
    }

    #[test]
    fn a_field_is_labelled_as_people_write() {
        assert_eq!(label("start_date"), "Start date");
        assert_eq!(label("überschrift"), "Überschrift");
    }
}

//! A filter form as typed, with an invalid condition on a field.

use crate::console::fields::Fields;

/// Conditions on fields as typed, one of which is invalid.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::console) struct TypedConditions {
    /// The lines, without those that name no field.
    pub(in crate::console) lines: Vec<TypedCondition>,
    /// Index of the invalid line.
    pub(in crate::console) faulty: usize,
    /// Its error.
    pub(in crate::console) fault: String,
}

/// A condition on a field as typed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::console) struct TypedCondition {
    pub(in crate::console) field: String,
    pub(in crate::console) op: String,
    pub(in crate::console) value: String,
}

impl TypedCondition {
    pub(super) fn condition(&self) -> serde_json::Value {
        let Self { field, op, value } = self;
        if value.is_empty() {
            serde_json::json!({ "field": field, "op": op })
        } else {
            serde_json::json!({ "field": field, "op": op, "value": value })
        }
    }
}

/// The lines of a form that name a field.
pub(super) fn lines(fields: &Fields) -> Vec<TypedCondition> {
    let lines = fields.all("field").zip(fields.all("op")).zip(fields.all("value"));
    lines
        .filter(|((field, _), _)| !field.is_empty())
        .map(|((field, op), value)| TypedCondition {
            field: field.to_owned(),
            op: op.to_owned(),
            value: value.trim().to_owned(),
        })
        .collect()
}

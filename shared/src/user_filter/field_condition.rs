//! Conditions on the fields of users: names, language, address and all imported fields.

use serde::{Deserialize, Serialize};

/// Maximum number of these conditions per filter.
pub const MAX_CONDITIONS: usize = 20;

/// A condition on one field.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldCondition {
    /// `email`, `first_name`, `last_name`, `language`, or the name of an imported field.
    pub field: String,
    /// How its value is compared. Case is ignored.
    pub op: Comparison,
    /// The value to compare with; `None` for `empty` and `not_empty`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

crate::named_enum! {
    /// How a value is compared.
    #[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub enum Comparison {
        /// Equal to this text.
        Is = "is",
        /// Not equal to this text, or empty.
        IsNot = "is_not",
        /// Contains this text.
        Contains = "contains",
        /// Does not contain this text.
        NotContains = "not_contains",
        /// Empty.
        Empty = "empty",
        /// Not empty.
        NotEmpty = "not_empty",
        /// A date before this one.
        Before = "before",
        /// A date after this one.
        After = "after",
    }
}

impl Comparison {
    /// Whether it requires a value.
    pub const fn needs_value(self) -> bool {
        !matches!(self, Self::Empty | Self::NotEmpty)
    }

    /// Whether its value is a date.
    pub const fn needs_date(self) -> bool {
        matches!(self, Self::Before | Self::After)
    }
}

/// The fields that every user has besides the imported ones.
pub const OWN_FIELDS: [&str; 4] = ["email", "first_name", "last_name", "language"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comparison_has_the_same_name_in_sql_and_json() {
        for comparison in Comparison::ALL {
            assert_eq!(serde_json::json!(comparison), comparison.as_str());
        }
    }
}

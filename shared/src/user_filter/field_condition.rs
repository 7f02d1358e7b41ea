//! Conditions on what users have in a field: their names, language and address, and whatever was imported.

use serde::{Deserialize, Serialize};

/// Conditions of this kind that a filter may have.
pub const CONDITIONS_MOST: usize = 20;

/// A condition on one field.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldCondition {
    /// `email`, `first_name`, `last_name`, `language`, or the name of an imported field.
    pub field: String,
    /// How its value is compared. Capital letters make no difference.
    pub op: Comparison,
    /// What it is compared with; none for `empty` and `not_empty`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

/// How a value is compared.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Comparison {
    /// It is this text.
    Is,
    /// It is another text, or there is none.
    IsNot,
    /// It has this text in it.
    Contains,
    /// It does not have this text in it.
    NotContains,
    /// There is no value.
    Empty,
    /// There is a value.
    NotEmpty,
    /// It is a date before this one.
    Before,
    /// It is a date after this one.
    After,
}

impl Comparison {
    /// All of them, in the order of forms.
    pub const ALL: [Self; 8] = [
        Self::Is,
        Self::IsNot,
        Self::Contains,
        Self::NotContains,
        Self::Empty,
        Self::NotEmpty,
        Self::Before,
        Self::After,
    ];

    /// The word used in SQL, JSON and forms.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Is => "is",
            Self::IsNot => "is_not",
            Self::Contains => "contains",
            Self::NotContains => "not_contains",
            Self::Empty => "empty",
            Self::NotEmpty => "not_empty",
            Self::Before => "before",
            Self::After => "after",
        }
    }

    /// Whether it compares with a value.
    pub const fn needs_value(self) -> bool {
        !matches!(self, Self::Empty | Self::NotEmpty)
    }

    /// Whether it compares with a date.
    pub const fn needs_date(self) -> bool {
        matches!(self, Self::Before | Self::After)
    }
}

/// The fields that every user has beside the imported ones.
pub const OWN_FIELDS: [&str; 4] = ["email", "first_name", "last_name", "language"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comparison_is_written_as_it_is_serialised() {
        for comparison in Comparison::ALL {
            assert_eq!(serde_json::json!(comparison), comparison.as_str());
        }
    }
}

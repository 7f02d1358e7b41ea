//! Import modes: whether users are created, updated or both.

use serde::{Deserialize, Serialize};

crate::named_enum! {
    /// Which users an import creates or updates.
    #[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub enum ImportMode {
        /// Creates users and updates existing ones.
        #[default]
        CreateAndUpdate = "create_and_update",
        /// Creates users. Rows of existing users are ignored.
        CreateOnly = "create_only",
        /// Updates existing users. All other rows are ignored.
        UpdateOnly = "update_only",
    }
}

impl ImportMode {
    /// The mode with this name; the default for an unknown name.
    pub fn of(name: &str) -> Self {
        let named = Self::ALL.into_iter().find(|mode| mode.as_str() == name);
        named.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mode_has_the_same_name_in_sql_and_json() {
        for mode in ImportMode::ALL {
            assert_eq!(serde_json::json!(mode), mode.as_str());
            assert_eq!(ImportMode::of(mode.as_str()), mode);
        }
    }
}

//! What an import does with users who exist, and with those who do not.

use serde::{Deserialize, Serialize};

/// Which users an import creates or updates.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImportMode {
    /// It creates users and updates those who exist.
    #[default]
    CreateAndUpdate,
    /// It creates users. Rows of those who exist are ignored.
    CreateOnly,
    /// It updates users who exist. The other rows are ignored.
    UpdateOnly,
}

impl ImportMode {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::CreateAndUpdate, Self::CreateOnly, Self::UpdateOnly];

    /// The word used in SQL, JSON and URLs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CreateAndUpdate => "create_and_update",
            Self::CreateOnly => "create_only",
            Self::UpdateOnly => "update_only",
        }
    }

    /// The mode of this name; the usual one for any other.
    pub fn of(name: &str) -> Self {
        let named = Self::ALL.into_iter().find(|mode| mode.as_str() == name);
        named.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mode_is_written_as_it_is_serialised() {
        for mode in ImportMode::ALL {
            assert_eq!(serde_json::json!(mode), mode.as_str());
            assert_eq!(ImportMode::of(mode.as_str()), mode);
        }
    }
}

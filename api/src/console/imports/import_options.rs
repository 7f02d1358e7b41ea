//! Import options: which users a file creates or updates, and what empty cells do.

use shared::store::imports::{Import, ImportMode};

/// The selected options.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct ChosenOptions {
    /// Whether users are created, updated or both.
    pub(super) mode: ImportMode,
    /// Whether an empty cell clears the value.
    pub(super) clears_empty: bool,
}

/// A mode as an option of the form.
pub(super) struct ModeChoice {
    /// Its form value.
    pub(super) value: &'static str,
    /// Its label.
    pub(super) label: &'static str,
    /// What it does, as a hint.
    pub(super) hint: &'static str,
    /// Whether it is selected.
    pub(super) is_chosen: bool,
}

impl ChosenOptions {
    /// The options of an import.
    pub(super) const fn of(import: &Import) -> Self {
        Self {
            mode: import.mode,
            clears_empty: import.clears_empty,
        }
    }

    /// Reads the options from form values.
    pub(super) fn read(mode: &str, empty: &str) -> Self {
        Self {
            mode: ImportMode::of(mode),
            clears_empty: empty == "clear",
        }
    }

    /// All modes, as options of the form.
    pub(super) fn modes(self) -> [ModeChoice; 3] {
        ImportMode::ALL.map(|mode| {
            let (label, hint) = words(mode);
            ModeChoice {
                value: mode.as_str(),
                label,
                hint,
                is_chosen: mode == self.mode,
            }
        })
    }

    /// Form value for what an empty cell does.
    pub(super) const fn empty(self) -> &'static str {
        if self.clears_empty { "clear" } else { "keep" }
    }

    /// Options that differ from the default, in sentences.
    pub(super) fn sentences(self) -> Vec<String> {
        let mut sentences = Vec::new();
        if self.mode != ImportMode::default() {
            let (label, hint) = words(self.mode);
            sentences.push(format!("{label}: {hint}"));
        }
        if self.clears_empty {
            sentences.push("Empty cells clear the user’s current value.".to_owned());
        }
        sentences
    }
}

const fn words(mode: ImportMode) -> (&'static str, &'static str) {
    match mode {
        ImportMode::CreateAndUpdate => (
            "Create and update",
            "New people are added and existing users are updated.",
        ),
        ImportMode::CreateOnly => ("Create only", "Rows of existing users are ignored."),
        ImportMode::UpdateOnly => ("Update only", "Rows of people who are not users yet are ignored."),
    }
}

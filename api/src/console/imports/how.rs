//! How to import: which users a file creates or updates, and what its empty cells do.

use shared::store::imports::{Import, ImportMode};

/// What was chosen, for a form.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct How {
    /// Which users are created or updated.
    pub(super) mode: ImportMode,
    /// Whether an empty cell clears the value.
    pub(super) clears_empty: bool,
}

/// One of the modes, as a form offers it.
pub(super) struct ModeChoice {
    /// The word in the form.
    pub(super) value: &'static str,
    /// What it is called.
    pub(super) label: &'static str,
    /// What it does.
    pub(super) hint: &'static str,
    /// Whether it is chosen.
    pub(super) is_chosen: bool,
}

impl How {
    /// How a file was imported, or is to be.
    pub(super) const fn of(import: &Import) -> Self {
        Self {
            mode: import.mode,
            clears_empty: import.clears_empty,
        }
    }

    /// Reads a form's fields.
    pub(super) fn read(mode: &str, empty: &str) -> Self {
        Self {
            mode: ImportMode::of(mode),
            clears_empty: empty == "clear",
        }
    }

    /// The modes.
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

    /// The word in the form for what an empty cell does.
    pub(super) const fn empty(self) -> &'static str {
        if self.clears_empty { "clear" } else { "keep" }
    }

    /// What differs from the usual, in sentences; empty if nothing does.
    pub(super) fn sentences(self) -> Vec<String> {
        let mut sentences = Vec::new();
        if self.mode != ImportMode::default() {
            let (label, hint) = words(self.mode);
            sentences.push(format!("{label}: {hint}"));
        }
        if self.clears_empty {
            sentences.push("Empty cells clear the value that a user has.".to_owned());
        }
        sentences
    }
}

const fn words(mode: ImportMode) -> (&'static str, &'static str) {
    match mode {
        ImportMode::CreateAndUpdate => (
            "Create and update",
            "New people become users, and users who exist get the new details.",
        ),
        ImportMode::CreateOnly => ("Create only", "Rows of users who exist already are ignored."),
        ImportMode::UpdateOnly => ("Update only", "Rows of people who are not users yet are ignored."),
    }
}

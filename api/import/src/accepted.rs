//! The kinds of values that look damaged, and which of them a caller accepts.

/// The code of texts with line breaks or tabs, which are imported in one line.
pub(super) const IN_ONE_LINE: &str = "control_character";

/// The kinds, with a label for people. Their codes are those of the problems.
const KINDS: [(&str, &str); 19] = [
    ("lost_letter", "Lost letters"),
    ("double_encoded", "Garbled letters"),
    ("html_entity", "HTML codes"),
    ("encoded_text", "Encoded text"),
    ("placeholder", "Words for “nothing”"),
    ("not_a_name", "Values that are no names"),
    ("number_as_name", "Numbers as names"),
    ("became_a_date", "Names that became dates"),
    ("spreadsheet_error", "Spreadsheet errors"),
    ("shortened_number", "Shortened numbers"),
    ("serial_date", "Dates as numbers"),
    ("impossible_date", "Dates that do not exist"),
    ("mistyped_domain", "Mistyped domains"),
    ("shared_address", "Shared addresses"),
    ("unread_address", "Addresses that are not read"),
    ("guest_sign_in_name", "Sign-in names of guests"),
    ("example_row", "The example of the template"),
    ("language_invalid", "Unknown languages, which are left out"),
    (IN_ONE_LINE, "Line breaks, which become spaces"),
];

/// The label of a kind of damage; `None` if no such problem can be accepted.
pub fn acceptable_kind(code: &str) -> Option<&'static str> {
    KINDS.iter().find(|(kind, _)| *kind == code).map(|(_, label)| *label)
}

/// The kinds of damage whose values are imported as they are: a bit for each of `KINDS`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accepted(u32);

impl Accepted {
    /// No kind.
    pub const NONE: Self = Self(0);

    /// Every kind.
    pub const ALL: Self = Self(u32::MAX);

    /// The kinds with these codes.
    ///
    /// # Errors
    ///
    /// The first code that no kind has.
    pub fn of<'a>(codes: impl IntoIterator<Item = &'a str>) -> Result<Self, &'a str> {
        let mut accepted = Self::NONE;
        for code in codes {
            let at = place(code).ok_or(code)?;
            accepted.0 |= 1 << at;
        }
        Ok(accepted)
    }

    /// The codes that there are.
    pub fn codes() -> impl Iterator<Item = &'static str> {
        KINDS.iter().map(|(code, _)| *code)
    }

    /// Whether values of this kind are imported.
    pub(super) fn includes(self, code: &str) -> bool {
        // Called for every cell, and most callers accept all kinds or none.
        match self {
            Self::NONE => false,
            Self::ALL => true,
            Self(kinds) => place(code).is_some_and(|at| kinds & (1 << at) != 0),
        }
    }
}

fn place(code: &str) -> Option<usize> {
    KINDS.iter().position(|(kind, _)| *kind == code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_named_kinds_are_accepted() {
        let accepted = Accepted::of(["shared_address", "lost_letter"]).unwrap();

        let included: Vec<&str> = Accepted::codes().filter(|code| accepted.includes(code)).collect();
        assert_eq!(included, ["lost_letter", "shared_address"]);
        assert!(Accepted::codes().all(|code| Accepted::ALL.includes(code) && !Accepted::NONE.includes(code)));
        assert_eq!(Accepted::of(["shared_address", "email_invalid"]), Err("email_invalid"));
    }

    #[test]
    fn every_kind_of_damage_is_in_the_table() {
        let mut sources = String::new();
        for folder in ["src", "src/damage"] {
            let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
            let files = std::fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path());
            for path in files.filter(|path| path.is_file()) {
                sources.push_str(&std::fs::read_to_string(path).unwrap());
            }
        }
        let codes = sources.split("Damage::new(").skip(1).filter_map(|after| {
            let code = after.trim_start().strip_prefix('"')?.split('"').next()?;
            code.bytes()
                .all(|b| b.is_ascii_lowercase() || b == b'_')
                .then_some(code)
        });
        let codes: Vec<&str> = codes.collect();
        assert!(codes.len() > 10);
        for code in codes {
            assert!(acceptable_kind(code).is_some(), "{code}");
        }
    }
}

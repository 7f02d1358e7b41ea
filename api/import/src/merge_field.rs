//! Which keys and column names can be merge fields.

use super::header::{field_name, normalised, passwords_in};
use super::text::shown;

/// Merge fields that no import may fill, normalised: Beckon fills them itself. `organization` is read as `organisation`
/// in an email, so a column with that name would never be used.
const RESERVED: [&str; 6] = [
    "password",
    "organisation",
    "organization",
    "signinurl",
    "passwordexpires",
    "fullname",
];

/// The merge field for a key in `fields`, or why it cannot be one.
pub(super) fn merge_field(key: &str) -> Result<String, (&'static str, String)> {
    let normalised = normalised(key);
    if passwords_in(key).is_some() {
        let message = format!(
            "‘{}’ is about passwords, which Beckon never imports – leave it out",
            shown(key)
        );
        return Err(("reserved_field", message));
    }
    if is_reserved(&normalised) {
        let message = format!("Beckon fills ‘{}’ by itself – rename it or leave it out", shown(key));
        return Err(("reserved_field", message));
    }
    if is_own_field(&normalised) {
        let message = format!("‘{}’ belongs beside ‘fields’, not in it", shown(key));
        return Err(("reserved_field", message));
    }
    field_name(key).ok_or_else(|| {
        let message = format!(
            "‘{}’ cannot be a field – a name must start with a letter and have 64 letters or digits at most",
            shown(key)
        );
        ("field_name_invalid", message)
    })
}

/// Whether this is the normalised name of a merge field that Beckon fills itself.
pub(super) fn is_reserved(normalised: &str) -> bool {
    RESERVED.contains(&normalised)
}

/// Whether this is the normalised name of a built-in value.
fn is_own_field(normalised: &str) -> bool {
    matches!(
        normalised,
        "email" | "emailaddress" | "firstname" | "lastname" | "language"
    )
}

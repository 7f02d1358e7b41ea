//! Guesses the intended key for an unknown one.

use super::normalised;

/// The entry of `known` that `key` probably means.
pub(super) fn nearest(key: &str, known: &[&'static str]) -> Option<&'static str> {
    let typed = normalised(key);
    // A key far longer than any of ours is not a typo.
    if typed.len() > 16 {
        return None;
    }
    let meant = |known: &&&str| {
        let known = normalised(known);
        (typed.len() >= 4 && known.starts_with(&typed)) || strsim::levenshtein(&typed, &known) <= 2
    };
    known.iter().find(meant).copied()
}

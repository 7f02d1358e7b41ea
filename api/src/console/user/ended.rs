//! Sentences about what a change or a lock ended.

use crate::console::format::some;
use shared::store::users::Ended;
use std::fmt::Write as _;

/// Sentences to append, each with a leading space; empty if nothing ended.
pub(super) fn consequences(ended: &Ended) -> String {
    let mut sentences = String::new();
    if ended.passwords > 0 {
        let passwords = some(ended.passwords, "password", "passwords");
        let _ = write!(sentences, " {passwords} stopped working.");
    }
    let cancelled = ended.mails.cancelled + ended.mails.in_hand;
    if cancelled > 0 {
        let mails = some(cancelled, "password email was", "password emails were");
        let _ = write!(sentences, " {mails} cancelled.");
    }
    sentences
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::store::credentials::Cancelled;

    #[test]
    fn what_ended_is_counted_and_what_did_not_is_left_out() {
        let ended = |passwords, cancelled, in_hand| Ended {
            passwords,
            mails: Cancelled { cancelled, in_hand },
        };

        assert_eq!(consequences(&ended(0, 0, 0)), "");
        assert_eq!(consequences(&ended(1, 0, 0)), " 1 password stopped working.");
        assert_eq!(
            consequences(&ended(2, 1, 1)),
            " 2 passwords stopped working. 2 password emails were cancelled."
        );
    }
}

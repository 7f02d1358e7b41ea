//! Which of a person's verifiers a candidate matches, at the cost of one hash.
//!
//! Every check computes one hash of full cost, for the chosen password or for a dummy, and beside it
//! a fixed number of light ones: six, or a multiple of six for a person to whom more mails may have
//! arrived. So the time tells neither whether a person exists nor which password matched
//! (ASVS 5.0, 6.3.8).
//!
//! **Generated passwords of earlier releases** have a verifier of full cost, and a person may have 25
//! of them. They have 20 signs, so a candidate that has not cannot match and none is computed; for
//! one that has, the two newest are checked. That bounds a check at three hashes and
//! shows who still has such a password; it ends when the last of them expires, a week after the
//! upgrade at most. Older mails of that person stop working with the upgrade.

use super::hasher::{dummy_verifier, light_dummy_verifier};
use super::{ALPHABET, Form, Hasher, Verifier, comparable};

/// Light verifiers that are checked for everybody: a person's usual most, five unused mailed
/// passwords and one more.
const LIGHT_STEP: usize = 6;

/// Signs of the passwords that earlier releases generated.
const EARLIER_SIGNS: usize = 20;

/// Verifiers of such passwords that are checked.
const EARLIER_MAX: usize = 2;

/// The first of `verifiers`, newest first, that matches `candidate`.
pub(super) fn first_match(hasher: &mut Hasher, verifiers: &[(Verifier, Form)], candidate: &str) -> Option<usize> {
    let (costly, light): (Vec<_>, Vec<_>) = verifiers
        .iter()
        .enumerate()
        .partition(|(_, (verifier, _))| verifier.is_costly());
    let of_form = |wanted: Form| costly.iter().filter(move |(_, (_, form))| *form == wanted);
    let earlier = if is_like_earlier(candidate) { EARLIER_MAX } else { 0 };
    let compared: Vec<_> = of_form(Form::Chosen)
        .take(1)
        .chain(of_form(Form::Generated).take(earlier))
        .chain(&light)
        .copied()
        .collect();

    if !compared.iter().any(|(_, (verifier, _))| verifier.is_costly()) {
        hasher.verify(&dummy_verifier(), candidate, Form::Chosen);
    }
    for _ in light.len()..light.len().max(1).next_multiple_of(LIGHT_STEP) {
        hasher.verify(&light_dummy_verifier(), candidate, Form::Generated);
    }
    // Not `find`: each is checked whichever matches.
    compared.into_iter().fold(None, |found, (at, (verifier, form))| {
        let matches = hasher.verify(verifier, candidate, *form);
        found.or(matches.then_some(at))
    })
}

/// Whether an earlier release may have generated it.
fn is_like_earlier(candidate: &str) -> bool {
    let signs = comparable(candidate, Form::Generated);
    signs.len() == EARLIER_SIGNS && signs.bytes().all(|sign| ALPHABET.contains(&sign))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{chosen, earlier, generated, salt};
    use super::super::{Password, os_randomness};
    use super::*;

    /// Hashes of full cost that a check computes.
    fn costly_hashes(verifiers: &[(Verifier, Form)], candidate: &str) -> usize {
        let mut hasher = Hasher::new();
        first_match(&mut hasher, verifiers, candidate);
        hasher.costly_hashes
    }

    fn made(password: &Password) -> (Verifier, Form) {
        let verifier = Hasher::new().hash(password, &salt()).unwrap();
        (verifier, password.form())
    }

    #[test]
    fn a_check_costs_one_full_hash_whatever_is_stored() {
        let own = made(&chosen());
        let mailed: Vec<_> = std::iter::repeat_with(|| Password::generate(&mut os_randomness()).unwrap())
            .take(24)
            .map(|password| made(&password))
            .collect();
        let earlier: Vec<_> = std::iter::repeat_n(earlier().1, 24)
            .map(|verifier| (verifier, Form::Generated))
            .collect();
        let everything = [vec![own.clone()], mailed.clone(), earlier.clone()].concat();

        for verifiers in [&[][..], &[own], &mailed, &earlier, &everything] {
            for candidate in [
                "wrong",
                "",
                "abcde-fghjk-mnpqr-stuvw-xyz",
                "correct horse battery staple",
            ] {
                assert_eq!(costly_hashes(verifiers, candidate), 1, "{} stored", verifiers.len());
            }
        }
        let like_earlier = costly_hashes(&everything, "abcde-fghjk-mnpqr-stuvw");
        assert_eq!(like_earlier, 1 + EARLIER_MAX);
    }

    #[test]
    fn a_password_matches_beside_those_of_other_kinds() {
        let (own, mailed) = (chosen(), generated());
        let (earlier_shown, earlier_verifier) = earlier();
        let verifiers = [made(&own), made(&mailed), (earlier_verifier, Form::Generated)];
        let found = |candidate: &str| first_match(&mut Hasher::new(), &verifiers, candidate);

        assert_eq!(found(own.expose_for_mail()), Some(0));
        assert_eq!(found(mailed.expose_for_mail()), Some(1));
        assert_eq!(found(&earlier_shown.to_uppercase()), Some(2));
        assert_eq!(found("abcde-fghjk-mnpqr-stuvw"), None);
    }

    #[test]
    fn a_verifier_that_cannot_be_read_costs_as_much_as_a_stranger() {
        let broken = (Verifier::from_stored("plain".to_owned()), Form::Chosen);
        assert_eq!(costly_hashes(&[broken], "wrong"), 1);
    }
}

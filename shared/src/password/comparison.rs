//! Which of a person's verifiers a candidate matches, at a cost that does not depend on the person.
//!
//! Every check computes one hash of full cost, for the chosen password or for a dummy, and beside it
//! a fixed number of light ones: six, or a multiple of six for a person to whom more mails may have
//! arrived. So the time tells neither whether a person exists nor which password matched
//! (ASVS 5.0, 6.3.8).
//!
//! **Mailed passwords of full cost** (`BECKON_MAILED_PASSWORD_COST=owasp`). A candidate that has not the
//! shape of one cannot match and none is computed. For one that has, the six newest are checked, and
//! dummies in the place of those that the person has not: seven full hashes, 0.13 s, for everybody. Where the
//! setting is `light` and some are left from before, only they are computed; until they expire, the time
//! shows who has one.
//!
//! **Generated passwords of earlier releases** have a verifier of full cost, and a person may have 25
//! of them. They have 20 signs; for a candidate that has as many, the two newest are checked. That shows
//! who still has such a password, and ends when the last of them expires, a week after the
//! upgrade at most. Older mails of that person stop working with the upgrade.

use super::hasher::{dummy_verifier, light_dummy_verifier};
use super::{ALPHABET, Cost, Form, Hasher, SIGNS, Verifier, comparable};

/// Light verifiers that are checked for everybody: a person's usual most, five unused mailed
/// passwords and one more.
const LIGHT_STEP: usize = 6;

/// Verifiers of full cost of mailed passwords that are checked: as many.
const COSTLY_MAX: usize = LIGHT_STEP;

/// Signs of the passwords that earlier releases generated.
const EARLIER_SIGNS: usize = 20;

/// Verifiers of such passwords that are checked.
const EARLIER_MAX: usize = 2;

/// A verifier and its place among those that were given.
type Placed<'v> = (usize, &'v (Verifier, Form));

/// The first of `verifiers`, newest first, that matches `candidate`; `mailed_cost` is the cost that verifiers of
/// mailed passwords are made at.
pub(super) fn first_match(
    hasher: &mut Hasher,
    verifiers: &[(Verifier, Form)],
    candidate: &str,
    mailed_cost: Cost,
) -> Option<usize> {
    let (costly, light) = by_cost(verifiers);
    let of_form = |wanted: Form| costly.iter().filter(move |(_, (_, form))| *form == wanted);
    let mailed = match generated_signs(candidate) {
        Some(SIGNS) => COSTLY_MAX,
        Some(EARLIER_SIGNS) => EARLIER_MAX,
        _ => 0,
    };
    let costly: Vec<_> = of_form(Form::Chosen)
        .take(1)
        .chain(of_form(Form::Generated).take(mailed))
        .copied()
        .collect();
    let padded = if mailed_cost == Cost::Full { mailed } else { 0 };
    for _ in costly.len()..=padded {
        hasher.verify(&dummy_verifier(), candidate, Form::Chosen);
    }
    first_of(hasher, &costly, candidate).or(first_among_light(hasher, &light, candidate))
}

/// The first of those `verifiers` of mailed passwords that are light which matches `candidate`.
pub(super) fn first_light_match(hasher: &mut Hasher, verifiers: &[(Verifier, Form)], candidate: &str) -> Option<usize> {
    let (_, mut light) = by_cost(verifiers);
    light.retain(|(_, (_, form))| *form == Form::Generated);
    first_among_light(hasher, &light, candidate)
}

/// Whether a candidate has the shape of a mailed password.
pub fn is_like_mailed(candidate: &str) -> bool {
    generated_signs(candidate) == Some(SIGNS)
}

/// Those of full cost, and the others.
fn by_cost(verifiers: &[(Verifier, Form)]) -> (Vec<Placed<'_>>, Vec<Placed<'_>>) {
    verifiers
        .iter()
        .enumerate()
        .partition(|(_, (verifier, _))| verifier.is_costly())
}

fn first_among_light(hasher: &mut Hasher, light: &[Placed<'_>], candidate: &str) -> Option<usize> {
    for _ in light.len()..light.len().max(1).next_multiple_of(LIGHT_STEP) {
        hasher.verify(&light_dummy_verifier(), candidate, Form::Generated);
    }
    first_of(hasher, light, candidate)
}

/// Not `find`: each is checked whichever matches.
fn first_of(hasher: &mut Hasher, verifiers: &[Placed<'_>], candidate: &str) -> Option<usize> {
    verifiers.iter().fold(None, |found, (at, (verifier, form))| {
        let matches = hasher.verify(verifier, candidate, *form);
        found.or(matches.then_some(*at))
    })
}

/// How many signs the candidate has if all of them are those of generated passwords.
fn generated_signs(candidate: &str) -> Option<usize> {
    let signs = comparable(candidate, Form::Generated);
    signs
        .bytes()
        .all(|sign| ALPHABET.contains(&sign))
        .then_some(signs.len())
}

#[cfg(test)]
mod tests {
    use super::super::tests::{chosen, earlier, generated, salt};
    use super::super::{Password, os_randomness};
    use super::*;

    /// Hashes of full cost that a check computes.
    fn costly_hashes(verifiers: &[(Verifier, Form)], candidate: &str) -> usize {
        costly_hashes_at(Cost::Light, verifiers, candidate)
    }

    fn costly_hashes_at(mailed_cost: Cost, verifiers: &[(Verifier, Form)], candidate: &str) -> usize {
        let mut hasher = Hasher::new();
        first_match(&mut hasher, verifiers, candidate, mailed_cost);
        hasher.costly_hashes
    }

    fn mailed(cost: Cost) -> Password {
        Password::generate(&mut os_randomness()).unwrap().with_cost(cost)
    }

    /// Has the shape of a mailed password.
    const LIKE_MAILED: &str = "abcde-fghjk-mnpqr-stuvw-xyz";

    /// Has one sign more.
    const LIKE_MAILED_BUT_ONE: &str = "abcde-fghjk-mnpqr-stuvw-xyz2";

    fn made(password: &Password) -> (Verifier, Form) {
        let verifier = Hasher::new().hash(password, &salt()).unwrap();
        (verifier, password.form())
    }

    #[test]
    fn a_check_costs_one_full_hash_whatever_is_stored() {
        let own = made(&chosen());
        let mailed: Vec<_> = std::iter::repeat_with(|| made(&mailed(Cost::Light))).take(24).collect();
        let earlier: Vec<_> = std::iter::repeat_n(earlier().1, 24)
            .map(|verifier| (verifier, Form::Generated))
            .collect();
        let everything = [vec![own.clone()], mailed.clone(), earlier.clone()].concat();

        for verifiers in [&[][..], std::slice::from_ref(&own), &mailed, &earlier, &everything] {
            for candidate in ["wrong", "", LIKE_MAILED_BUT_ONE, "correct horse battery staple"] {
                assert_eq!(costly_hashes(verifiers, candidate), 1, "{} stored", verifiers.len());
            }
        }
        let without_earlier = [vec![own], mailed].concat();
        assert_eq!(costly_hashes(&without_earlier, LIKE_MAILED), 1);
        // Those of earlier releases look like mailed ones that were made at full cost.
        assert_eq!(costly_hashes(&everything, LIKE_MAILED), 1 + COSTLY_MAX);
        let like_earlier = costly_hashes(&everything, "abcde-fghjk-mnpqr-stuvw");
        assert_eq!(like_earlier, 1 + EARLIER_MAX);
    }

    #[test]
    fn with_mailed_passwords_of_full_cost_a_check_costs_as_much_for_everybody() {
        let own = made(&chosen());
        let mailed: Vec<_> = std::iter::repeat_with(|| made(&mailed(Cost::Full))).take(8).collect();
        let everything = [vec![own.clone()], mailed.clone()].concat();

        for verifiers in [&[][..], &[own], &mailed[..1], &mailed, &everything] {
            for (candidate, expected) in [("wrong", 1), (LIKE_MAILED_BUT_ONE, 1), (LIKE_MAILED, 1 + COSTLY_MAX)] {
                let hashes = costly_hashes_at(Cost::Full, verifiers, candidate);
                assert_eq!(hashes, expected, "{candidate} with {} stored", verifiers.len());
            }
        }
    }

    #[test]
    fn mailed_passwords_of_full_cost_match_also_where_the_setting_is_light_again() {
        let (before, now) = (mailed(Cost::Full), mailed(Cost::Light));
        let verifiers = [made(&chosen()), made(&now), made(&before)];

        for cost in [Cost::Light, Cost::Full] {
            let found =
                |candidate: &Password| first_match(&mut Hasher::new(), &verifiers, candidate.expose_for_mail(), cost);
            assert_eq!(
                (found(&chosen()), found(&now), found(&before)),
                (Some(0), Some(1), Some(2))
            );
        }
    }

    #[test]
    fn a_light_check_finds_mailed_passwords_and_computes_no_full_hash() {
        let (light, full) = (mailed(Cost::Light), mailed(Cost::Full));
        let verifiers = [made(&chosen()), made(&full), made(&light)];
        let mut hasher = Hasher::new();
        let mut found = |candidate: &str| first_light_match(&mut hasher, &verifiers, candidate);

        assert_eq!(found(light.expose_for_mail()), Some(2));
        assert_eq!(found(full.expose_for_mail()), None);
        assert_eq!(found(chosen().expose_for_mail()), None);
        assert_eq!(hasher.costly_hashes, 0);
    }

    #[test]
    fn a_mailed_password_is_known_by_its_shape() {
        for like in [LIKE_MAILED, "ABCDEFGHJKMNPQRSTUVWXYZ", " abcde fghjk mnpqr stuvw xyz "] {
            assert!(is_like_mailed(like), "{like}");
        }
        for other in [
            "",
            "wrong",
            LIKE_MAILED_BUT_ONE,
            "abcde-fghjk-mnpqr-stuvw-xy0",
            "abcde-fghjk-mnpqr-stuvw",
        ] {
            assert!(!is_like_mailed(other), "{other}");
        }
    }

    #[test]
    fn a_password_matches_beside_those_of_other_kinds() {
        let (own, mailed) = (chosen(), generated());
        let (earlier_shown, earlier_verifier) = earlier();
        let verifiers = [made(&own), made(&mailed), (earlier_verifier, Form::Generated)];
        let found = |candidate: &str| first_match(&mut Hasher::new(), &verifiers, candidate, Cost::Light);

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

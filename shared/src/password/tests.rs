use std::collections::BTreeMap;

use argon2::{Argon2, PasswordHash, PasswordVerifier};
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::*;

fn randomness() -> StdRng {
    StdRng::seed_from_u64(7)
}

pub(super) fn generated() -> Password {
    let Ok(password) = Password::generate(&mut randomness());
    password
}

pub(super) fn salt() -> Salt {
    let Ok(salt) = Salt::generate(&mut randomness());
    salt
}

pub(super) fn chosen() -> Password {
    Password::chosen("correct horse battery staple", &PersonalWords::default()).unwrap()
}

/// A password as earlier releases generated it, and the verifier they stored.
pub(super) fn earlier() -> (&'static str, Verifier) {
    let shown = "hjkmn-pqrst-uvwxy-z2345";
    let hashed = Zeroizing::new(shown.replace('-', ""));
    let password = Password {
        shown: hashed,
        form: Form::Chosen,
        cost: Cost::Full,
    };
    (shown, Hasher::new().hash(&password, &salt()).unwrap())
}

fn fault_of(typed: &str) -> &'static str {
    Password::chosen(typed, &PersonalWords::default())
        .err()
        .map_or("accepted", PasswordFault::code)
}

#[test]
fn a_generated_password_has_23_signs_in_groups_of_five() {
    let password = generated();
    let shown = password.expose_for_mail();

    let groups: Vec<usize> = shown.split('-').map(str::len).collect();
    assert_eq!(groups, [5, 5, 5, 5, 3], "{shown}");
    assert!(shown.bytes().all(|b| b == b'-' || ALPHABET.contains(&b)), "{shown}");
}

#[test]
fn it_is_found_in_words_that_repeat_it() {
    let password = generated();
    let shown = password.expose_for_mail().to_owned();

    assert!(password.appears_in(&format!("554 refused: Password: {shown} looks random")));
    assert!(password.appears_in(&shown.replace('-', "").to_uppercase()));
    assert!(!password.appears_in("250 2.0.0 taken"));
}

#[test]
fn each_sign_is_as_likely_as_any_other() {
    let mut randomness = randomness();
    let mut seen: BTreeMap<u8, u32> = BTreeMap::new();
    for _ in 0..20_000 {
        let Ok(password) = Password::generate(&mut randomness);
        for sign in password.hashed().bytes() {
            *seen.entry(sign).or_default() += 1;
        }
    }

    // 460,000 draws over 31 signs: 14,839 each, standard deviation 120; five of them allowed.
    assert_eq!(seen.len(), 31);
    assert!(seen.values().all(|n| n.abs_diff(14_839) < 600), "{seen:?}");
}

#[test]
fn argon2s_own_verification_accepts_our_verifiers() {
    for (password, parameters) in [
        (chosen(), "m=19456,t=2,p=1"),
        (generated(), "m=64,t=1,p=1"),
        (generated().with_cost(Cost::Full), "m=19456,t=2,p=1"),
        (chosen().with_cost(Cost::Light), "m=19456,t=2,p=1"),
    ] {
        let verifier = Hasher::new().hash(&password, &salt()).unwrap();

        let read = PasswordHash::new(verifier.as_stored()).unwrap();
        assert!(
            verifier
                .as_stored()
                .starts_with(&format!("$argon2id$v=19${parameters}$"))
        );
        assert_eq!(
            Argon2::default().verify_password(password.hashed().as_bytes(), &read),
            Ok(())
        );
        assert!(Argon2::default().verify_password(b"wrong", &read).is_err());
    }
}

#[test]
fn the_cost_of_mailed_passwords_is_light_or_owasp() {
    assert_eq!(
        (Cost::parse("light"), Cost::parse("owasp")),
        (Ok(Cost::Light), Ok(Cost::Full))
    );
    assert_eq!(Cost::parse("full"), Err("is \"full\"; write light or owasp".to_owned()));
}

#[test]
fn a_generated_password_may_be_typed_as_people_type() {
    let (mut hasher, password) = (Hasher::new(), generated());
    let verifier = hasher.hash(&password, &salt()).unwrap();
    let shown = password.expose_for_mail();
    let mut accepts = |typed: &str| hasher.verify(&verifier, typed, Form::Generated);

    assert!(accepts(shown));
    assert!(accepts(&shown.to_uppercase()));
    assert!(accepts(&shown.replace('-', "")));
    assert!(accepts(&format!(" {} \r\n", shown.replace('-', " \u{2013} "))));
    assert!(!accepts(&shown[1..]));
    assert!(!accepts(""));
}

#[test]
fn a_chosen_password_is_compared_as_typed_in_composed_form() {
    let mut hasher = Hasher::new();
    let password = Password::chosen("Crème brûlée am Morgen", &PersonalWords::default()).unwrap();
    let verifier = hasher.hash(&password, &salt()).unwrap();
    let mut accepts = |typed: &str| hasher.verify(&verifier, typed, Form::Chosen);

    assert!(accepts("Crème brûlée am Morgen"));
    assert!(accepts("Cre\u{300}me bru\u{302}le\u{301}e am Morgen"));
    assert!(!accepts("crème brûlée am morgen"));
    assert!(!accepts("Crème brûlée am Morgen "));
    assert!(!accepts("Crèmebrûléeam Morgen"));
}

#[test]
fn length_is_the_rule_for_chosen_passwords() {
    assert_eq!(fault_of("fourteen signs"), "password_too_short");
    assert_eq!(fault_of("fifteen letters"), "accepted");
    assert_eq!(fault_of("ünïcödé zählt hier"), "accepted");
    assert_eq!(fault_of("   a b c d e f g h   "), "accepted");
    assert_eq!(fault_of(&"correct horse ".repeat(73)), "accepted");
    assert_eq!(fault_of(&"x".repeat(1025)), "password_too_long");
    assert_eq!(fault_of("with a tab\tinside"), "control_character");
    assert_eq!(fault_of("with a nul\0inside it"), "control_character");
}

#[test]
fn a_password_that_is_easy_to_guess_is_refused() {
    assert_eq!(fault_of("1qaz2wsx3edc4rfv"), "password_obvious");
    let words = PersonalWords::of(["ada.lovelace@example.org"]);
    let own_address = Password::chosen("Ada.Lovelace@example.org", &words);
    assert_eq!(own_address.err(), Some(PasswordFault::Guessable));
}

#[test]
fn a_verifier_we_would_not_make_matches_nothing() {
    let mut hasher = Hasher::new();
    let made = hasher.hash(&chosen(), &salt()).unwrap().as_stored().to_owned();
    for stored in [
        String::new(),
        "plain".to_owned(),
        made.replace("argon2id", "argon2d"),
        made.replace("v=19", "v=16"),
        made.replace("m=19456", "m=4194304"),
        made.replace("t=2", "t=4000000"),
        made.replace("p=1", "p=16"),
        made.rsplit_once('$').unwrap().0.to_owned(),
        format!("{made}$"),
    ] {
        let verifier = Verifier::from_stored(stored.clone());
        assert!(
            !hasher.verify(&verifier, chosen().expose_for_mail(), Form::Chosen),
            "{stored}"
        );
    }
}

#[test]
fn a_dummy_costs_what_a_real_verifier_costs() {
    for (dummy, password) in [
        (hasher::dummy_verifier(), chosen()),
        (hasher::light_dummy_verifier(), generated()),
    ] {
        let real = Hasher::new().hash(&password, &salt()).unwrap();
        let (dummy, real) = (
            PasswordHash::new(dummy.as_stored()).unwrap(),
            PasswordHash::new(real.as_stored()).unwrap(),
        );

        assert_eq!(dummy.params, real.params);
        assert_eq!(dummy.salt.unwrap().len(), real.salt.unwrap().len());
        assert_eq!(dummy.hash.unwrap().len(), real.hash.unwrap().len());
    }
}

#[test]
fn a_verifier_does_not_print_itself() {
    assert_eq!(format!("{:?}", hasher::dummy_verifier()), "Verifier(…)");
}

#[test]
fn an_oversized_candidate_is_not_hashed() {
    let mut hasher = Hasher::new();

    assert!(!hasher.verify(&hasher::dummy_verifier(), &"x".repeat(1_000_000), Form::Chosen));
    assert!(!hasher.is_used);
}

/// Measures; run with `--release -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn measure_hashing_and_wiping() {
    let mut hasher = Hasher::new();
    let (password, salt) = (chosen(), salt());
    hasher.hash(&password, &salt).unwrap();
    for (what, wipes) in [
        ("hash", false),
        ("hash and wipe", true),
        ("hash", false),
        ("hash and wipe", true),
    ] {
        let started = std::time::Instant::now();
        for _ in 0..50 {
            hasher.hash(&password, &salt).unwrap();
            if wipes {
                hasher.wipe();
            }
        }
        println!("{what}: {:?}", started.elapsed() / 50);
    }
    let started = std::time::Instant::now();
    for _ in 0..100_000 {
        Password::generate(&mut os_randomness()).unwrap();
    }
    println!("generate: {:?}", started.elapsed() / 100_000);
}

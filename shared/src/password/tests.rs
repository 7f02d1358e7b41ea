use std::collections::BTreeMap;

use argon2::{Argon2, PasswordHash, PasswordVerifier};
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::*;

fn randomness() -> StdRng {
    StdRng::seed_from_u64(7)
}

fn generated() -> Password {
    let Ok(password) = Password::generate(&mut randomness());
    password
}

fn salt() -> Salt {
    let Ok(salt) = Salt::generate(&mut randomness());
    salt
}

fn fault_of(typed: &str) -> &'static str {
    Password::chosen(typed).err().map_or("accepted", PasswordFault::code)
}

#[test]
fn a_generated_password_has_four_groups_of_five_signs() {
    let password = generated();
    let shown = password.expose_for_mail();

    assert_eq!(shown.len(), 23);
    assert!(shown.split('-').all(|group| group.len() == 5), "{shown}");
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

    // 400,000 draws over 31 signs: 12,903 each, standard deviation 112; five of them allowed.
    assert_eq!(seen.len(), 31);
    assert!(seen.values().all(|n| n.abs_diff(12_903) < 560), "{seen:?}");
}

#[test]
fn argon2s_own_verification_accepts_our_verifier() {
    let verifier = Hasher::new().hash(&generated(), &salt()).unwrap();

    let read = PasswordHash::new(verifier.as_stored()).unwrap();
    assert!(verifier.as_stored().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
    assert_eq!(
        Argon2::default().verify_password(generated().hashed().as_bytes(), &read),
        Ok(())
    );
    assert!(Argon2::default().verify_password(b"wrong", &read).is_err());
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
    let password = Password::chosen("Crème brûlée am Morgen").unwrap();
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
fn the_first_guesses_of_anybody_are_refused() {
    for obvious in [
        "aaaaaaaaaaaaaaa",
        "123456789012345",
        "PasswordPassword",
        "abcdefghijklmnopq",
        "qwertyuiopasdfghjkl",
        "987654321098765",
        "abcabcabcabcabcabc",
    ] {
        assert_eq!(fault_of(obvious), "password_obvious", "{obvious}");
    }
}

#[test]
fn a_verifier_we_would_not_make_matches_nothing() {
    let mut hasher = Hasher::new();
    let made = hasher.hash(&generated(), &salt()).unwrap().as_stored().to_owned();
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
            !hasher.verify(&verifier, generated().expose_for_mail(), Form::Generated),
            "{stored}"
        );
    }
}

#[test]
fn the_dummy_costs_what_a_real_verifier_costs() {
    let dummy = dummy_verifier();
    let read = PasswordHash::new(dummy.as_stored()).unwrap();

    assert_eq!(read.params.to_string(), "m=19456,t=2,p=1");
    assert_eq!((read.salt.unwrap().len(), read.hash.unwrap().len()), (16, 32));
}

#[test]
fn a_verifier_does_not_print_itself() {
    assert_eq!(format!("{:?}", dummy_verifier()), "Verifier(…)");
}

#[test]
fn an_oversized_candidate_is_not_hashed() {
    let mut hasher = Hasher::new();

    assert!(!hasher.verify(&dummy_verifier(), &"x".repeat(1_000_000), Form::Chosen));
    assert!(!hasher.is_used);
}

/// Measures; run with `--release -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn measure_hashing_and_wiping() {
    let mut hasher = Hasher::new();
    let (password, salt) = (generated(), salt());
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

//! Sign-ins with an invalid password, or with an unknown address.

use std::time::{Duration, Instant};

use harness::World;

use crate::api_request::{ApiResponse, a_world, post};
use crate::json;

const WRONG: &str = "The email address or password is incorrect.";

async fn verify(world: &World, email: &str, password: &str) -> ApiResponse {
    let body = json!({ "email": email, "password": password });
    post(world, "/v1/credentials/verify", body.to_string()).answer().await
}

#[tokio::test]
async fn all_failures_have_the_same_response() {
    World::run_in(a_world().await, async |world| {
        world.person("ada@example.org").await;
        let megabyte = "x".repeat(1_000_000);

        let known = verify(world, "ada@example.org", "wrong").await;
        known.assert_wrong_password();
        for (email, password) in [
            ("ada@example.org", ""),
            ("ada@example.org", " "),
            ("ada@example.org", "-"),
            ("ada@example.org", "a\0b"),
            ("ada@example.org", megabyte.as_str()),
            ("unknown@example.org", "wrong"),
            ("", "wrong"),
            ("a\0@example.org", "wrong"),
            ("not an address", "wrong"),
            (megabyte.as_str(), "wrong"),
            ("ada@example.org' or 1=1 --", "wrong"),
        ] {
            let response = verify(world, email, password).await;
            assert_eq!(
                (response.status, &response.text),
                (known.status, &known.text),
                "{} bytes",
                email.len() + password.len()
            );
        }
    })
    .await;
}

#[tokio::test]
async fn checking_an_unknown_user_takes_as_long_as_a_known_one() {
    World::run_in(a_world().await, async |world| {
        world.people(3 * MAX_ROUNDS).await;
        let megabyte = "x".repeat(1_000_000);

        // Noise only adds time, so the fastest of several runs measures the work itself.
        let mut short = [Duration::MAX; 4];
        // A long body takes time to arrive and to be read, whether the address is known or not.
        let mut long = [Duration::MAX; 2];
        for round in 1..=MAX_ROUNDS {
            // Different addresses each time, because attempts per address are limited.
            let known = |n: usize| format!("person{}@example.org", 3 * round - n);
            let stranger = |n: usize| format!("unknown{round}.{n}@example.org");
            let cases = [
                (known(0), "wrong"),
                (stranger(0), "abcde-fghjk-mnpqr-stuvw-xyz"),
                (format!("not an address {round}"), "wrong"),
                (known(1), ""),
                (known(2), megabyte.as_str()),
                (stranger(1), megabyte.as_str()),
            ];
            for ((email, password), quickest) in cases.iter().zip(short.iter_mut().chain(&mut long)) {
                let began = Instant::now();
                verify(world, email, password).await.assert_wrong_password();
                *quickest = began.elapsed().min(*quickest);
            }
            if round > 2 && is_alike(&short) && is_alike(&long) {
                break;
            }
        }

        assert!(is_alike(&short) && is_alike(&long), "{short:?} {long:?}");
    })
    .await;
}

/// How often to measure, on a busy machine, until the noise is gone.
const MAX_ROUNDS: usize = 30;

/// Whether these times look alike to a remote observer. Without the hashes for unknown addresses they would differ a
/// hundredfold; a busy machine alone makes equal times differ by a factor of two.
fn is_alike(times: &[Duration]) -> bool {
    let (least, most) = (times.iter().min().unwrap(), times.iter().max().unwrap());
    most.as_secs_f64() < least.as_secs_f64() * 2.5
}

#[tokio::test]
async fn after_a_hundred_wrong_passwords_the_next_must_wait_for_known_and_unknown_users() {
    World::run_in(a_world().await, async |world| {
        world.person("ada@example.org").await;

        for email in ["ada@example.org", "unknown@example.org", "not an address"] {
            for _ in 0..100 {
                verify(world, email, "wrong").await.assert_wrong_password();
            }
            let mut response = verify(world, email, "wrong").await;
            // On a machine so slow that a waiting period passed meanwhile, a few more were compared.
            for _ in 0..10 {
                if response.status == 200 {
                    response.assert_wrong_password();
                    response = verify(world, email, "wrong").await;
                }
            }
            response.assert_problem(429, "too_many_tries");
            let wait: u32 = response.header("retry-after").parse().unwrap();
            assert!((1..=30).contains(&wait), "{wait}");
            let sentence = format!("Too many sign-in attempts for this address. Try again in {wait} seconds.");
            assert_eq!(response.body["detail"], sentence);
            let choose =
                json!({ "email": email.to_uppercase(), "password": "wrong", "new_password": "correct horse battery" });
            let response = post(world, "/v1/credentials/choose", choose.to_string()).answer().await;
            if email.contains('@') {
                response.assert_problem(429, "too_many_tries");
            }
        }
        verify(world, "bob@example.org", "wrong").await.assert_wrong_password();
        assert!(world.api_metric("beckon_credential_verifications_total").await > 300.0);
    })
    .await;
}

#[tokio::test]
async fn a_request_with_missing_fields_names_them() {
    World::run_in(a_world().await, async |world| {
        for (body, missing) in [
            ("{}", "email"),
            ("{\"email\":\"ada@example.org\"}", "password"),
            ("{\"password\":\"x\"}", "email"),
        ] {
            let response = post(world, "/v1/credentials/verify", body).answer().await;
            response.assert_problem(422, "json_wrong_type");
            assert!(
                response.text.contains(&format!("missing field `{missing}`")),
                "{}",
                response.text
            );
        }
        let revoke = "Send the batch or the users whose passwords to revoke.";
        for body in ["{}", "{\"users\":[]}"] {
            post(world, "/v1/credentials/revoke", body)
                .must_be_refused(422, "nothing_to_revoke", revoke)
                .await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_weak_password_cannot_be_chosen() {
    World::run_in(a_world().await, async |world| {
        let choose = |new: &str| {
            let body = json!({ "email": "ada@example.org", "password": "mailed", "new_password": new });
            post(world, "/v1/credentials/choose", body.to_string())
        };
        let unfit = [
            (
                String::new(),
                "password_too_short",
                "Password must be 15 characters or more",
            ),
            (
                "fourteen signs".to_owned(),
                "password_too_short",
                "Password must be 15 characters or more",
            ),
            (
                "x".repeat(1_025),
                "password_too_long",
                "Password must be 1,024 bytes or fewer",
            ),
            (
                "x".repeat(900_000),
                "password_too_long",
                "Password must be 1,024 bytes or fewer",
            ),
            (
                "correct horse\0battery".to_owned(),
                "control_character",
                "Password must not contain tabs, line breaks or other control characters",
            ),
            (
                "aaaaaaaaaaaaaaaa".to_owned(),
                "password_obvious",
                "Password is too easy to guess: use several unrelated words, and not your name or address",
            ),
            (
                "1qaz2wsx3edc4rfv".to_owned(),
                "password_obvious",
                "Password is too easy to guess: use several unrelated words, and not your name or address",
            ),
        ];

        for (new, code, sentence) in unfit {
            let response = choose(&new)
                .must_be_refused(422, "password_unfit", "This password cannot be used; see errors.")
                .await;
            assert_eq!(response.errors(), [(0, "new_password", code, sentence)]);
            assert!(new.is_empty() || !response.text.contains(&new), "{}", response.text);
        }
        choose("correct horse battery staple")
            .must_be_refused(422, "credentials_wrong", WRONG)
            .await;
    })
    .await;
}

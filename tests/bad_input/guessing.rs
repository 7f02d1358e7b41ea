//! Strangers guess users' passwords while users sign in.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use harness::world::PATIENCE;
use harness::{Setup, World};
use reqwest::header::{COOKIE, RETRY_AFTER, SET_COOKIE};
use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use serde_json::Value;
use shared::password::{Hasher, Password, PersonalWords, Salt, os_randomness};
use uuid::Uuid;

use crate::api_request::{ApiResponse, a_world, post};
use crate::json;

pub(crate) const OWN: &str = "correct horse battery staple";

/// Gives a user their own password.
pub(crate) async fn set_password(world: &World, user: Uuid, password: &str) {
    let password = Password::chosen(password, &PersonalWords::default()).unwrap();
    let salt = Salt::generate(&mut os_randomness()).unwrap();
    let verifier = Hasher::new().hash(&password, &salt).unwrap();
    world.store_verifier(user, verifier.as_stored(), None).await;
}

pub(crate) async fn verify(world: &World, email: &str, password: &str, client: Value) -> ApiResponse {
    let body = json!({ "email": email, "password": password, "client": client });
    post(world, "/v1/credentials/verify", body.to_string()).answer().await
}

/// Sends wrong passwords until one is refused; returns how many were compared.
pub(crate) async fn guess(world: &World, email: &str, client: &str) -> usize {
    for n in 0..40 {
        let response = verify(world, email, "wrong", json!(client)).await;
        if response.status == 429 {
            response.assert_problem(429, "too_many_tries");
            return n;
        }
        response.assert_wrong_password();
    }
    panic!("40 passwords could be tried");
}

/// A world whose console trusts a proxy on this machine for client addresses.
pub(crate) async fn a_world_behind_a_proxy() -> World {
    let setup = Setup::default()
        .workers(0)
        .api_setting("BECKON_TRUSTED_PROXIES", "127.0.0.0/8,::1");
    World::with(setup).await
}

/// Console clients that do not follow redirects.
pub(crate) struct Console<'w> {
    world: &'w World,
    pub(crate) client: Client,
}

impl<'w> Console<'w> {
    pub(crate) fn of(world: &'w World) -> Self {
        let client = Client::builder().redirect(Policy::none()).build().unwrap();
        Self { world, client }
    }

    pub(crate) async fn sign_in(&self, email: &str, password: &str, address: &str, cookie: &str) -> Response {
        let form = format!(
            "email={}&password={}",
            email.replace('@', "%40"),
            password.replace(' ', "+")
        );
        self.client
            .post(format!("{}/console/sign-in", self.world.base()))
            .header("Content-Type", "application/x-www-form-urlencoded")
            .header("X-Forwarded-For", address)
            .header(COOKIE, cookie)
            .body(form)
            .send()
            .await
            .unwrap()
    }
}

/// The device cookie that a response sets, as a browser sends it back.
fn device_of(answer: &Response) -> String {
    let cookies = answer.headers().get_all(SET_COOKIE).iter();
    let mut cookies = cookies.filter_map(|cookie| cookie.to_str().ok());
    let set = cookies.find(|cookie| cookie.starts_with("__Host-beckon-device="));
    set.and_then(|set| set.split(';').next()).unwrap().to_owned()
}

#[tokio::test]
async fn an_attacker_with_another_client_takes_no_attempt_from_a_user() {
    World::run_in(a_world().await, async |world| {
        let ada = world.person("ada@example.org").await;
        set_password(world, ada, OWN).await;

        assert!(guess(world, "ada@example.org", "198.51.100.7").await >= 10);

        let right = verify(world, "ada@example.org", OWN, json!("203.0.113.1")).await;
        assert_eq!(
            (right.status, &right.body["user"]),
            (200, &json!(ada)),
            "{}",
            right.text
        );
        // A platform that does not name its client counts as a client of its own.
        let right = verify(world, "ada@example.org", OWN, Value::Null).await;
        assert_eq!(right.body["valid"], true, "{}", right.text);
    })
    .await;
}

#[tokio::test]
async fn a_known_client_can_sign_in_while_all_others_must_wait() {
    World::run_in(a_world().await, async |world| {
        let ada = world.person("ada@example.org").await;
        set_password(world, ada, OWN).await;
        verify(world, "ada@example.org", OWN, json!("ada's phone")).await;

        let clients = (0..20).map(|n| format!("198.51.100.{n}"));
        let guesses = join_all(clients.map(|client| async {
            let client = client;
            guess(world, "ada@example.org", &client).await
        }));
        let guesses: usize = guesses.await.into_iter().sum();

        assert!((100..110).contains(&guesses), "{guesses} passwords could be tried");
        let stranger = verify(world, "ada@example.org", OWN, json!("another phone")).await;
        stranger.assert_problem(429, "too_many_tries");
        let right = verify(world, "ada@example.org", OWN, json!("ada's phone")).await;
        assert_eq!(right.body["valid"], true, "{}", right.text);
    })
    .await;
}

#[tokio::test]
async fn a_client_has_1_to_128_bytes() {
    World::run_in(a_world().await, async |world| {
        for client in [String::new(), "x".repeat(129)] {
            let response = verify(world, "ada@example.org", "wrong", json!(client)).await;
            response.assert_problem(422, "client_unfit");
        }
        let response = verify(world, "ada@example.org", "wrong", json!("x".repeat(128))).await;
        response.assert_wrong_password();
    })
    .await;
}

#[tokio::test]
async fn attempts_at_the_platform_and_at_the_console_are_separate() {
    World::run_in(a_world_behind_a_proxy().await, async |world| {
        let priya = world.administrator().await;
        let console = Console::of(world);

        for email in [priya.email.clone(), format!("console {}", priya.email)] {
            while verify(world, &email, "wrong", json!("203.0.113.1")).await.status != 429 {}
        }

        let right = console.sign_in(&priya.email, &priya.password, "203.0.113.1", "").await;
        assert_eq!(right.status(), 303);
    })
    .await;
}

#[tokio::test]
async fn an_attacker_at_another_address_locks_out_no_administrator() {
    World::run_in(a_world_behind_a_proxy().await, async |world| {
        let priya = world.administrator().await;
        let console = Console::of(world);
        let mut statuses = Vec::new();
        let mut last = None;
        while statuses.len() < 40 && !statuses.contains(&429) {
            let answer = console.sign_in(&priya.email, "wrong", "198.51.100.7", "").await;
            statuses.push(answer.status().as_u16());
            last = answer.headers().get(RETRY_AFTER).cloned();
        }

        assert!(statuses.len() > 10 && statuses.contains(&429), "{statuses:?}");
        assert!(last.is_some(), "no Retry-After");
        let right = console.sign_in(&priya.email, &priya.password, "203.0.113.1", "").await;
        assert_eq!(right.status(), 303);
        let device = device_of(&right);
        // Even from the guesser's address, once the browser is known.
        let refused = console.sign_in(&priya.email, &priya.password, "198.51.100.7", "").await;
        assert_eq!(refused.status(), 429);
        let known = console
            .sign_in(&priya.email, &priya.password, "198.51.100.7", &device)
            .await;
        assert_eq!((known.status().as_u16(), device_of(&known)), (303, device));
    })
    .await;
}

#[tokio::test]
async fn a_flood_from_200_addresses_blocks_neither_console_nor_platform() {
    World::run_in(a_world_behind_a_proxy().await, async |world| {
        let priya = world.administrator().await;
        let ada = world.person("ada@example.org").await;
        set_password(world, ada, OWN).await;
        let console = Console::of(world);
        let first = console.sign_in(&priya.email, &priya.password, "203.0.113.1", "").await;
        let device = device_of(&first);

        let began = Instant::now();
        let flood = join_all((0..400).map(|n| {
            let console = &console;
            async move {
                let (email, address) = (format!("unknown{n}@example.org"), format!("198.51.100.{}", n % 200));
                // 110 a second.
                tokio::time::sleep(Duration::from_millis(9 * n)).await;
                let answer = console.sign_in(&email, "wrong", &address, "").await;
                (answer.status().as_u16(), answer.headers().contains_key(RETRY_AFTER))
            }
        }));
        let people = async {
            let mut longest = Duration::ZERO;
            // While the flood lasts.
            while began.elapsed() < Duration::from_secs(3) {
                let started = Instant::now();
                let known = console
                    .sign_in(&priya.email, &priya.password, "203.0.113.9", &device)
                    .await;
                assert_eq!(known.status(), 303);
                let right = verify(world, "ada@example.org", OWN, Value::Null).await;
                assert_eq!(right.body["valid"], true, "{}", right.text);
                longest = longest.max(started.elapsed());
            }
            // From an unknown browser and address: first attempts are admitted among repeated ones.
            let new = console
                .sign_in(&priya.email, &priya.password, "203.0.113.200", "")
                .await;
            (longest, new.status().as_u16())
        };
        let (flood, (longest, new)) = tokio::join!(flood, people);

        let refused = flood.iter().filter(|(status, _)| matches!(status, 429 | 503)).count();
        assert!(refused > 0, "the flood was no flood");
        assert!(
            flood
                .iter()
                .all(|(status, has_retry_after)| *status == 422 || *has_retry_after),
            "{flood:?}"
        );
        assert!(longest < PATIENCE, "{longest:?}");
        assert_eq!(new, 303);
    })
    .await;
}

#[tokio::test]
async fn a_users_name_and_address_cannot_be_their_password() {
    World::run_in(a_world().await, async |world| {
        let ada = world.person("ada@example.org").await;
        let name = json!({ "first_name": "Ada Augusta", "last_name": "King-Noel-Byron, Countess of Lovelace" });
        world.rows("users").with("id", ada).set(name).await;
        set_password(world, ada, OWN).await;
        let choose = |new: &str| {
            let body = json!({ "email": "ada@example.org", "password": OWN, "new_password": new });
            post(world, "/v1/credentials/choose", body.to_string())
        };

        for new in [
            "ada@example.org",
            "Ada Augusta King-Noel-Byron, Countess of Lovelace",
            "AdA AuGuStA KiNg-NoEl-ByRoN, CoUnTeSs oF LoVeLaCe",
            "adaaugustakingnoelbyroncountessoflovelace",
            "1qaz2wsx3edc4rfv",
        ] {
            let response = choose(new)
                .must_be_refused(422, "password_unfit", "This password cannot be used; see errors.")
                .await;
            let sentence = "Password is too easy to guess: use several unrelated words, and not your name or address";
            assert_eq!(
                response.errors(),
                [(0, "new_password", "password_obvious", sentence)],
                "{new}"
            );
        }
        assert_eq!(choose("a lantern in the orchard").answer().await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn checked_and_throttled_passwords_are_audited_as_counts() {
    World::run_in(a_world_behind_a_proxy().await, async |world| {
        let priya = world.administrator().await;
        let console = Console::of(world);

        guess(world, "ada@example.org", "guesser").await;
        while console
            .sign_in(&priya.email, "wrong", "198.51.100.7", "")
            .await
            .status()
            != 429
        {}

        for action in [
            "credential_refused",
            "credential_throttled",
            "sign_in_failed",
            "sign_in_throttled",
        ] {
            let lines = world.rows("audit").with("action", action).count().await;
            // Two if a minute boundary passed meanwhile.
            assert!((1..=2).contains(&lines), "{action}: {lines} lines");
        }
    })
    .await;
}

#[tokio::test]
async fn a_weak_new_password_uses_an_attempt() {
    World::run_in(a_world().await, async |world| {
        let choose = || {
            let body = json!({
                "email": "ada@example.org", "password": "wrong", "new_password": "passwordpassword", "client": "guesser",
            });
            post(world, "/v1/credentials/choose", body.to_string()).answer()
        };

        for _ in 0..10 {
            choose().await.assert_problem(422, "password_unfit");
        }

        choose().await.assert_problem(429, "too_many_tries");
    })
    .await;
}

//! What password guessing can lock a user out of, and what it cannot.

use std::time::Duration;

use harness::World;
use serde_json::Value;
use shared::password::{Hasher, Password, Salt, os_randomness};
use uuid::Uuid;

use crate::api_request::{a_world, post};
use crate::guessing::{Console, OWN, a_world_behind_a_proxy, guess, set_password, verify};
use crate::json;

#[tokio::test]
async fn an_ipv6_network_is_one_client_however_many_networks_it_has() {
    World::run_in(a_world().await, async |world| {
        let ada = world.person("ada@example.org").await;
        set_password(world, ada, OWN).await;

        assert_eq!(guess(world, "ada@example.org", "2001:db8:1:2::3").await, 10);

        for same_48 in ["2001:db8:1:2:ffff::1", "2001:db8:1:ff::1", "2001:db8:1:ffff::1"] {
            let refused = verify(world, "ada@example.org", OWN, json!(same_48)).await;
            refused.assert_problem(429, "too_many_tries");
        }
        let right = verify(world, "ada@example.org", OWN, json!("2001:db8:2::1")).await;
        assert_eq!(right.body["valid"], true, "{}", right.text);
    })
    .await;
}

/// Gives a user a mailed password, as a worker stores it.
async fn mail_password(world: &World, user: Uuid) -> String {
    let password = Password::generate(&mut os_randomness()).unwrap();
    let salt = Salt::generate(&mut os_randomness()).unwrap();
    let verifier = Hasher::new().hash(&password, &salt).unwrap();
    let lifetime = Duration::from_hours(1);
    world.store_verifier(user, verifier.as_stored(), Some(lifetime)).await;
    password.expose_for_mail().to_owned()
}

#[tokio::test]
async fn guessing_does_not_lock_out_a_user_with_a_mailed_password() {
    World::run_in(a_world().await, async |world| {
        let ada = world.person("ada@example.org").await;
        let mailed = mail_password(world, ada).await;
        // From the school that everyone signs in from, at passwords of both kinds.
        guess(world, "ada@example.org", "the school").await;
        let mut like_mailed = Vec::new();
        while like_mailed.len() < 40 && !like_mailed.contains(&429) {
            let wrong = verify(
                world,
                "ada@example.org",
                "abcde-fghjk-mnpqr-stuvw-xyz",
                json!("the school"),
            )
            .await;
            like_mailed.push(wrong.status);
        }
        assert!(like_mailed.ends_with(&[200, 429]), "{like_mailed:?}");

        for client in [json!("the school"), Value::Null] {
            let right = verify(world, "ada@example.org", &mailed, client).await;
            assert_eq!(
                (right.status, &right.body["user"]),
                (200, &json!(ada)),
                "{}",
                right.text
            );
            assert_eq!(right.body["must_set_password"], true);
        }
        let body = json!({
            "email": "ada@example.org", "password": mailed, "new_password": OWN, "client": "the school",
        });
        let chosen = post(world, "/v1/credentials/choose", body.to_string()).answer().await;
        assert_eq!(chosen.status, 200, "{}", chosen.text);
        // Its use made the school a known client, whose attempts are counted separately.
        let right = verify(world, "ada@example.org", OWN, json!("the school")).await;
        assert_eq!(right.body["valid"], true, "{}", right.text);
    })
    .await;
}

#[tokio::test]
async fn a_correct_mailed_password_allows_ten_checks_of_new_passwords() {
    World::run_in(a_world().await, async |world| {
        let ada = world.person("ada@example.org").await;
        let mailed = mail_password(world, ada).await;
        let choose = || {
            let body = json!({ "email": "ada@example.org", "password": mailed, "new_password": "passwordpassword" });
            post(world, "/v1/credentials/choose", body.to_string()).answer()
        };

        for _ in 0..10 {
            choose().await.assert_problem(422, "password_unfit");
        }

        choose().await.assert_problem(429, "too_many_tries");
    })
    .await;
}

#[tokio::test]
async fn without_client_ten_wrong_passwords_do_not_lock_out() {
    World::run_in(a_world().await, async |world| {
        let ada = world.person("ada@example.org").await;
        set_password(world, ada, OWN).await;

        for _ in 0..30 {
            let wrong = verify(world, "ada@example.org", "wrong", Value::Null).await;
            wrong.assert_wrong_password();
        }

        let right = verify(world, "ada@example.org", OWN, Value::Null).await;
        assert_eq!(right.body["valid"], true, "{}", right.text);
    })
    .await;
}

#[tokio::test]
async fn a_client_behind_a_proxy_cannot_hide_its_address() {
    World::run_in(a_world_behind_a_proxy().await, async |world| {
        let priya = world.administrator().await;
        let console = Console::of(world);
        while console
            .sign_in(&priya.email, "wrong", "198.51.100.7", "")
            .await
            .status()
            != 429
        {}

        let request = console
            .client
            .post(format!("{}/console/sign-in", world.base()))
            .header("X-Forwarded-For", "198.51.100.7")
            .header("Forwarded", "for=203.0.113.77")
            .form(&[("email", &*priya.email), ("password", "wrong")]);
        let hidden = request.send().await.unwrap();

        assert_eq!(hidden.status(), 429);
    })
    .await;
}

//! Requests without an API key, or with an invalid one.

use harness::World;
use reqwest::Method;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::api_request::{a_world, as_stranger, ask};
use crate::json;

const MISSING: &str = "Send your API key as `Authorization: Bearer <key>`.";
const INVALID: &str = "This API key is unknown or was revoked. `beckon-api create-key` creates one.";

#[tokio::test]
async fn a_caller_without_a_key_learns_how_to_send_one() {
    World::run_in(a_world().await, async |world| {
        let response = as_stranger(world, Method::GET, "/v1/batches")
            .must_be_refused(401, "key_missing", MISSING)
            .await;
        assert_eq!(response.header("www-authenticate"), "Bearer");
        for header in ["", "Bearer", "Basic YmVja29uOng=", "Digest x", world.key()] {
            let asked = as_stranger(world, Method::GET, "/v1/batches").header("Authorization", header);
            asked.must_be_refused(401, "key_missing", MISSING).await;
        }
        let in_url = format!("/v1/batches?key={0}&access_token={0}", world.key());
        as_stranger(world, Method::GET, &in_url)
            .must_be_refused(401, "key_missing", MISSING)
            .await;
    })
    .await;
}

#[tokio::test]
async fn an_unknown_key_is_refused() {
    World::run_in(a_world().await, async |world| {
        let (good, mut other) = (world.key(), world.key().to_owned());
        other.replace_range(other.len() - 1.., if other.ends_with('A') { "B" } else { "A" });
        let long = format!("beckon_{}", "A".repeat(5_000));

        for key in [
            &other,
            "x",
            "beckon_",
            &good[1..],
            &good.to_uppercase(),
            &format!("{good}="),
            &long,
            "sk_live_1234567890",
        ] {
            let asked =
                as_stranger(world, Method::GET, "/v1/batches").header("Authorization", &format!("Bearer {key}"));
            let response = asked.must_be_refused(401, "key_invalid", INVALID).await;
            assert_eq!(response.header("www-authenticate"), "Bearer");
            assert!(
                !response.text.contains(&key[..key.len().min(12)]) || key.len() < 9,
                "{}",
                response.text
            );
        }
        for scheme in ["bearer", "BEARER"] {
            let asked =
                as_stranger(world, Method::GET, "/v1/batches").header("Authorization", &format!("{scheme} {good}"));
            assert_eq!(asked.answer().await.status, 200);
        }
    })
    .await;
}

#[tokio::test]
async fn a_revoked_key_ends_at_once() {
    World::run_in(a_world().await, async |world| {
        world.get("/v1/batches").await.expect(200);

        let revoked = world.rows("api_keys").set(json!({ "revoked_at": "now" })).await;

        assert_eq!(revoked, 1);
        ask(world, Method::GET, "/v1/batches")
            .must_be_refused(401, "key_invalid", INVALID)
            .await;
        ask(world, Method::POST, "/v1/invites")
            .json("{")
            .must_be_refused(401, "key_invalid", INVALID)
            .await;
    })
    .await;
}

#[tokio::test]
async fn an_expired_key_is_refused_with_its_date() {
    World::run_in(a_world().await, async |world| {
        let expires_at: OffsetDateTime = world.rows("api_keys").only("expires_at").await;
        let lasts = expires_at - world.now().await;
        assert!((Duration::days(364)..=Duration::days(365)).contains(&lasts), "{lasts}");

        let expired = json!({ "expires_at": "2026-01-31T12:00:00Z" });
        world.rows("api_keys").set(expired).await;

        let response = ask(world, Method::GET, "/v1/batches")
            .must_be_refused(
                401,
                "key_expired",
                "This API key expired on 2026-01-31. Create another one in the console, or with `beckon-api create-key`.",
            )
            .await;
        assert_eq!(response.header("www-authenticate"), "Bearer");
    })
    .await;
}

#[tokio::test]
async fn names_of_keys_and_administrators_are_visually_distinct() {
    World::run_in(a_world().await, async |world| {
        let settings = world.settings().to_vec();

        let key = |name: &str| vec!["create-key".to_owned(), "--name".to_owned(), name.to_owned()];
        let administrator = |name: &str| {
            let words = [
                "add-administrator",
                "--email",
                "ana@lerna.example",
                "--password-stdin",
                "--name",
                name,
            ];
            words.map(str::to_owned).to_vec()
        };
        for (arguments, expected) in [
            (key("Tests"), "a valid key has the name tests"),
            (key("tеsts"), "a valid key has the name tests"),
            (key("  TESTS "), "a valid key has the name tests"),
            (key("in\u{200b}tranet"), "invisible characters"),
            (key("intra\u{202e}ten"), "invisible characters"),
            (key(" "), "Enter a name"),
            (administrator("Priya\u{2060} Nair"), "invisible characters"),
            (administrator("Кey tests"), "must not begin like those of keys"),
        ] {
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            let (code, output) = world.run_program("beckon-api", &arguments, &settings).await.unwrap();
            assert!(code == 1 && output.contains(expected), "{arguments:?}: {code} {output}");
        }
        let made = world.rows("api_keys").count().await;
        assert_eq!(made, 1);

        // A name can be reused once its key no longer works.
        for ending in [
            json!({ "revoked_at": "now" }),
            json!({ "revoked_at": null, "expires_at": "now" }),
        ] {
            world.rows("api_keys").with("name", "tests").set(ending).await;
            let again = [
                "create-key",
                "--name",
                "tests",
                "--expires",
                "never",
                "--read-audit-log",
            ];
            let (code, output) = world.run_program("beckon-api", &again, &settings).await.unwrap();
            assert_eq!(code, 0, "{output}");
        }
        let keys: Vec<Uuid> = world.rows("api_keys").ordered_by("id").column("id").await;
        let newest = world
            .rows("api_keys")
            .with("id", keys[keys.len() - 1])
            .without("expires_at");
        assert!(newest.only::<bool>("may_read_audit_log").await);
    })
    .await;
}

#[tokio::test]
async fn an_unauthenticated_client_learns_nothing_about_what_exists() {
    World::run_in(a_world().await, async |world| {
        let user = world.person("ada@example.org").await;

        let there = as_stranger(world, Method::GET, &format!("/v1/users/{user}"))
            .answer()
            .await;
        let not_there = as_stranger(world, Method::GET, "/v1/users/00000000-0000-7000-8000-000000000000")
            .answer()
            .await;
        let nonsense = as_stranger(world, Method::GET, "/v1/users/7?limit=x").answer().await;

        assert_eq!((there.status, &there.text), (401, &not_there.text));
        assert_eq!((nonsense.status, &nonsense.text), (401, &there.text));
    })
    .await;
}

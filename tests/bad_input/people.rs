//! Batches for no users, for unknown users, and for the same user twice.

use crate::api_request::{a_world, ask, post};
use crate::json;
use harness::World;
use reqwest::Method;
use time::Duration;
use time::format_description::well_known::Rfc3339;

const UNKNOWN: &str = "00000000-0000-7000-8000-000000000001";
const NO_SELECTOR: &str = "No user is selected. Send one of users, emails, import, filter, saved_filter and everyone.";

#[tokio::test]
async fn an_empty_batch_is_refused() {
    World::run_in(a_world().await, async |world| {
        let import = world.people(1).await;
        let rejected = world.import("email\nnot an address\n").await.expect(201);

        for route in ["/v1/invites", "/v1/password-resets"] {
            for body in ["", "{}", "{\"hold_seconds\":60}"] {
                post(world, route, body)
                    .must_be_refused(422, "empty_batch", NO_SELECTOR)
                    .await;
            }
            for (body, field, sentence) in [
                (
                    json!({ "users": [] }),
                    "users",
                    "users is empty. List at least one, or send another selector.",
                ),
                (
                    json!({ "filter": {} }),
                    "filter",
                    "filter has no condition. Add one, or send {\"everyone\": true} to select every user.",
                ),
                (
                    json!({ "everyone": false }),
                    "everyone",
                    "everyone is false, so no user is selected. Send true, or another selector.",
                ),
            ] {
                let asked = post(world, route, body.to_string());
                let response = asked
                    .must_be_refused(422, "empty_batch", "No user is selected; see errors.")
                    .await;
                assert_eq!(response.errors(), [(0, field, "empty", sentence)]);
            }
            let sentence = "No user is selected. Name at least one user, or widen the filter.";
            for body in [
                json!({ "filter": { "q": "no such person" } }),
                json!({ "filter": { "import": import, "signed_in": true } }),
                json!({ "filter": { "import": UNKNOWN } }),
                json!({ "import": rejected["id"] }),
            ] {
                post(world, route, body.to_string())
                    .must_be_refused(422, "empty_batch", sentence)
                    .await;
            }
            let unknown = json!({ "import": UNKNOWN }).to_string();
            post(world, route, unknown)
                .must_be_refused(404, "not_found", "There is no such import.")
                .await;
        }
        assert_eq!(world.rows("batches").count().await, 0);
    })
    .await;
}

#[tokio::test]
async fn special_characters_in_a_search_are_literal() {
    World::run_in(a_world().await, async |world| {
        world
            .import("email,first_name\nada_l@example.org,Ada\nbob@example.org,100%\n")
            .await
            .expect(201);

        for (search, found) in [
            ("%", 1),
            ("_", 1),
            ("\\", 0),
            ("%%", 0),
            ("100%", 1),
            ("'; drop table users; --", 0),
        ] {
            let batch = post(
                world,
                "/v1/invites",
                json!({ "filter": { "q": search }, "include_recent": true }).to_string(),
            );
            let response = batch.answer().await;
            let selected = response.body["selected"].as_i64().unwrap_or_default();
            assert_eq!(selected, found, "{search:?}: {}", response.text);
        }
        assert_eq!(world.rows("users").count().await, 2);
    })
    .await;
}

#[tokio::test]
async fn two_selectors_in_one_request_are_refused() {
    World::run_in(a_world().await, async |world| {
        let import = world.people(2).await;
        let user = world.person("ada@example.org").await;
        let selectors = [
            ("users", json!([user])),
            ("emails", json!(["ada@example.org"])),
            ("import", json!(import)),
            ("filter", json!({ "q": "ada" })),
            ("everyone", json!(true)),
        ];

        for (at, (first, one)) in selectors.iter().enumerate() {
            for (second, other) in &selectors[at + 1..] {
                let body = json!({ *first: one, *second: other }).to_string();
                let sentence = format!(
                    "The request has both {first} and {second}. Send one of users, emails, import, filter, saved_filter and everyone."
                );
                for route in ["/v1/invites", "/v1/password-resets"] {
                    post(world, route, body.clone())
                        .must_be_refused(422, "several_selectors", &sentence)
                        .await;
                }
            }
        }
        assert_eq!(world.rows("batches").count().await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_user_selected_twice_gets_one_mail_and_is_counted() {
    World::run_in(a_world().await, async |world| {
        let ada = world.person("ada@example.org").await;
        let bob = world.person("bob@bücher.example").await;

        let emails = [
            "ADA@Example.ORG",
            " ada@example.org ",
            "Bob@BÜCHER.example",
            "bob@xn--bcher-kva.example",
        ];
        for (route, request, selected) in [
            ("/v1/invites", json!({ "users": [ada, ada, bob] }), 3),
            ("/v1/password-resets", json!({ "emails": emails }), 4),
        ] {
            let accepted = world.post(route, request).await.expect(202);
            assert_eq!(accepted["selected"], selected, "{accepted}");
            assert_eq!(accepted["accepted"], 2, "{accepted}");
            assert_eq!(accepted["left_out"], json!({ "duplicate": selected - 2 }), "{accepted}");
            let batch = accepted["batch"].as_str().unwrap().parse().unwrap();
            assert_eq!(world.deliveries(batch).await.len(), 2);
        }
        world.assert_sums().await;
    })
    .await;
}

#[tokio::test]
async fn unknown_addresses_are_counted_and_listed_in_the_ledger() {
    World::run_in(a_world().await, async |world| {
        let ada = world.person("ada@example.org").await;
        let by_id = world
            .post("/v1/invites", json!({ "users": [ada, UNKNOWN] }))
            .await
            .expect(202);
        assert_eq!(by_id["left_out"], json!({ "unknown_user": 1 }), "{by_id}");
        let ledger = format!("/v1/batches/{}/deliveries.csv", by_id["batch"].as_str().unwrap());
        let ledger = ask(world, Method::GET, &ledger).answer().await;
        assert!(ledger.text.contains(UNKNOWN), "{}", ledger.text);

        let emails = [
            "ada@example.org",
            "Stranger@example.org",
            "=cmd@example.org",
            "stranger@example.org",
        ];
        let request = json!({ "emails": emails });
        let accepted = world.post("/v1/password-resets", request).await.expect(202);

        assert_eq!(accepted["accepted"], 1, "{accepted}");
        assert_eq!(accepted["left_out"], json!({ "unknown_user": 3 }), "{accepted}");
        let batch = accepted["batch"].as_str().unwrap();
        let ledger = ask(world, Method::GET, &format!("/v1/batches/{batch}/deliveries.csv"))
            .answer()
            .await;
        assert_eq!(
            (ledger.status, ledger.header("content-type")),
            (200, "text/csv; charset=utf-8")
        );
        let left_out: Vec<&str> = ledger
            .text
            .lines()
            .filter(|line| line.contains("\"left_out\",\"unknown_user\""))
            .collect();
        assert_eq!(left_out.len(), 3, "{}", ledger.text);
        for named in ["Stranger@example.org", "stranger@example.org", "'=cmd@example.org"] {
            assert!(
                left_out
                    .iter()
                    .any(|line| line.split(',').any(|cell| cell == format!("\"{named}\""))),
                "{named} is not in\n{}",
                ledger.text
            );
        }
        assert!(ledger.text.starts_with("\u{feff}\"email\",\"user\""), "{}", ledger.text);
        assert_eq!(
            ledger.text.lines().count(),
            5,
            "a header and one line per selected user:\n{}",
            ledger.text
        );
        world.assert_sums().await;
    })
    .await;
}

#[tokio::test]
async fn a_batch_of_unknown_addresses_is_finished_at_once() {
    World::run_in(a_world().await, async |world| {
        let accepted = world
            .post("/v1/invites", json!({ "emails": ["a@example.org", "b@example.org"] }))
            .await
            .expect(202);

        assert_eq!(
            (&accepted["selected"], &accepted["accepted"]),
            (&json!(2), &json!(0)),
            "{accepted}"
        );
        let batch = world.batch(accepted["batch"].as_str().unwrap().parse().unwrap()).await;
        assert_eq!(batch["state"], "finished", "{batch}");
        assert!(!batch["finished_at"].is_null(), "{batch}");
        world.assert_sums().await;
    })
    .await;
}

#[tokio::test]
async fn more_users_than_a_request_may_list_are_refused() {
    World::run_in(a_world().await, async |world| {
        let response = post(
            world,
            "/v1/invites",
            json!({ "emails": vec!["a"; 400_001] }).to_string(),
        );

        let sentence =
            "400001 users are listed; the maximum per request is 400000. Select them by import or filter instead.";
        response.must_be_refused(422, "too_many_recipients", sentence).await;
    })
    .await;
}

#[tokio::test]
async fn a_start_in_the_past_or_beyond_a_year_is_rejected() {
    World::run_in(a_world().await, async |world| {
        let ada = world.person("ada@example.org").await;

        let hold = post(
            world,
            "/v1/invites",
            json!({ "users": [ada], "hold_seconds": 86_401 }).to_string(),
        )
        .answer()
        .await;
        hold.assert_problem(422, "invalid_request");
        assert_eq!(
            hold.errors(),
            [(
                0,
                "hold_seconds",
                "too_long",
                "A hold is at most 86400 seconds; use start_at to send later."
            )]
        );
        for (start, word) in START_TIMES {
            let request = json!({ "users": [ada], "start_at": start }).to_string();
            for route in ["/v1/invites", "/v1/password-resets"] {
                let response = post(world, route, request.clone()).answer().await;
                response.assert_problem(422, "invalid_request");
                let (_, field, code, message) = response.errors()[0];
                assert_eq!((field, code), ("start_at", word), "{start}: {}", response.text);
                assert!(
                    message.contains("; it is 20") && message.contains("Z now. Choose "),
                    "{message}"
                );
            }
        }
        assert_eq!(world.rows("batches").count().await, 0);
        let too_late = world.now().await + Duration::days(367);
        let too_late = json!({ "users": [ada], "start_at": too_late.format(&Rfc3339).unwrap() });
        let response = post(world, "/v1/invites", too_late.to_string()).answer().await;
        assert_eq!(response.errors()[0].2, "too_late", "{}", response.text);
    })
    .await;
}

#[tokio::test]
async fn a_request_repeated_after_its_start_gets_its_response() {
    World::run_in(a_world().await, async |world| {
        let ada = world.person("ada@example.org").await;
        let soon = world.now().await + Duration::seconds(2);
        let soon = soon.format(&Rfc3339).unwrap();
        let body = json!({ "users": [ada], "start_at": soon }).to_string();
        let send = || post(world, "/v1/invites", body.clone()).header("Idempotency-Key", "at two");
        let first = send().answer().await;
        assert_eq!(first.status, 202, "{}", first.text);
        let batch = first.body["batch"].as_str().unwrap().parse().unwrap();

        world.until(batch, "queued", 1).await;
        let again = send().answer().await;

        assert_eq!((again.status, &again.body), (202, &first.body), "{}", again.text);
        let other = post(world, "/v1/invites", body).answer().await;
        assert_eq!(other.errors()[0].2, "in_the_past", "{}", other.text);
    })
    .await;
}

/// Valid calendar times near the limits of what Postgres and Rust represent, with their error codes.
const START_TIMES: [(&str, &str); 7] = [
    ("9999-12-30T00:00:00Z", "too_late"),
    ("9999-12-31T23:59:59Z", "too_late"),
    ("9999-12-31T23:59:59-23:59", "too_late"),
    ("2099-01-01T00:00:00Z", "too_late"),
    ("2020-01-01T00:00:00Z", "in_the_past"),
    ("0000-01-01T00:00:00Z", "in_the_past"),
    ("0000-01-01T00:00:00+23:59", "in_the_past"),
];

//! Batches for nobody, for strangers, for the same person twice.

use crate::asking::{a_world, ask, post, rows_in};
use crate::json;
use reqwest::Method;

const SOMEBODY: &str = "00000000-0000-7000-8000-000000000001";
const NOBODY_CHOSEN: &str = "Nobody was chosen. Send one of users, emails, import and filter.";

#[tokio::test]
async fn a_batch_for_nobody_is_refused() {
    let world = a_world().await;
    let import = world.people(1).await;
    let rejected = world.import("email\nnot an address\n").await.expect(201);

    for route in ["/v1/invites", "/v1/password-resets"] {
        for body in [
            "",
            "{}",
            "{\"users\":[]}",
            "{\"users\":[],\"emails\":[]}",
            "{\"import\":null}",
            "{\"hold_seconds\":60}",
        ] {
            post(&world, route, body)
                .must_tell(422, "empty_batch", NOBODY_CHOSEN)
                .await;
        }
        let sentence = "Nobody was chosen. Name at least one user, or widen the filter.";
        for body in [
            json!({ "filter": { "q": "no such person" } }),
            json!({ "filter": { "import": import, "signed_in": true } }),
            json!({ "filter": { "import": SOMEBODY } }),
            json!({ "import": rejected["id"] }),
        ] {
            post(&world, route, body.to_string())
                .must_tell(422, "empty_batch", sentence)
                .await;
        }
        let unknown = json!({ "import": SOMEBODY }).to_string();
        post(&world, route, unknown)
            .must_tell(404, "not_found", "There is no such import.")
            .await;
    }
    assert_eq!(rows_in(&world, "batches").await, 0);
    world.end().await;
}

#[tokio::test]
async fn a_search_takes_its_signs_as_they_are() {
    let world = a_world().await;
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
        ("", 2),
    ] {
        let batch = post(
            &world,
            "/v1/invites",
            json!({ "filter": { "q": search }, "include_recent": true }).to_string(),
        );
        let told = batch.answer().await;
        let selected = told.body["selected"].as_i64().unwrap_or_default();
        assert_eq!(selected, found, "{search:?}: {}", told.text);
    }
    assert_eq!(rows_in(&world, "users").await, 2);
    world.end().await;
}

#[tokio::test]
async fn who_comes_twice_gets_one_mail_and_is_counted() {
    let world = a_world().await;
    let ada = world.person("ada@example.org").await;
    let bob = world.person("bob@bücher.example").await;

    let emails = [
        "ADA@Example.ORG",
        " ada@example.org ",
        "Bob@BÜCHER.example",
        "bob@xn--bcher-kva.example",
    ];
    let request = json!({ "users": [ada, ada, bob], "emails": emails });
    let accepted = world.post("/v1/invites", request).await.expect(202);

    assert_eq!(accepted["selected"], 7, "{accepted}");
    assert_eq!(accepted["accepted"], 2, "{accepted}");
    assert_eq!(accepted["left_out"], json!({ "duplicate": 5 }), "{accepted}");
    let batch = accepted["batch"].as_str().unwrap().parse().unwrap();
    assert_eq!(world.deliveries(batch).await.len(), 2);
    world.assert_sums().await;
    world.end().await;
}

#[tokio::test]
async fn strangers_are_counted_and_named_in_the_ledger() {
    let world = a_world().await;
    let ada = world.person("ada@example.org").await;

    let emails = ["Stranger@example.org", "=cmd@example.org", "stranger@example.org"];
    let request = json!({ "users": [ada, SOMEBODY], "emails": emails });
    let accepted = world.post("/v1/password-resets", request).await.expect(202);

    assert_eq!(accepted["accepted"], 1, "{accepted}");
    assert_eq!(accepted["left_out"], json!({ "unknown_user": 4 }), "{accepted}");
    let batch = accepted["batch"].as_str().unwrap();
    let ledger = ask(&world, Method::GET, &format!("/v1/batches/{batch}/deliveries.csv"))
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
    assert_eq!(left_out.len(), 4, "{}", ledger.text);
    for named in [
        SOMEBODY,
        "Stranger@example.org",
        "stranger@example.org",
        "'=cmd@example.org",
    ] {
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
        6,
        "a header and one line for everybody:\n{}",
        ledger.text
    );
    world.assert_sums().await;
    world.end().await;
}

#[tokio::test]
async fn a_batch_of_strangers_alone_is_finished_at_once() {
    let world = a_world().await;

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
    world.end().await;
}

#[tokio::test]
async fn more_people_than_a_request_may_list_are_refused() {
    let world = a_world().await;

    let told = post(
        &world,
        "/v1/invites",
        json!({ "emails": vec!["a"; 400_001] }).to_string(),
    );

    let sentence = "400001 people are listed, and one request takes 400000. Choose them by import or filter instead.";
    told.must_tell(422, "too_many_recipients", sentence).await;
    world.end().await;
}

#[tokio::test]
async fn a_start_beyond_reason_is_told_and_one_in_the_past_is_now() {
    let world = a_world().await;
    let ada = world.person("ada@example.org").await;

    let hold = post(
        &world,
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
            let told = post(&world, route, request.clone()).answer().await;
            let errors = told.errors();
            let found = errors.first().map(|error| error.2);
            assert_eq!(
                (told.status, found),
                (if word.is_some() { 422 } else { 202 }, word),
                "{start}: {}",
                told.text
            );
        }
        let batches = world.get("/v1/batches").await.expect(200);
        for batch in batches["items"].as_array().unwrap() {
            world
                .get(&format!("/v1/batches/{}", batch["id"].as_str().unwrap()))
                .await
                .expect(200);
        }
    }
    let bob = world.person("bob@example.org").await;
    let next = world.invite(json!({ "users": [bob] })).await;
    world.until(next, "queued", 1).await;
    world.end().await;
}

/// Moments that a calendar has, near the ends of what Postgres and Rust can tell, and what is wrong
/// with them.
const START_TIMES: [(&str, Option<&str>); 5] = [
    ("9999-12-30T00:00:00Z", Some("too_late")),
    ("9999-12-31T23:59:59Z", Some("too_late")),
    ("9999-12-31T23:59:59-23:59", Some("too_late")),
    ("0000-01-01T00:00:00Z", None),
    ("0000-01-01T00:00:00+23:59", None),
];

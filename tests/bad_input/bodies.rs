//! Bodies that are not JSON, or JSON of another shape.

use harness::World;
use reqwest::Method;

use crate::api_request::{a_world, ask, post};
use crate::json;

/// Routes that read JSON and do not know the user yet.
const ROUTES: [&str; 5] = [
    "/v1/invites",
    "/v1/password-resets",
    "/v1/credentials/verify",
    "/v1/credentials/revoke",
    "/v1/system-emails/invite/preview",
];

#[tokio::test]
async fn an_error_in_json_is_reported_with_its_position() {
    World::run_in(a_world().await, async |world| {
        let slips = [
            ("{\"emails\":[\"a@b.co\",]}", "line 1, column 21: trailing comma"),
            ("{\"emails\":\n [\"a@b.co\"}", "line 2, column 11: expected `,` or `]`"),
            ("{\"emails\":[]} more", "line 1, column 15: trailing characters"),
            ("{\"emails\":[]}{}", "line 1, column 14: trailing characters"),
            ("{", "line 1, column 1: EOF while parsing an object"),
            ("{'emails':[]}", "line 1, column 2: key must be a string"),
            (
                "{\"emails\":[\"\\ud800\"]}",
                "line 1, column 19: unexpected end of hex escape",
            ),
            (
                "{\"emails\":[\"a\u{0}b\"]}",
                "line 1, column 14: control character (\\u0000-\\u001F) found while parsing a string",
            ),
            ("hello", "line 1, column 1: expected value"),
            ("\u{feff}{}", "line 1, column 1: expected value"),
            ("   ", "line 1, column 3: EOF while parsing a value"),
        ];

        for (body, place) in slips {
            let sentence = format!("The body cannot be read at {place}.");
            post(world, "/v1/invites", body)
                .must_be_refused(400, "json_invalid", &sentence)
                .await;
        }
        let bytes = b"{\"emails\":[\"\xff\xfe\"]}".to_vec();
        post(world, "/v1/invites", bytes)
            .answer()
            .await
            .assert_problem(400, "json_invalid");
        assert_eq!(world.rows("batches").count().await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_deeply_nested_body_is_refused_at_every_route() {
    World::run_in(a_world().await, async |world| {
        let deep = |open: &str, close: &str| format!("{}{}", open.repeat(2_000), close.repeat(2_000));

        for route in ROUTES {
            for body in [
                deep("[", "]"),
                "[".repeat(200),
                "{\"users\":".repeat(200),
                deep("{\"emails\":[", "]}"),
            ] {
                let response = post(world, route, body).answer().await;
                assert!(matches!(response.status, 400 | 422), "{route}: {}", response.text);
                assert!(
                    response.body["detail"]
                        .as_str()
                        .is_some_and(|detail| detail.len() < 400),
                    "{}",
                    response.text
                );
            }
        }
    })
    .await;
}

#[tokio::test]
async fn an_unknown_field_is_named_with_the_known_ones() {
    World::run_in(a_world().await, async |world| {
        let response = post(world, "/v1/invites", "{\"email\":[\"a@b.co\"]}").answer().await;
        response.assert_problem(400, "unknown_field");
        let detail = response.body["detail"].as_str().unwrap();
        assert!(
            detail.starts_with("The body cannot be read at line 1, column 8: unknown field `email`"),
            "{detail}"
        );
        assert!(detail.contains("`emails`"), "{detail}");
        let nested = post(world, "/v1/invites", "{\"filter\":{\"signedin\":true}}")
            .answer()
            .await;
        nested.assert_problem(400, "unknown_field");
        assert!(nested.text.contains("`signed_in`"), "{}", nested.text);
    })
    .await;
}

#[tokio::test]
async fn quotes_of_a_body_are_short_and_printable() {
    World::run_in(a_world().await, async |world| {
        let long = "x".repeat(50_000);

        for body in [
            format!("{{\"{long}\":1}}"),
            format!("{{\"users\":\"{long}\"}}"),
            format!("{{\"users\":[\"{long}\"]}}"),
            "{\"a\\u0007\\u202eb\":1}".to_owned(),
            "{\"import\":\"a\\u0007\\u202eb\"}".to_owned(),
        ] {
            let response = post(world, "/v1/invites", body).answer().await;
            let detail = response.body["detail"].as_str().unwrap();
            assert!(matches!(response.status, 400 | 422), "{}", response.status);
            assert!(
                detail.chars().count() < 400,
                "{} characters are repeated",
                detail.chars().count()
            );
            assert!(!detail.contains(['\u{7}', '\u{202e}']), "{detail:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_duplicate_key_is_refused() {
    World::run_in(a_world().await, async |world| {
        let twice = post(world, "/v1/invites", "{\"emails\":[\"a@b.co\"],\"emails\":[]}");
        twice
            .must_be_refused(
                400,
                "json_duplicate_key",
                "The body cannot be read at line 1, column 29: duplicate field `emails`.",
            )
            .await;
        let nested = post(world, "/v1/invites", "{\"filter\":{\"q\":\"a\",\"q\":\"b\"}}")
            .answer()
            .await;
        nested.assert_problem(400, "json_duplicate_key");
        let verify = post(
            world,
            "/v1/credentials/verify",
            "{\"email\":\"a@b.co\",\"email\":\"a@b.co\",\"password\":\"x\"}",
        );
        verify.answer().await.assert_problem(400, "json_duplicate_key");
    })
    .await;
}

#[tokio::test]
async fn a_value_of_another_type_is_refused() {
    World::run_in(a_world().await, async |world| {
        let wrong = [
            json!({ "users": "all" }),
            json!({ "users": ["7"] }),
            json!({ "users": [7] }),
            json!({ "users": { "0": "x" } }),
            json!({ "emails": [null] }),
            json!({ "emails": [["a@b.co"]] }),
            json!({ "import": "people.csv" }),
            json!({ "filter": true }),
            json!({ "emails": ["a@b.co"], "hold_seconds": -1 }),
            json!({ "emails": ["a@b.co"], "hold_seconds": 1.5 }),
            json!({ "emails": ["a@b.co"], "hold_seconds": 4_294_967_296_u64 }),
            json!({ "emails": ["a@b.co"], "hold_seconds": "60" }),
            json!({ "emails": ["a@b.co"], "start_at": "tomorrow" }),
            json!({ "emails": ["a@b.co"], "start_at": 1_700_000_000 }),
            json!({ "emails": ["a@b.co"], "include_recent": "yes" }),
        ];

        for body in wrong {
            let response = post(world, "/v1/invites", body.to_string()).answer().await;
            response.assert_problem(422, "json_wrong_type");
            let detail = response.body["detail"].as_str().unwrap();
            assert!(
                detail.starts_with("The body cannot be read at line 1, column "),
                "{detail}"
            );
        }
        assert_eq!(world.rows("batches").count().await, 0);
    })
    .await;
}

#[tokio::test]
async fn an_array_is_not_accepted_as_an_object() {
    World::run_in(a_world().await, async |world| {
        world.person("ada@example.org").await;

        for (route, body) in [
            ("/v1/invites", json!([[], ["ada@example.org"]])),
            (
                "/v1/invites",
                json!([[], ["ada@example.org"], null, null, 0, null, false, false]),
            ),
            ("/v1/credentials/verify", json!(["ada@example.org", "x"])),
            (
                "/v1/credentials/revoke",
                json!(["00000000-0000-7000-8000-000000000000"]),
            ),
            ("/v1/invites", json!("all")),
            ("/v1/invites", json!(null)),
        ] {
            post(world, route, body.to_string())
                .answer()
                .await
                .assert_problem(422, "json_wrong_type");
        }
        assert_eq!(world.rows("batches").count().await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_password_of_another_type_is_not_repeated() {
    World::run_in(a_world().await, async |world| {
        for body in [
            "{\"email\":\"ada@example.org\",\"password\":31337313}",
            "{\"email\":\"ada@example.org\",\"password\":[\"31337313\"]}",
            "{\"email\":\"ada@example.org\",\"password\":\"31337313\",}",
            "{\"email\":\"ada@example.org\",\"31337313\":\"password\"}x",
            "{\"email\":\"ada@example.org\",\"password\":true,\"31337313\"",
        ] {
            for route in ["/v1/credentials/verify", "/v1/credentials/choose"] {
                let response = post(world, route, body).answer().await;
                assert!(matches!(response.status, 400 | 422), "{}", response.text);
                let is_a_name = body.contains("\"31337313\":");
                assert!(
                    is_a_name || !response.text.contains("31337313"),
                    "{route} {body}: {}",
                    response.text
                );
            }
        }
    })
    .await;
}

#[tokio::test]
async fn only_uncompressed_json_with_its_content_type_is_accepted() {
    World::run_in(a_world().await, async |world| {
        let body = "{\"emails\":[\"unknown@example.org\"]}";
        let sentence = "Send the body as JSON, with Content-Type: application/json.";

        for route in ROUTES {
            ask(world, Method::POST, route)
                .body(body)
                .must_be_refused(415, "not_json", sentence)
                .await;
            for wrong in [
                "text/plain",
                "text/csv",
                "application/x-www-form-urlencoded",
                "multipart/form-data; boundary=x",
                "json",
                "",
            ] {
                let asked = ask(world, Method::POST, route).header("Content-Type", wrong).body(body);
                asked.must_be_refused(415, "not_json", sentence).await;
            }
            let gzip = vec![
                0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xab, 0xae, 5, 0, 0x43, 0xbf, 0xa6, 0xa3, 2, 0, 0, 0,
            ];
            let asked = post(world, route, gzip).header("Content-Encoding", "gzip");
            asked.must_be_refused(415, "not_json", sentence).await;
        }
        let request = ask(world, Method::POST, "/v1/invites")
            .header("Content-Type", "Application/JSON; charset=utf-8")
            .body(body);
        assert_eq!(request.answer().await.status, 202);
    })
    .await;
}

#[tokio::test]
async fn an_import_needs_a_content_type() {
    World::run_in(a_world().await, async |world| {
        let sentence = "Send a CSV file with Content-Type: text/csv, a spreadsheet (.xlsx, .xls, .ods) with its own type, or a JSON array of users with application/json, uncompressed.";

        for wrong in [
            "",
            "text/plain",
            "application/octet-stream",
            "multipart/form-data; boundary=x",
        ] {
            let asked = ask(world, Method::POST, "/v1/imports")
                .header("Content-Type", wrong)
                .body("email\na@b.co\n");
            asked.must_be_refused(415, "not_csv", sentence).await;
        }
        let gzip = ask(world, Method::POST, "/v1/imports")
            .header("Content-Type", "text/csv")
            .header("Content-Encoding", "gzip");
        gzip.body("email\na@b.co\n")
            .must_be_refused(415, "not_csv", sentence)
            .await;
        assert_eq!(world.rows("imports").count().await, 0);
    })
    .await;
}

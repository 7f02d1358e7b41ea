//! Texts that cannot be stored or displayed: NUL, control characters, marks that reverse the reading direction.

use harness::World;
use reqwest::Method;
use uuid::Uuid;

use crate::api_request::{ApiResponse, a_world, ask, post, upload};
use crate::json;

/// What Postgres cannot store, and what would break a line of a mail, a log or a page.
const CONTROLS: [&str; 4] = ["a\u{0}b", "a\nb", "a\u{1b}[31mb", "a\u{85}b"];

#[tokio::test]
async fn a_control_character_in_a_request_is_named_with_its_field() {
    World::run_in(a_world().await, async |world| {
        world.person("ada@example.org").await;

        for text in CONTROLS {
            let address = json!({ "emails": ["ada@example.org", format!("{text}@example.org")] });
            let response = post(world, "/v1/invites", address.to_string()).answer().await;
            response.assert_problem(422, "invalid_request");
            let sentence = "Not a valid email address: it contains a control character or an invisible one";
            assert_eq!(
                response.errors(),
                [(2, "emails", "control_character", sentence)],
                "{text:?}"
            );
            let search = json!({ "filter": { "q": text } });
            let response = post(world, "/v1/invites", search.to_string()).answer().await;
            response.assert_problem(422, "invalid_request");
            let found = response.errors();
            assert_eq!(
                (found[0].1, found[0].2),
                ("filter.q", "control_character"),
                "{}",
                response.text
            );
            let outcome = json!({ "outcomes": [text] });
            let id = "00000000-0000-7000-8000-000000000000";
            let response = post(world, &format!("/v1/batches/{id}/send-again"), outcome.to_string())
                .answer()
                .await;
            response.assert_problem(422, "invalid_request");
        }
        assert_eq!(world.rows("batches").count().await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_control_character_in_a_url_is_named_with_its_parameter() {
    World::run_in(a_world().await, async |world| {
        let id = world.people(1).await;
        let batch = world.invite(json!({ "import": id })).await;

        for control in ["%00", "%0a", "%1b", "%c2%85"] {
            let paths = [
                (format!("/v1/users?q=a{control}b"), "q"),
                (format!("/v1/users?cursor=a{control}b"), "cursor"),
                (format!("/v1/batches?cursor=a{control}b"), "cursor"),
                (format!("/v1/batches/{batch}/deliveries?state=a{control}b"), "state"),
            ];
            for (path, parameter) in paths {
                let sentence = format!("{parameter} has a control character; remove it.");
                ask(world, Method::GET, &path)
                    .must_be_refused(400, "control_character", &sentence)
                    .await;
            }
            let import = ask(world, Method::POST, &format!("/v1/imports?file_name=a{control}b"));
            let import = import.header("Content-Type", "text/csv").body("email\na@b.co\n");
            let response = import.answer().await;
            assert!(
                matches!(response.status, 400 | 422) && response.text.contains("control_character"),
                "{}",
                response.text
            );
            for path in [
                "/v1/users/",
                "/v1/batches/",
                "/v1/deliveries/",
                "/v1/imports/",
                "/v1/system-emails/",
            ] {
                ask(world, Method::GET, &format!("{path}a{control}b"))
                    .answer()
                    .await
                    .assert_problem(404, "not_found");
            }
        }
        assert_eq!(world.rows("imports").count().await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_file_whose_name_has_an_invisible_character_is_not_imported() {
    World::run_in(a_world().await, async |world| {
        for invisible in ["%E2%80%AE", "%E2%80%8B", "%EF%BB%BF", "%C2%AD"] {
            let import = ask(world, Method::POST, &format!("/v1/imports?file_name=a{invisible}b.csv"));
            let import = import.header("Content-Type", "text/csv").body("email\na@b.co\n");
            let response = import.answer().await;
            response.assert_problem(422, "invalid_request");
            assert_eq!(
                response.body["errors"][0]["code"], "invisible_character",
                "{}",
                response.text
            );
        }

        assert_eq!(world.rows("imports").count().await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_control_character_in_a_user_is_named_and_no_user_is_changed() {
    World::run_in(a_world().await, async |world| {
        let user = world.person("ada@example.org").await;
        let before = world.get(&format!("/v1/users/{user}")).await.expect(200);

        for text in CONTROLS {
            for (field, change) in [
                ("email", json!({ "email": format!("{text}@example.org") })),
                ("first_name", json!({ "first_name": text })),
                ("last_name", json!({ "last_name": text })),
                ("fields.team", json!({ "fields": { "team": text } })),
            ] {
                let response = ask(world, Method::PATCH, &format!("/v1/users/{user}"))
                    .json(change.to_string())
                    .answer()
                    .await;
                response.assert_problem(422, "invalid_request");
                let found = response.errors();
                assert_eq!(
                    (found[0].1, found[0].2),
                    (field, "control_character"),
                    "{}",
                    response.text
                );
            }
        }
        let key = ask(world, Method::PATCH, &format!("/v1/users/{user}")).json("{\"fields\":{\"te\\u0000am\":\"x\"}}");
        let response = key.answer().await;
        assert_eq!(
            (response.status, &response.body["fields"]),
            (200, &json!({ "te_am": "x" })),
            "{}",
            response.text
        );
        assert_eq!(
            world.get(&format!("/v1/users/{user}")).await.expect(200)["email"],
            before["email"]
        );
    })
    .await;
}

#[tokio::test]
async fn a_control_character_in_a_system_email_is_refused_with_its_position() {
    World::run_in(a_world().await, async |world| {
        let user = world.person("ada@example.org").await;

        for text in [
            "a\u{0}b",
            "a\u{1b}b",
            "a\u{85}b",
            "{{ first_name | default(\"a\u{0}b\") }}",
            "{{ first_name | default('\u{202e}') }}",
        ] {
            for (field, subject, body) in [("subject", text, "Hello"), ("body", "Hello", text)] {
                for response in both_ways(world, user, subject, body).await {
                    response.assert_problem(422, "template_invalid");
                    let found = response.errors();
                    assert_eq!(
                        (found.len(), found[0].2),
                        (1, "control_character"),
                        "{text:?}: {}",
                        response.text
                    );
                    assert_eq!(
                        response.body["errors"][0]["field"], field,
                        "{text:?}: {}",
                        response.text
                    );
                }
            }
            let test = json!({ "to": format!("{text}@example.org") });
            let response = post(world, "/v1/system-emails/invite/test", test.to_string())
                .answer()
                .await;
            response.assert_problem(422, "invalid_request");
        }
        assert_eq!(world.rows("batches").count().await, 0);
    })
    .await;
}

#[tokio::test]
async fn direction_marks_are_allowed_in_a_system_email() {
    World::run_in(a_world().await, async |world| {
        let user = world.person("ada@example.org").await;

        for response in both_ways(world, user, "a\u{202e}b", "a\u{202e}b").await {
            assert_eq!(response.status, 200, "{}", response.text);
        }
    })
    .await;
}

/// The answers to saving this system email and to previewing it.
async fn both_ways(world: &World, user: Uuid, subject: &str, body: &str) -> [ApiResponse; 2] {
    let letter = json!({ "subject": subject, "body": body });
    let look = json!({ "user": user, "subject": subject, "body": body });
    let look = post(world, "/v1/system-emails/invite/preview", look.to_string());
    let save = ask(world, Method::PUT, "/v1/system-emails/invite").json(letter.to_string());
    [look.answer().await, save.answer().await]
}

#[tokio::test]
async fn a_control_character_in_an_import_is_rejected_and_named() {
    World::run_in(a_world().await, async |world| {
        let users = "[{\"email\":\"a\\u0000@b.co\"},{\"email\":\"c@d.co\",\"first_name\":\"A\\u0000\"},\
                      {\"email\":\"e@f.co\",\"fields\":{\"te\\u0000am\":\"x\"}},\
                      {\"email\":\"g@h.co\",\"fields\":{\"team\":\"x\\u0000\"}},{\"email\":\"i@j.co\",\"a\\u0000\":1}]";

        let response = ask(world, Method::POST, "/v1/imports").json(users).answer().await;

        assert_eq!(response.status, 201, "{}", response.text);
        assert_eq!(
            (
                &response.body["rows"],
                &response.body["created"],
                &response.body["rejected"]
            ),
            (&json!(5), &json!(1), &json!(4)),
            "{}",
            response.text
        );
        assert!(!response.text.contains("\\u0000"), "{}", response.text);
        let file = ask(world, Method::GET, response.body["problems_url"].as_str().unwrap())
            .answer()
            .await;
        assert_eq!(file.status, 200, "{}", file.text);
        assert!(!file.text.contains('\0'), "{:?}", file.text);
        let csv = upload(world, "email,first_name\na@b.co,A\u{0}da\n").answer().await;
        csv.assert_problem(422, "zero_byte");
    })
    .await;
}

#[tokio::test]
async fn a_nonsense_header_does_no_harm() {
    World::run_in(a_world().await, async |world| {
        for trace in [
            "",
            "00",
            "00-zz-zz-01",
            "00-00000000000000000000000000000000-0000000000000000-00",
            &"f".repeat(4_000),
        ] {
            let response = ask(world, Method::GET, "/v1/batches")
                .header("traceparent", trace)
                .answer()
                .await;
            assert_eq!(response.status, 200, "{trace}: {}", response.text);
            assert!(
                response.header("traceparent").starts_with("00-"),
                "{:?}",
                response.headers
            );
        }
    })
    .await;
}

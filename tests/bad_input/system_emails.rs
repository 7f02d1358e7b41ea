//! System emails that cannot be sent as they are, and callers who try to set another sender.

use harness::World;
use reqwest::Method;

use crate::api_request::{a_world, ask, post};
use crate::json;

/// A faulty system email: which one, subject and body, and the expected error: field, line and column, code, sentence.
type Fault = (
    &'static str,
    &'static str,
    &'static str,
    (&'static str, u64, &'static str, &'static str, &'static str),
);

const FAULTS: &[Fault] = &[
    (
        "invite",
        "Hello",
        "Dear {{ first_nam }},",
        (
            "body",
            1,
            "6",
            "unknown_field",
            "{{ first_nam }} is not a field. Did you mean {{ first_name }}?",
        ),
    ),
    (
        "invite",
        "Hello",
        "Line\n{{ password }}",
        (
            "body",
            2,
            "1",
            "password_in_invite",
            "The invite email must not contain {{ password }}",
        ),
    ),
    (
        "password_reset",
        "Hello",
        "No password",
        (
            "body",
            1,
            "1",
            "password_missing",
            "The Reset Password email must contain {{ password }}",
        ),
    ),
    (
        "password_reset",
        "{{ password }}",
        "{{ password }}",
        (
            "subject",
            1,
            "1",
            "password_in_subject",
            "The subject must not contain {{ password }}: others can see it",
        ),
    ),
    (
        "password_reset",
        "Hello",
        "[in](https://lerna.example/?p={{ password }})\n{{ password }}",
        (
            "body",
            1,
            "1",
            "password_in_link",
            "A link must not contain {{ password }}, neither in its text nor in its address",
        ),
    ),
    (
        "invite",
        "Hello",
        "{% for a in b %}",
        (
            "body",
            1,
            "1",
            "logic_unsupported",
            "Only fields such as {{ first_name }} are supported, no conditions or loops",
        ),
    ),
    (
        "invite",
        "Hello",
        "{{ first_name",
        (
            "body",
            1,
            "1",
            "field_not_closed",
            "There is a {{ without a }} after it",
        ),
    ),
    (
        "invite",
        "Hello",
        "{{ first_name | upper }}",
        (
            "body",
            1,
            "1",
            "unknown_filter",
            "“upper” is not supported here. Only default(\"text\") is, as in {{ first_name | default(\"there\") }}",
        ),
    ),
    (
        "invite",
        "Hello",
        "[a](http://evil.example)",
        ("body", 1, "1", "link_scheme", "Links must start with https://"),
    ),
    (
        "invite",
        "Hello",
        "![a](https://evil.example/x.png)",
        (
            "body",
            1,
            "1",
            "image_unsupported",
            "Images are not supported in these emails",
        ),
    ),
    (
        "invite",
        "Hello",
        "<script>alert(1)</script>",
        (
            "body",
            1,
            "1",
            "html_unsupported",
            "HTML is not supported here: <script>alert(1)</script>. Use Markdown, or write \\< for a plain <",
        ),
    ),
    (
        "invite",
        "",
        "Hello",
        ("subject", 1, "1", "subject_missing", "Subject: enter a subject"),
    ),
];

#[tokio::test]
async fn a_fault_in_a_system_email_is_reported_with_its_position() {
    World::run_in(a_world().await, async |world| {
        let user = world.person("ada@example.org").await;

        for (kind, subject, body, expected) in FAULTS {
            let letter = json!({ "subject": subject, "body": body });
            let look = json!({ "user": user, "subject": subject, "body": body });
            for asked in [
                ask(world, Method::PUT, &format!("/v1/system-emails/{kind}")).json(letter.to_string()),
                post(world, &format!("/v1/system-emails/{kind}/preview"), look.to_string()),
            ] {
                let sentence = "This email cannot be sent yet; see errors.";
                let response = asked.must_be_refused(422, "template_invalid", sentence).await;
                let errors = response.body["errors"].as_array().unwrap();
                assert_eq!(errors.len(), 1, "{subject:?} {body:?}: {}", response.text);
                let text = |name: &str| errors[0][name].as_str().unwrap();
                let found = (
                    text("field"),
                    errors[0]["row"].as_u64().unwrap(),
                    text("column"),
                    text("code"),
                    text("message"),
                );
                assert_eq!(found, *expected, "{}", response.text);
            }
            let saved = world.get(&format!("/v1/system-emails/{kind}")).await.expect(200);
            assert_eq!(saved["version"], 1, "{saved}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_subject_cannot_contain_a_line_break() {
    World::run_in(a_world().await, async |world| {
        let letter = json!({ "subject": "Hello\r\nBcc: all@example.org", "body": "Hello" });
        let response = ask(world, Method::PUT, "/v1/system-emails/invite").json(letter.to_string());
        let response = response.answer().await;

        response.assert_problem(422, "template_invalid");
        let first = &response.body["errors"][0];
        assert_eq!(
            (&first["field"], &first["code"], &first["message"]),
            (
                &json!("subject"),
                &json!("subject_several_lines"),
                &json!("Subject must be one line")
            ),
            "{}",
            response.text
        );
    })
    .await;
}

#[tokio::test]
async fn only_the_settings_determine_the_sender() {
    World::run_in(a_world().await, async |world| {
        let user = world.person("ada@example.org").await;
        let evil = "evil@example.com";

        for field in ["from", "reply_to", "sender", "headers", "bcc", "subject", "to"] {
            let batch = json!({ "users": [user], field: evil });
            let letter =
                json!({ "subject": "Hello", "body": "Hello", (if field == "subject" { "Subject" } else { field }): evil });
            for asked in [
                post(world, "/v1/invites", batch.to_string()),
                post(world, "/v1/password-resets", batch.to_string()),
                ask(world, Method::PUT, "/v1/system-emails/invite").json(letter.to_string()),
            ] {
                let response = asked.answer().await;
                response.assert_problem(400, "unknown_field");
                assert!(!response.text.contains(evil), "{}", response.text);
            }
        }
        assert_eq!(world.rows("batches").count().await, 0);
        let invite = world.get("/v1/system-emails/invite").await.expect(200);
        assert_eq!(invite["version"], 1, "{invite}");
    })
    .await;
}

/// Languages that cannot be saved, with the field and the code of the error.
fn language_faults() -> Vec<(serde_json::Value, &'static str, &'static str)> {
    let good = json!({ "subject": "Hallo", "body": "Hallo" });
    let tag = |n: u8| format!("x{}{}", char::from(b'a' + n / 26), char::from(b'a' + n % 26));
    let many: serde_json::Map<_, _> = (0..51).map(|n| (tag(n), good.clone())).collect();
    let of = |tag: &str| json!({ "translations": { tag: good } });
    vec![
        (json!({ "language": "?" }), "language", "language_invalid"),
        (of("d"), "translations.d", "language_invalid"),
        (of(""), "translations.", "language_missing"),
        (of("EN"), "translations.EN", "language_of_default"),
        (
            json!({ "language": "de", "translations": { "de": good } }),
            "translations.de",
            "language_of_default",
        ),
        (
            json!({ "translations": { "de-AT": good, "de_at": good } }),
            "translations.de_at",
            "duplicate_language",
        ),
        (json!({ "translations": many }), "translations", "too_many_translations"),
        (
            json!({ "translations": { "de_at": { "subject": "Hallo", "body": "{{ vorname }}" } } }),
            "translations.de-AT.body",
            "unknown_field",
        ),
        (
            json!({ "translations": { "de": { "subject": "", "body": "Hallo" } } }),
            "translations.de.subject",
            "subject_missing",
        ),
    ]
}

#[tokio::test]
async fn a_fault_in_a_language_names_the_language() {
    World::run_in(a_world().await, async |world| {
        for (more, field, code) in language_faults() {
            let mut letter = json!({ "subject": "Hello", "body": "Hello" });
            letter
                .as_object_mut()
                .unwrap()
                .extend(more.as_object().unwrap().clone());
            let asked = ask(world, Method::PUT, "/v1/system-emails/invite").json(letter.to_string());
            let response = asked.answer().await;
            assert_eq!(response.status, 422, "{more}: {}", response.text);
            let error = &response.body["errors"][0];
            assert_eq!(
                (&error["field"], &error["code"]),
                (&json!(field), &json!(code)),
                "{}",
                response.text
            );
        }
        let saved = world.get("/v1/system-emails/invite").await.expect(200);
        assert_eq!(
            (&saved["version"], &saved["language"]),
            (&json!(1), &json!("en")),
            "{saved}"
        );
    })
    .await;
}

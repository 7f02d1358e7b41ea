//! Users get the text in their language, with its dates and writing direction.

use crate::json;
use harness::relay::Mail;
use harness::{Setup, World};
use reqwest::Method;
use serde_json::Value;
use std::time::Duration;
use time::OffsetDateTime;

const EMAIL: &str = "/v1/system-emails/password_reset";

const PEOPLE: &str = "email,language\n\
    at@example.org,de_AT\n\
    de@example.org,German\n\
    fr@example.org,fr\n\
    ar@example.org,ar-EG\n\
    none@example.org,\n";

/// A text whose subject and first line are these words.
fn text(words: &str) -> Value {
    let body = format!("{words}\n\nPassword:\n{{{{ password }}}}\n\n@ {{{{ password_expires }}}}");
    json!({ "subject": words, "body": body })
}

async fn save(world: &World, default: &str, more: Value) -> Value {
    let mut request = text(default);
    for (name, value) in more.as_object().unwrap() {
        request[name] = value.clone();
    }
    world.ask(Method::PUT, EMAIL, Some(request), None).await.expect(200)
}

/// Sends a batch to all, while no worker runs.
async fn accepted(world: &World) -> uuid::Uuid {
    world
        .reset_passwords(json!({ "everyone": true, "include_recent": true }))
        .await
}

fn last_mail(world: &World, name: &str) -> Mail {
    let mut mails = world.relay.mails_to(&format!("{name}@example.org")).unwrap();
    mails.pop().unwrap()
}

/// The beginning of an expiry in three days.
fn expiry(language: &str, sent_at: OffsetDateTime) -> String {
    let at = sent_at + Duration::from_hours(72);
    let of = |months: [&'static str; 12]| months[usize::from(u8::from(at.month())) - 1];
    let (day, year) = (at.day(), at.year());
    let german = of([
        "Januar",
        "Februar",
        "März",
        "April",
        "Mai",
        "Juni",
        "Juli",
        "August",
        "September",
        "Oktober",
        "November",
        "Dezember",
    ]);
    let arabic = of([
        "يناير",
        "فبراير",
        "مارس",
        "أبريل",
        "مايو",
        "يونيو",
        "يوليو",
        "أغسطس",
        "سبتمبر",
        "أكتوبر",
        "نوفمبر",
        "ديسمبر",
    ]);
    match language {
        "de" => format!("@ {day}. {german} {year}, "),
        "ar" => format!("@ {day} {arabic} {year}، "),
        _ => format!("@ {day} {} {year}, ", at.month()),
    }
}

/// What distinguishes the mail in a language.
fn assert_in(language: &str, subject: &str, sent_at: [OffsetDateTime; 2], mail: &Mail) {
    let dir = if language == "ar" { "rtl" } else { "ltr" };
    assert_eq!(mail.subject, subject, "{}", mail.recipient);
    assert_eq!(mail.header("Content-Language"), Some(language), "{}", mail.recipient);
    assert!(mail.text.starts_with(subject), "{}", mail.text);
    let expiries = sent_at.map(|sent_at| expiry(language, sent_at));
    assert!(
        expiries.iter().any(|expiry| mail.text.contains(expiry)),
        "{expiries:?}: {}",
        mail.text
    );
    let attributes = format!("lang=\"{language}\" dir=\"{dir}\"");
    assert_eq!(
        mail.html.matches(&attributes).count(),
        3,
        "document, body and footer: {}",
        mail.html
    );
}

#[tokio::test]
async fn each_user_gets_their_language_and_a_later_edit_changes_no_batch() {
    World::run_with(Setup::default().workers(0), async |world| {
        world.import(PEOPLE).await.expect(201);
        let first = json!({ "language": "EN", "translations": { "DE": text("Hallo"), "ar": text("مرحبا") } });
        let first = save(world, "Hello", first).await;
        let batch = accepted(world).await;
        let edited = save(world, "Welcome", json!({})).await;
        let all = json!({ "translations": { "de": text("Hallo"), "de-AT": text("Servus"), "fr": text("Bienvenue") } });

        let began = world.now().await;
        world.start_worker().await.unwrap();
        world.finished(batch).await;
        let ended = world.now().await;

        for (name, language, subject) in [
            ("at", "de", "Hallo"),
            ("de", "de", "Hallo"),
            ("fr", "en", "Hello"),
            ("ar", "ar", "مرحبا"),
            ("none", "en", "Hello"),
        ] {
            assert_in(language, subject, [began, ended], &last_mail(world, name));
        }
        let of_batch = world.get(&format!("/v1/batches/{batch}/email")).await.expect(200);
        assert_eq!(of_batch["translations"], first["translations"], "frozen: {of_batch}");
        assert_eq!(first["language"], "en");
        let is_older = |email: &Value, language: &str| email["translations"][language]["older_than_default"].clone();
        assert_eq!(
            (is_older(&first, "de"), is_older(&edited, "de")),
            (json!(false), json!(true))
        );

        let all = save(world, "Welcome", all).await;
        let batch = accepted(world).await;
        world.finished(batch).await;
        assert_eq!(
            (is_older(&all, "de"), &all["translations"]["ar"]),
            (json!(false), &Value::Null)
        );
        for (name, subject) in [
            ("at", "Servus"),
            ("de", "Hallo"),
            ("fr", "Bienvenue"),
            ("ar", "Welcome"),
        ] {
            assert_eq!(last_mail(world, name).subject, subject);
        }
        world.assert_promises_kept().await;
    })
    .await;
}

#[tokio::test]
async fn previews_tests_and_missing_values_follow_the_language() {
    World::run(async |world| {
        world.import(PEOPLE).await.expect(201);
        let german = json!({ "subject": "Hallo", "body": "Hallo {{ first_name | default(\"zusammen\") }}" });
        let request = json!({
            "subject": "Hello", "body": "Hello {{ first_name | default(\"all\") }}", "translations": { "de": german },
        });
        let path = "/v1/system-emails/invite";
        world.ask(Method::PUT, path, Some(request), None).await.expect(200);
        let users = world.get("/v1/users?q=at@example.org").await.expect(200);
        let user = &users["items"][0]["id"];

        let seen = world
            .post(&format!("{path}/preview"), json!({ "user": user }))
            .await
            .expect(200);
        let french = json!({ "user": user, "language": "fr" });
        let french = world.post(&format!("{path}/preview"), french).await.expect(200);
        let draft = json!({ "user": user, "language": "de", "body": "Servus" });
        let draft = world.post(&format!("{path}/preview"), draft).await.expect(200);
        let test = json!({ "to": "me@example.org", "language": "de_CH" });
        let test = world.post(&format!("{path}/test"), test).await.expect(202);
        world.finished(test["batch"].as_str().unwrap().parse().unwrap()).await;
        let sent = world.post("/v1/invites", json!({ "everyone": true })).await.expect(202);
        world.finished(sent["batch"].as_str().unwrap().parse().unwrap()).await;
        let worded = json!({ "everyone": true, "include_recent": true, "wording": { "subject": "Only today" } });
        world.finished(world.invite(worded).await).await;

        assert_eq!((&seen["subject"], &seen["language"]), (&json!("Hallo"), &json!("de")));
        assert_eq!(french["subject"], "Hello");
        assert_eq!(
            (&draft["subject"], &draft["text"].as_str().unwrap()[..6]),
            (&json!("Hallo"), "Servus")
        );
        assert_eq!(last_mail(world, "me").subject, "[Test] Hallo");
        let missing: Vec<_> = sent["missing"].as_array().unwrap().iter().collect();
        let missing: Vec<_> = missing
            .iter()
            .map(|value| (&value["default"], &value["people"]))
            .collect();
        assert_eq!(
            missing,
            [(&json!("all"), &json!(3)), (&json!("zusammen"), &json!(2))],
            "{sent}"
        );
        let german: Vec<String> = world
            .relay
            .mails_to("de@example.org")
            .unwrap()
            .into_iter()
            .map(|mail| mail.subject)
            .collect();
        assert_eq!(
            german,
            ["Hallo", "Only today"],
            "a batch's wording replaces all languages"
        );
    })
    .await;
}

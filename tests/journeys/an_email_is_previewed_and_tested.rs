//! Before sending, an administrator previews the exact mail a user would get and sends a test mail to themselves.

use crate::json;
use harness::world::PATIENCE;
use harness::{Setup, World};
use serde_json::Value;
use shared::letter::MASKED_PASSWORD;

const PEOPLE: &str = "email,first name,last name,team\n\
    ada@example.org,Ada,Lovelace,Engine & Loom\n\
    bob@example.org,Bob,,\n";

const DRAFT: &str = "Dear **{{ first_name }}**, your team is {{ team }}.";

async fn preview(world: &World, key: &str, mut request: Value, email: &str) -> Value {
    let found = world.get(&format!("/v1/users?q={email}")).await.expect(200);
    request["user"] = found["items"][0]["id"].clone();
    world
        .post(&format!("/v1/system-emails/{key}/preview"), request)
        .await
        .expect(200)
}

#[tokio::test]
async fn a_preview_shows_a_real_persons_mail_and_what_it_lacks() {
    World::run_with(Setup::default().workers(0), async |world| {
        world.import(PEOPLE).await.expect(201);
        let draft = json!({ "subject": "{{ first_name }} of {{ team }}", "body": DRAFT });

        let ada = preview(world, "invite", draft.clone(), "ada@example.org").await;
        let bob = preview(world, "invite", draft, "bob@example.org").await;
        let shipped = preview(world, "invite", json!({}), "ada@example.org").await;

        assert_eq!(ada["from"], "Lerna Academy <invites@lerna.example>", "{ada}");
        assert_eq!(ada["to"], "Ada Lovelace <ada@example.org>", "{ada}");
        assert_eq!(ada["subject"], "Ada of Engine & Loom", "{ada}");
        let (html, text) = (ada["html"].as_str().unwrap(), ada["text"].as_str().unwrap());
        assert!(text.contains("your team is Engine & Loom."), "{text}");
        assert!(html.contains(">Engine &amp; Loom</mark>"), "{html}");
        assert_eq!(ada["missing"], json!([]), "{ada}");
        assert_eq!(bob["to"], "Bob <bob@example.org>", "{bob}");
        assert_eq!(bob["missing"], json!(["team"]), "{bob}");
        assert!(
            shipped["subject"].as_str().unwrap().starts_with("You're invited"),
            "{shipped}"
        );
        let saved = world.get("/v1/system-emails/invite").await.expect(200);
        assert_eq!(saved["version"], 1, "a preview saves nothing: {saved}");
        assert_eq!(world.rows("deliveries").count().await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_preview_of_a_password_mail_generates_no_password() {
    World::run_with(Setup::default().workers(0), async |world| {
        world.import(PEOPLE).await.expect(201);

        let shown = preview(world, "password_reset", json!({}), "ada@example.org").await;

        let (html, text) = (shown["html"].as_str().unwrap(), shown["text"].as_str().unwrap());
        assert!(text.contains(&format!("Password:\n{MASKED_PASSWORD}\n")), "{text}");
        assert!(html.contains(MASKED_PASSWORD), "{html}");
        assert!(text.contains("Email: ada@example.org"), "{text}");
        assert!(text.contains(" UTC"), "it shows the expiry: {text}");
        assert_eq!(shown["missing"], json!([]), "{shown}");
        assert_eq!(world.rows("credentials").count().await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_test_mail_is_marked_and_changes_nothing() {
    World::run(async |world| {
        let user = world.person("ada@example.org").await;
        let real = world.reset_passwords(json!({ "users": [user] })).await;
        world.finished(real).await;
        let before = world.get(&format!("/v1/users/{user}")).await.expect(200);

        let test = world
            .post(
                "/v1/system-emails/password_reset/test",
                json!({ "to": "ada@example.org" }),
            )
            .await
            .expect(202);
        let test = test["batch"].as_str().unwrap().parse().unwrap();
        let finished = world.finished(test).await;

        assert_eq!(finished["counts"]["sent"], 1, "{finished}");
        let mails = world.relay.mails_to("ada@example.org").unwrap();
        let (mail, tried) = (&mails[0], &mails[1]);
        assert_eq!(tried.subject, format!("[Test] {}", mail.subject));
        assert_eq!(tried.header("X-Beckon-Batch"), Some(test.to_string().as_str()));
        assert_eq!(tried.password(), Some(MASKED_PASSWORD), "{}", tried.text);
        assert!(tried.html.contains(MASKED_PASSWORD), "{}", tried.html);
        assert_eq!(world.get(&format!("/v1/users/{user}")).await.expect(200), before);
        assert_eq!(world.rows("credentials").count().await, 1);
        assert!(!world.signs_in("ada@example.org", MASKED_PASSWORD).await);
        world.sign_in("ada@example.org", mail.password().unwrap()).await;
        let listed = world.get("/v1/batches").await.expect(200);
        assert_eq!(listed["items"].as_array().map(Vec::len), Some(1), "{listed}");
        assert_eq!(listed["items"][0]["id"], json!(real), "{listed}");
        world.assert_promises_kept().await;
    })
    .await;
}

#[tokio::test]
async fn a_test_email_can_go_to_an_address_of_no_user() {
    World::run(async |world| {
        world
            .post("/v1/system-emails/invite/test", json!({ "to": "eve@münchen.example" }))
            .await
            .expect(202);
        world.relay.wait_for(1, PATIENCE).await.unwrap();

        let mail = world.relay.mails_to("eve@xn--mnchen-3ya.example").unwrap().remove(0);
        assert!(mail.subject.starts_with("[Test] You're invited"), "{}", mail.subject);
        assert!(mail.text.contains("eve@münchen.example"), "{}", mail.text);
        let users = world.get("/v1/users").await.expect(200);
        assert_eq!(users["items"], json!([]), "{users}");
    })
    .await;
}

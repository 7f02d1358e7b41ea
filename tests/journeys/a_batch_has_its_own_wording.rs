//! The wording of one batch differs from the shared text, which stays as it is.

use crate::json;
use harness::World;
use uuid::Uuid;

fn subjects(world: &World, email: &str) -> Vec<String> {
    let mails = world.relay.mails_to(email).unwrap();
    mails.into_iter().map(|mail| mail.subject).collect()
}

#[tokio::test]
async fn a_batch_keeps_its_own_wording_also_when_it_is_sent_again_and_others_have_the_shared_text() {
    World::run(async |world| {
        world
            .import("email,first name\nada@example.org,Ada\nbob@example.org,\n")
            .await
            .expect(201);
        let before = world.get("/v1/system-emails/invite").await.expect(200);
        let own = json!({
            "subject": "{{ first_name | default(\"Friend\") }}, only today",
            "body": "Come in today: {{ sign_in_url }}",
        });
        let request = json!({ "emails": ["ada@example.org", "bob@example.org"], "wording": own });

        let accepted = world.post("/v1/invites", request).await.expect(202);
        let batch: Uuid = accepted["batch"].as_str().unwrap().parse().unwrap();
        let finished = world.finished(batch).await;
        let text = world.get(&format!("/v1/batches/{batch}/email")).await.expect(200);
        let again = json!({ "outcomes": ["sent"], "include_recent": true });
        let again = world
            .post(&format!("/v1/batches/{batch}/send-again"), again)
            .await
            .expect(202);
        world.finished(again["batch"].as_str().unwrap().parse().unwrap()).await;
        let shared = json!({ "emails": ["ada@example.org"], "include_recent": true });
        let shared = world.invite(shared).await;
        let shared = world.finished(shared).await;
        let after = world.get("/v1/system-emails/invite").await.expect(200);

        assert_eq!(accepted["missing"][0]["default"], "Friend", "{accepted}");
        assert_eq!(
            (&finished["own_wording"], &finished["version"]),
            (&json!(true), &before["version"])
        );
        assert_eq!(
            (&text["subject"], &text["body"]),
            (&own["subject"], &own["body"]),
            "{text}"
        );
        assert_eq!(shared["own_wording"], false, "{shared}");
        assert_eq!(before, after, "the shared text stays");
        let (ada, bob) = (subjects(world, "ada@example.org"), subjects(world, "bob@example.org"));
        assert_eq!(
            (&ada[..2], ada.len()),
            (&["Ada, only today".to_owned(), "Ada, only today".to_owned()][..], 3)
        );
        assert_ne!(ada[2], ada[0]);
        assert_eq!(bob, ["Friend, only today"; 2]);
        let versions: Vec<i32> = world.rows("system_email_versions").column("version").await;
        let kept = versions.iter().filter(|version| **version < 0).count();
        assert_eq!(kept, 1, "the same wording is stored once");
        world.assert_promises_kept().await;
    })
    .await;
}

#[tokio::test]
async fn wording_that_cannot_be_sent_is_refused_and_the_shared_text_is_no_wording() {
    World::run_with(harness::Setup::default().workers(0), async |world| {
        world.person("ada@example.org").await;
        let now = world.get("/v1/system-emails/invite").await.expect(200);
        for (wording, field, code) in [
            (json!({}), "wording", "empty"),
            (json!({ "subject": " " }), "wording.subject", "subject_missing"),
            (
                json!({ "body": "{{ password }}" }),
                "wording.body",
                "password_in_invite",
            ),
            (json!({ "body": "{{ first_nam }}" }), "wording.body", "unknown_field"),
        ] {
            let response = world
                .post("/v1/invites", json!({ "everyone": true, "wording": wording }))
                .await;
            assert_eq!(response.status, 422, "{wording}: {}", response.text);
            let error = &response.body["errors"][0];
            assert_eq!(
                (&error["field"], &error["code"]),
                (&json!(field), &json!(code)),
                "{}",
                response.text
            );
        }
        let same =
            json!({ "everyone": true, "hold_seconds": 600, "wording": { "subject": now["subject"], "body": now["body"] } });

        let batch = world.invite(same).await;

        assert_eq!(world.batch(batch).await["own_wording"], false);
        let batches = world.get("/v1/batches").await.expect(200);
        assert_eq!(batches["items"].as_array().map(Vec::len), Some(1));
    })
    .await;
}

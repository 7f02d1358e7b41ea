//! Every change is recorded with its author, and no change is made without a record.

use crate::console_session::ConsoleSession;
use crate::json;
use harness::{Setup, World};
use reqwest::Method;
use serde_json::Value;
use uuid::Uuid;

/// The audit records of a subject: author, action and details.
async fn record(world: &World, subject: &str) -> Vec<(String, String, Value)> {
    let entries = world.audit_log().await.into_iter();
    let entries = entries.filter(|entry| entry.subject == subject);
    entries.map(|entry| (entry.who, entry.action, entry.details)).collect()
}

fn by_tests(action: &str, details: Value) -> (String, String, Value) {
    ("key tests".to_owned(), action.to_owned(), details)
}

async fn lines(world: &World) -> i64 {
    world.rows("audit").count().await
}

/// A world that sends nothing: requests are only recorded.
async fn a_quiet_world() -> World {
    World::with(Setup::default().workers(0)).await
}

#[tokio::test]
async fn importing_changing_and_deleting_users_is_audited() {
    World::run_in(a_quiet_world().await, async |world| {
        let file = "email,first_name\nada@example.org,Ada\nunknown,Nameless\n";
        let import = world.import(file).await.expect(201);
        let ada = world.person("ada@example.org").await;
        let user = format!("/v1/users/{ada}");
        let change = json!({ "first_name": "Augusta", "fields": { "Team": "Engines" } });
        world.ask(Method::PATCH, &user, Some(change), None).await.expect(200);
        let before = lines(world).await;
        for status in [204, 404] {
            assert_eq!(world.ask(Method::DELETE, &user, None, None).await.status, status);
        }

        assert_eq!(lines(world).await, before + 1);
        let sums = json!({ "created": 1, "updated": 0, "unchanged": 0, "ignored": 0, "rejected": 1 });
        assert_eq!(
            record(world, &format!("import {}", import["id"].as_str().unwrap())).await,
            [by_tests("file_imported", sums)]
        );
        assert_eq!(
            record(world, &format!("user {ada}")).await,
            [
                by_tests("user_changed", json!({ "fields": ["first_name", "team"] })),
                by_tests("user_deleted", json!({})),
            ]
        );
        assert_audit_log_omits(world, &["example.org", "Ada", "Augusta", "Engines"]).await;
    })
    .await;
}

#[tokio::test]
async fn sending_and_editing_emails_is_audited() {
    World::run_in(a_quiet_world().await, async |world| {
        let key = world.audit_log().await.remove(0);
        let key = (key.who, key.action, key.details);
        let made = (
            "the command line".to_owned(),
            "key_made".to_owned(),
            json!({ "name": "tests" }),
        );
        assert_eq!(key, made);

        let ada = world.person("ada@example.org").await;
        let batch = world
            .invite(json!({ "users": [ada, Uuid::nil()], "hold_seconds": 600 }))
            .await;
        let tested = world
            .post("/v1/system-emails/invite/test", json!({ "to": "priya@lerna.example" }))
            .await
            .expect(202);
        let text = json!({ "subject": "Welcome", "body": "Hello {{ first_name }}, [come in]({{ sign_in_url }})." });
        for _ in 0..2 {
            // Saving the same text again creates neither a version nor a record.
            let saved = world.ask(Method::PUT, "/v1/system-emails/invite", Some(text.clone()), None);
            saved.await.expect(200);
        }

        let sums = json!({ "mail": "invite", "selected": 2, "accepted": 1, "left_out": 1 });
        assert_eq!(
            record(world, &format!("batch {batch}")).await,
            [by_tests("batch_accepted", sums)]
        );
        assert_eq!(
            record(world, &format!("batch {}", tested["batch"].as_str().unwrap())).await,
            [by_tests("test_mail_sent", json!({ "mail": "invite" }))]
        );
        assert_eq!(
            record(world, "system_email invite").await,
            [by_tests("system_email_saved", json!({ "version": 2 }))]
        );
        assert_audit_log_omits(world, &["example.org", "lerna.example", "Welcome"]).await;
    })
    .await;
}

#[tokio::test]
async fn an_action_on_a_batch_is_audited_if_it_has_an_effect() {
    World::run_in(a_quiet_world().await, async |world| {
        let import = world.people(2).await;
        let batch = world.reset_passwords(json!({ "import": import })).await;

        for wish in ["pause", "pause", "resume", "stop", "stop"] {
            let path = format!("/v1/batches/{batch}/{wish}");
            world.post(&path, json!({})).await.expect(200);
        }
        world
            .post("/v1/credentials/revoke", json!({ "batch": batch }))
            .await
            .expect(200);

        let record: Vec<String> = record(world, &format!("batch {batch}"))
            .await
            .into_iter()
            .map(|(_, action, _)| action)
            .collect();
        assert_eq!(
            record,
            [
                "batch_accepted",
                "batch_paused",
                "batch_resumed",
                "batch_stopped",
                "passwords_revoked"
            ]
        );
    })
    .await;
}

/// Asserts that the audit log contains no personal data and no content of a mail.
async fn assert_audit_log_omits(world: &World, words: &[&str]) {
    let all = world.rows("audit").texts().await.join(" ");
    for word in words {
        assert!(!all.contains(word), "the audit log contains {word}: {all}");
    }
}

#[tokio::test]
async fn each_entry_has_the_actors_id_the_clients_address_and_the_request_id() {
    let setup = Setup::default()
        .workers(0)
        .api_setting("BECKON_TRUSTED_PROXIES", "127.0.0.1/32");
    World::run_with(setup, async |world| {
        let ada = world.person("ada@example.org").await;
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";

        let url = |path: &str| format!("{}{path}", world.base());
        let client = reqwest::Client::new();
        let answer = client
            .delete(url(&format!("/v1/users/{ada}")))
            .bearer_auth(world.key())
            .header("traceparent", format!("00-{trace}-00f067aa0ba902b7-01"))
            .header("x-forwarded-for", "198.51.100.99, 203.0.113.7")
            .send()
            .await
            .unwrap();
        let refused = client
            .get(url("/v1/users"))
            .bearer_auth("beckon_made-up")
            .header("x-forwarded-for", "203.0.113.8")
            .send()
            .await
            .unwrap();

        assert_eq!((answer.status().as_u16(), refused.status().as_u16()), (204, 401));
        let key: Uuid = world.rows("api_keys").with("name", "tests").only("id").await;
        // A refused key is recorded after its answer.
        let line = async |action: &str| {
            let entry = world
                .eventually("the line of the audit log", async || world.audited(action).await.pop())
                .await;
            let is_key = entry.actor_id.map(|actor| actor == key);
            let is_of_trace = entry.request_id.as_deref() == Some(trace);
            (
                entry.actor_kind.unwrap(),
                is_key,
                entry.client_address.unwrap(),
                is_of_trace,
            )
        };
        assert_eq!(
            line("user_deleted").await,
            ("key".to_owned(), Some(true), "203.0.113.7".to_owned(), true)
        );
        assert_eq!(
            line("key_refused").await,
            ("unknown".to_owned(), None, "203.0.113.8".to_owned(), false)
        );
    })
    .await;
}

#[tokio::test]
async fn the_same_request_twice_has_one_entry() {
    World::run_in(a_quiet_world().await, async |world| {
        let ada = world.person("ada@example.org").await;
        let before = lines(world).await;

        for _ in 0..2 {
            let invite = json!({ "users": [ada], "hold_seconds": 600 });
            world
                .ask(Method::POST, "/v1/invites", Some(invite), Some("once"))
                .await
                .expect(202);
        }

        assert_eq!(lines(world).await, before + 1);
    })
    .await;
}

#[tokio::test]
async fn an_action_that_cannot_be_audited_is_not_performed() {
    World::run_in(a_quiet_world().await, async |world| {
        let ada = world.person("ada@example.org").await;
        for statement in [
            "create function refuse() returns trigger language plpgsql as $$ begin raise exception 'no'; end $$",
            "create trigger refuse before insert on audit for each statement execute function refuse()",
        ] {
            sqlx::query(statement).execute(&world.db).await.unwrap();
        }
        let user = format!("/v1/users/{ada}");
        let known = world.get(&user).await.expect(200);

        let refused = [
            world.post("/v1/invites", json!({ "users": [ada] })).await,
            world
                .ask(Method::PATCH, &user, Some(json!({ "first_name": "Augusta" })), None)
                .await,
            world.ask(Method::DELETE, &user, None, None).await,
            world
                .ask(
                    Method::PUT,
                    "/v1/system-emails/invite",
                    Some(json!({ "subject": "Welcome", "body": "Hello {{ sign_in_url }}" })),
                    None,
                )
                .await,
            world
                .post("/v1/system-emails/invite/test", json!({ "to": "priya@lerna.example" }))
                .await,
            world.import("email\nbob@example.org\n").await,
        ];

        for answer in refused {
            assert_eq!(answer.status, 500, "{}", answer.text);
        }
        assert_eq!(world.get(&user).await.expect(200), known);
        assert_eq!(world.rows("batches").count().await, 0);
        assert_eq!(
            world.rows("users").with("email_key", "bob@example.org").count().await,
            0
        );
        let versions: Vec<i32> = world.rows("system_email_versions").column("version").await;
        assert!(versions.iter().all(|version| *version <= 1), "{versions:?}");
    })
    .await;
}

#[tokio::test]
async fn programs_read_the_audit_log_with_an_allowed_key() {
    World::run_in(a_quiet_world().await, async |world| {
        let ada = world.person("ada@example.org").await;
        world
            .ask(Method::DELETE, &format!("/v1/users/{ada}"), None, None)
            .await
            .expect(204);
        let settings = world.settings().to_vec();
        let arguments = ["create-key", "--name", "siem", "--read-audit-log"];
        let (code, key) = world.run_program("beckon-api", &arguments, &settings).await.unwrap();
        assert_eq!(code, 0, "{key}");
        let key = key.lines().last().unwrap_or_default().to_owned();

        let refused = world.get("/v1/audit-log").await;
        let client = reqwest::Client::new();
        let read = async |query: &str| -> Value {
            let url = format!("{}/v1/audit-log?{query}", world.base());
            let answer = client.get(url).bearer_auth(&key).send().await.unwrap();
            serde_json::from_str(&answer.text().await.unwrap()).unwrap()
        };
        let first = read("limit=1").await;
        let next = read(&format!("limit=1&cursor={}", first["next_cursor"].as_str().unwrap())).await;
        let deleted = read("action=user_deleted").await;

        assert_eq!(refused.expect(403)["type"], "/problems/key_may_not");
        assert_ne!(first["items"][0]["id"], next["items"][0]["id"]);
        let entry = &deleted["items"][0];
        assert_eq!(entry["subject"], json!(format!("user {ada}")));
        assert_eq!(entry["actor"]["kind"], "key");
        assert_eq!(entry["actor"]["name"], "key tests");
        assert_eq!(entry["actor"]["client_address"], "127.0.0.1");
    })
    .await;
}

#[tokio::test]
async fn guesses_at_the_current_password_are_in_the_audit_log() {
    World::run_in(a_quiet_world().await, async |world| {
        let priya = world.administrator().await.clone();
        let mut session = ConsoleSession::of(world, &priya).await;
        let form = [
            ("current_password", "not her password at all"),
            ("new_password", "seven wet stones in a row"),
            ("again_password", "seven wet stones in a row"),
        ];

        let mut tries = 0;
        while session.post("/console/password", &form).await.status != 429 {
            tries += 1;
            assert!(tries < 15, "{tries} passwords could be tried");
        }

        let actions = ["sign_in_failed", "sign_in_throttled"];
        world
            .eventually("both are recorded", async || {
                let log = world.audit_log().await;
                let recorded = |action: &&str| {
                    log.iter()
                        .any(|entry| entry.action == *action && entry.subject.starts_with("administrator "))
                };
                actions.iter().all(recorded).then_some(())
            })
            .await;
    })
    .await;
}

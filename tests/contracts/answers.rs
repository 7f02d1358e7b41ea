//! Real answers of every operation, compared with their description in `/openapi.json`.
//!
//! The harness compares every answer (`harness/world/described.rs`). Here each operation is called successfully.

use std::collections::BTreeSet;

use harness::World;
use harness::world::Answer;
use reqwest::{Client, Method};
use serde_json::{Value, json};

const ADA: &str = "ada@example.org";
const REFUSED: &str = "550+ben@example.org";
const MAILED: &str = "cleo@example.org";
const OWN: &str = "correct horse battery staple";

/// Every operation and success status of the description.
async fn described(world: &World) -> BTreeSet<(String, String)> {
    let openapi = world.get("/openapi.json").await.expect(200);
    let items = openapi["paths"].as_object().unwrap().values();
    let operations = items.flat_map(|item| item.as_object().unwrap().values());
    let good = |operation: &Value| {
        let id = operation["operationId"].as_str().unwrap().to_owned();
        let statuses = operation["responses"].as_object().unwrap().keys();
        let good = statuses.filter(|status| status.starts_with('2')).cloned();
        good.map(move |status| (id.clone(), status)).collect::<Vec<_>>()
    };
    operations.flat_map(good).collect()
}

async fn post(world: &World, path: &str) -> Value {
    let answer = world.post(path, json!({})).await;
    assert!((200..300).contains(&answer.status), "{path}: {}", answer.text);
    answer.body
}

async fn get(world: &World, path: &str) -> Value {
    world.get(path).await.expect(200)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

async fn ask_of_imports(world: &World) {
    let csv = format!("email,first_name,team\n{ADA},Ada,blue\n{REFUSED},Ben,\n{MAILED},Cleo,\nunknown,,\n");
    let import = world.import(&csv).await.expect(201);
    assert_eq!(import["problems"].as_array().map(Vec::len), Some(1), "{import}");
    let users = json!([{ "email": "dora@example.org", "fields": { "team": "red" } }]);
    let dry = world
        .ask(Method::POST, "/v1/imports?dry_run=true", Some(users), None)
        .await;
    dry.expect(200);
    let path = format!("/v1/imports/{}", text(&import["id"]));
    get(world, &path).await;
    world.get(&format!("{path}/problems.csv")).await;
    world.get(&format!("{path}/problems.xlsx")).await;
}

async fn ask_of_users(world: &World) -> Value {
    let users = get(world, "/v1/users?limit=2").await;
    assert!(users["next_cursor"].is_string(), "{users}");
    let user = get(world, &format!("/v1/users?q={ADA}")).await["items"][0].clone();
    let path = format!("/v1/users/{}", text(&user["id"]));
    get(world, &path).await;
    let change = json!({ "last_name": "Lovelace", "fields": { "team": null } });
    world.ask(Method::PATCH, &path, Some(change), None).await.expect(200);
    post(world, &format!("{path}/lock")).await;
    post(world, &format!("{path}/unlock")).await;
    get(world, &format!("{path}/export")).await;
    user["id"].clone()
}

async fn ask_of_filters(world: &World) {
    let filter = json!({ "name": "Engines", "filter": { "where": [{ "field": "team", "op": "not_empty" }] } });
    let saved = world.post("/v1/filters", filter.clone()).await.expect(201);
    world.post("/v1/filters", filter).await.expect(409);
    world
        .post("/v1/filters", json!({ "name": " ", "filter": { "invited": true } }))
        .await
        .expect(422);
    get(world, "/v1/filters").await;
    let path = format!("/v1/filters/{}", text(&saved["id"]));
    for status in [204, 404] {
        world.ask(Method::DELETE, &path, None, None).await.expect(status);
    }
}

async fn ask_of_do_not_mail_lists(world: &World) {
    let list = list_from_csv(world, "name=On+leave", "email\nzoe@example.org\n")
        .await
        .expect(201);
    list_from_csv(world, "name=ON+leave", "email\nzoe@example.org\n")
        .await
        .expect(409);
    list_from_csv(world, "name=Typos", "email\nnobody\n").await.expect(422);
    get(world, "/v1/do-not-mail-lists").await;
    let path = format!("/v1/do-not-mail-lists/{}", text(&list["id"]));
    let more = json!([{ "email": "yan@example.org" }]);
    let added = world.post(&format!("{path}/addresses"), more).await.expect(200);
    assert_eq!(
        (&added["added"], &added["addresses"]),
        (&json!(1), &json!(2)),
        "{added}"
    );
    world.get(&format!("{path}/addresses.csv")).await;
    let address = format!("{path}/addresses/yan@example.org");
    world.ask(Method::DELETE, &address, None, None).await.expect(204);
    let always = Some(json!({ "always": true }));
    world.ask(Method::PATCH, &path, always, None).await.expect(200);
    for status in [204, 404] {
        world.ask(Method::DELETE, &path, None, None).await.expect(status);
    }
}

async fn list_from_csv(world: &World, query: &str, csv: &str) -> Answer {
    let path = format!("/v1/do-not-mail-lists?{query}");
    world.send_file(&path, csv.as_bytes().to_vec(), "text/csv").await
}

async fn ask_of_system_emails(world: &World, user: &Value) {
    get(world, "/v1/system-emails").await;
    let path = "/v1/system-emails/invite";
    let letter = get(world, path).await;
    let save = json!({ "subject": letter["subject"], "body": format!("{}\n\nSee you.", text(&letter["body"])) });
    world.ask(Method::PUT, path, Some(save), None).await.expect(200);
    world
        .post(&format!("{path}/preview"), json!({ "user": user }))
        .await
        .expect(200);
    world
        .post(&format!("{path}/test"), json!({ "to": ADA }))
        .await
        .expect(202);
}

/// Sends invites, one of which is refused, and requests everything about them.
async fn ask_of_batches(world: &World) {
    let held = world.invite(json!({ "emails": [ADA], "hold_seconds": 600 })).await;
    let path = format!("/v1/batches/{held}");
    for act in ["pause", "resume", "stop"] {
        post(world, &format!("{path}/{act}")).await;
    }
    let batch = world.invite(json!({ "emails": [ADA, REFUSED, MAILED] })).await;
    world.finished(batch).await;
    get(world, "/v1/batches").await;
    get(world, &format!("/v1/batches/{batch}/email")).await;
    let lines = world.deliveries(batch).await;
    for line in &lines {
        assert_eq!(
            (&line["attempt_count"], &line["attempts"]),
            (&json!(1), &json!(1)),
            "{line}"
        );
        let story = world.story(line).await;
        assert_eq!(story["attempt_count"], 1, "{story}");
        assert_eq!(story["attempts"].as_array().map(Vec::len), Some(1), "{story}");
    }
    world.get(&format!("/v1/batches/{batch}/deliveries.csv")).await;
    let again = json!({ "outcomes": ["sent"], "include_recent": true });
    world
        .post(&format!("/v1/batches/{batch}/send-again"), again)
        .await
        .expect(202);
    post(world, &format!("/v1/deliveries/{}/send-again", text(&lines[0]["id"]))).await;
    let blocked = get(world, "/v1/blocked-addresses").await;
    assert_eq!(blocked["items"][0]["email"], REFUSED, "{blocked}");
    let unblock = format!("/v1/blocked-addresses/{REFUSED}");
    world.ask(Method::DELETE, &unblock, None, None).await.expect(204);
    // The stream does not end, so its first event represents the others.
    let event = first_event(world, &format!("/v1/batches/{batch}/events")).await;
    let shown = Answer {
        status: 200,
        media_type: "application/json".to_owned(),
        text: event.to_string(),
        body: event,
    };
    world
        .check_described(&Method::GET, &format!("/v1/batches/{batch}"), &shown)
        .await;
}

/// The data of a stream's first event.
async fn first_event(world: &World, path: &str) -> Value {
    let asked = Client::new()
        .get(format!("{}{path}", world.base()))
        .bearer_auth(world.key());
    let mut stream = asked.send().await.unwrap();
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    let mut received = String::new();
    while !received.contains("\n\n") {
        received.push_str(&String::from_utf8_lossy(&stream.chunk().await.unwrap().unwrap()));
    }
    let data = received.lines().find_map(|line| line.strip_prefix("data:")).unwrap();
    serde_json::from_str(data.trim()).unwrap()
}

async fn ask_of_credentials(world: &World) {
    let batch = world.reset_passwords(json!({ "emails": [MAILED] })).await;
    world.finished(batch).await;
    let password = world
        .relay
        .mails_to(MAILED)
        .unwrap()
        .last()
        .unwrap()
        .password()
        .unwrap()
        .to_owned();
    let mailed = world.sign_in(MAILED, &password).await;
    assert!(
        mailed["must_set_password"] == true && mailed["expires_at"].is_string(),
        "{mailed}"
    );
    let choose = json!({ "email": MAILED, "password": password, "new_password": OWN });
    world.post("/v1/credentials/choose", choose).await.expect(200);
    let own = world.sign_in(MAILED, OWN).await;
    assert!(
        own["must_set_password"] == false && own["expires_at"].is_null(),
        "{own}"
    );
    let wrong = world.verify(MAILED, "wrong").await;
    assert_eq!((wrong.status, wrong.text.as_str()), (200, "{\"valid\":false}"));
    world
        .post("/v1/credentials/revoke", json!({ "batch": batch }))
        .await
        .expect(200);
}

async fn ask_of_the_audit_log(world: &mut World) {
    let settings = world.settings().to_vec();
    let arguments = ["create-key", "--name", "siem", "--read-audit-log"];
    let (_, output) = world.run_program("beckon-api", &arguments, &settings).await.unwrap();
    let key = output.lines().last().unwrap_or_default();
    let log = world.ask_as(key, Method::GET, "/v1/audit-log", None, None).await;
    assert!(log.expect(200)["items"][0]["id"].is_string());
}

/// Refused requests, each with a status of its own.
async fn ask_in_vain(world: &World) {
    let unknown = "/v1/users/00000000-0000-7000-8000-000000000000";
    let wrong = [
        (Method::GET, unknown, None, 404),
        (Method::GET, "/v1/users?limit=0", None, 400),
        (Method::POST, "/v1/invites", Some(json!({ "users": ["x"] })), 422),
        (Method::GET, "/v1/audit-log", None, 403),
        (
            Method::POST,
            "/v1/credentials/choose",
            Some(json!({ "email": ADA, "password": "x", "new_password": OWN })),
            422,
        ),
    ];
    for (method, path, body, status) in wrong {
        world.ask(method, path, body, None).await.expect(status);
    }
    let stranger = world
        .ask_as("beckon_stolen", Method::GET, "/v1/users", None, None)
        .await;
    stranger.expect(401);
}

#[tokio::test]
async fn every_operation_responds_as_described() {
    World::run(async |world| {
        ask_of_imports(world).await;
        let ada = ask_of_users(world).await;
        ask_of_filters(world).await;
        ask_of_do_not_mail_lists(world).await;
        ask_of_system_emails(world, &ada).await;
        ask_of_batches(world).await;
        ask_of_credentials(world).await;
        ask_of_the_audit_log(world).await;
        ask_in_vain(world).await;
        let gone = format!("/v1/users/{}", text(&ada));
        world.ask(Method::DELETE, &gone, None, None).await.expect(204);

        let mut unseen = described(world).await;
        for seen in world.described_answers() {
            unseen.remove(&seen);
        }
        // Its events are compared as if they were the answer of a batch.
        unseen.remove(&("batches_batch".to_owned(), "200".to_owned()));
        assert!(unseen.is_empty(), "no answer was asked of {unseen:?}");
    })
    .await;
}

#[tokio::test]
async fn a_refused_key_gets_an_authenticate_header_and_a_wrong_password_does_not() {
    World::run_with(harness::Setup::default().workers(0), async |world| {
        let ask = async |key: &str| {
            let verify = json!({ "email": ADA, "password": "wrong" });
            let request = Client::new().post(format!("{}/v1/credentials/verify", world.base()));
            request.bearer_auth(key).json(&verify).send().await.unwrap()
        };

        let (stranger, wrong) = (ask("beckon_stolen").await, ask(world.key()).await);

        assert_eq!((stranger.status().as_u16(), wrong.status().as_u16()), (401, 200));
        assert_eq!(stranger.headers()["www-authenticate"], "Bearer");
        assert!(!wrong.headers().contains_key("www-authenticate"));
    })
    .await;
}

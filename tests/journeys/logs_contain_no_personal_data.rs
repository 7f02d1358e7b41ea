//! Whatever fails, the logs name the delivery, and never the recipient or any content.
//!
//! Both programs log at the most verbose level here, and every user has a name that the test can search for.

use crate::json;
use harness::relay::{Behaviour, Step};
use harness::{Setup, World};
use reqwest::redirect::Policy;
use reqwest::{Client, Method};
use serde_json::Value;
use std::collections::BTreeMap;
use uuid::Uuid;

/// Everything except what `telemetry` always suppresses.
const EVERYTHING: &str = "trace";

/// Their mails succeed, are refused with the address in the reply, are deferred, are lost after the dot, meet a relay
/// that disconnects, and cannot be recorded.
const PEOPLE: [&str; 6] = [
    "accept+quillfeather@example.org",
    "refused+quillfeather@example.org",
    "451-then-ok+quillfeather@example.org",
    "drop-after-dot+quillfeather@example.org",
    "busy+quillfeather@example.org",
    "unrecorded+quillfeather@example.org",
];

/// Strings that must not occur, in lower case: names, words of the system email, typed secrets.
const WORDS: [&str; 8] = [
    "quillfeather",
    "zebedee",
    "wunderkammer",
    "butterblume",
    "lantern orchard",
    "sesame-street",
    "beckon_stolen",
    "priya",
];

async fn a_letter_of_its_own(world: &World) {
    let letter = json!({ "subject": "Wunderkammer", "body": "Dear {{ first_name }}, bring a Butterblume." });
    let path = "/v1/system-emails/invite";
    world.ask(Method::PUT, path, Some(letter), None).await.expect(200);
    let rows: Vec<String> = PEOPLE
        .iter()
        .map(|email| format!("{email},Zebedee,Quillfeather"))
        .collect();
    let csv = format!(
        "email,first_name,last_name\n{}\nZebedee Quillfeather,,\n",
        rows.join("\n")
    );
    assert_eq!(world.import(&csv).await.expect(201)["rejected"], 1);
    let answers = [
        (PEOPLE[1], format!("550 5.1.1 <{}> unknown\r\n", PEOPLE[1])),
        (PEOPLE[4], format!("421 4.3.2 <{}> not now\r\n", PEOPLE[4])),
        (PEOPLE[5], format!("552 5.2.2 <{}> is full\r\n", PEOPLE[5])),
    ];
    for (person, reply) in answers {
        let (at, reply) = (Step::Rcpt, reply.into());
        world.relay.set(person, Behaviour::Answer { at, reply });
    }
}

async fn alter(world: &World, table: &str) {
    let altered = sqlx::query(sqlx::AssertSqlSafe(format!("alter table {table}")));
    altered.execute(&world.db).await.unwrap();
}

/// Invalid requests, each with a user's name in it.
async fn ask_wrongly(world: &World) {
    let client = Client::new();
    let at = |method: Method, path: &str| client.request(method, format!("{}{path}", world.base()));
    let with_key = |method, path: &str| at(method, path).bearer_auth(world.key());
    let bad_body = |path: &str, json: &'static str| {
        let request = with_key(Method::POST, path).header("Content-Type", "application/json");
        request.body(json)
    };
    let wrong = [
        bad_body("/v1/invites", r#"{"emails":["zebedee@quillfeather.example"#),
        bad_body("/v1/invites", r#"{"zebedee@quillfeather.example":1}"#),
        bad_body("/v1/invites", r#"{"emails":["Zebedee Quillfeather"]}"#),
        bad_body(
            "/v1/imports",
            r#"[{"email":"zebedee@quillfeather.example","first_name":"#,
        ),
        bad_body(
            "/v1/credentials/choose",
            r#"{"email":"zebedee@quillfeather.example","password":"sesame-street","new_password":"open-sesame-42"}"#,
        ),
        at(Method::GET, "/v1/users").bearer_auth("beckon_stolen"),
        with_key(Method::GET, "/zebedee@quillfeather.example"),
    ];
    for request in wrong {
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_client_error(), "{answer:?}");
    }
    let search = with_key(Method::GET, "/v1/users?q=zebedee@quillfeather.example");
    assert!(search.send().await.unwrap().status().is_success());
    for stray in [
        r#"{"v":"zebedee@quillfeather.example"}"#,
        "zebedee@quillfeather.example",
    ] {
        world.put_message("beckon.bulk", stray).await;
    }
}

/// An import that Postgres refuses, quoting the row.
async fn import_what_is_refused(world: &World) {
    alter(
        world,
        "users add constraint refuses_name check (last_name <> 'Quillfeather') not valid",
    )
    .await;
    let row = "email,last_name\nzebedee@quillfeather.example,Quillfeather\n";
    assert_eq!(world.import(row).await.status, 500);
    alter(world, "users drop constraint refuses_name").await;
}

/// Signs in to the console after one failed attempt, and returns the session's secret.
async fn sign_in(world: &World) -> String {
    let administrator = world.administrator().await;
    let client = Client::builder().redirect(Policy::none()).build().unwrap();
    let mut session = None;
    for password in ["sesame-street", &administrator.password.replace(' ', "+")] {
        let form = format!("email={}&password={password}", administrator.email.replace('@', "%40"));
        let request = client
            .post(format!("{}/console/sign-in", world.base()))
            .header("Content-Type", "application/x-www-form-urlencoded");
        let answer = request.body(form).send().await.unwrap();
        let cookie = answer
            .headers()
            .get("set-cookie")
            .and_then(|cookie| cookie.to_str().ok());
        session = cookie.and_then(|cookie| Some(cookie.strip_prefix("__Host-beckon=")?.split(';').next()?.to_owned()));
    }
    session.unwrap()
}

/// The log lines about attempts, by verdict.
fn outcomes(logs: &str) -> BTreeMap<String, Value> {
    let lines = logs.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let about = lines.filter_map(|line| Some((line["verdict"].as_str()?.to_owned(), line)));
    about.collect()
}

fn assert_log_is_complete(verdict: &str, line: &Value) {
    let span = &line["span"];
    for id in [&span["delivery.id"], &line["batch.id"]] {
        assert!(id.as_str().is_some_and(|id| id.parse::<Uuid>().is_ok()), "{line}");
    }
    assert_eq!(span["trace.id"].as_str().map(str::len), Some(32), "{line}");
    assert!(span["attempt"].is_i64(), "{line}");
    assert_eq!(line["lane"], "interactive", "{line}");
    assert_eq!(line["mail"], "invite", "{line}");
    assert!(line["phase"].is_string(), "{line}");
    assert!(line["wait_ms"].is_u64() && line["smtp_ms"].is_u64(), "{line}");
    assert_eq!(line["code"].is_u64(), verdict != "unsure", "{line}");
    let has_class = !["accepted", "given_back"].contains(&verdict);
    assert_eq!(line["class"].is_string(), has_class, "{line}");
}

fn assert_log_is_anonymous(logs: &str, secrets: &[&str]) {
    let secrets: Vec<String> = WORDS.iter().chain(secrets).map(|word| word.to_lowercase()).collect();
    let is_personal = |line: &&str| {
        let line = line.to_lowercase();
        // Masked addresses are the only ones, so no Message-ID and no login occurs. Any other @ is in SQL.
        let is_address = line.matches('@').count() > line.matches("***@").count() + line.matches("@>").count();
        is_address || secrets.iter().any(|word| line.contains(word))
    };
    let naming: Vec<&str> = logs.lines().filter(is_personal).collect();
    assert!(naming.is_empty(), "{naming:#?}");
}

#[tokio::test]
async fn failures_are_logged_with_the_delivery_and_without_personal_data() {
    let setup = Setup::default()
        .api_setting("BECKON_LOG", EVERYTHING)
        .worker_setting("BECKON_LOG", EVERYTHING);
    World::run_with(setup, async |world| {
        a_letter_of_its_own(world).await;

        // Postgres refuses the record of the last of them, quoting the row.
        alter(world, "attempts add constraint full_up check (code <> 552)").await;
        let passwords = world.reset_passwords(json!({ "emails": [PEOPLE[0]] })).await;
        world.finished(passwords).await;
        let batch = world.invite(json!({ "emails": PEOPLE })).await;
        ask_wrongly(world).await;
        import_what_is_refused(world).await;
        let session = sign_in(world).await;
        world
            .eventually("an attempt of each kind", async || {
                let logs = world.logs();
                let lines = ["\"try_later\"", "\"unsure\"", "Gave an email back", "is not recorded"];
                lines.iter().all(|lines| logs.contains(lines)).then_some(())
            })
            .await;
        alter(world, "attempts drop constraint full_up").await;
        for person in [PEOPLE[3], PEOPLE[4]] {
            world.relay.set(person, Behaviour::Accept);
        }
        world.let_all_waits_pass().await;
        let finished = world.finished(batch).await;
        // Not the logs of every program in this world: the command that creates a key prints it.
        let both_logs = || [world.api.as_ref().unwrap().log(), world.workers[0].log()].concat();
        world
            .eventually("a line about each way an attempt can end", async || {
                (outcomes(&both_logs()).len() == 5).then_some(())
            })
            .await;

        assert_eq!(finished["counts"]["sent"], 4, "{finished}");
        let logs = both_logs();
        let outcomes = outcomes(&logs);
        let verdicts: Vec<&str> = outcomes.keys().map(String::as_str).collect();
        assert_eq!(verdicts, ["accepted", "given_back", "refused", "try_later", "unsure"]);
        for (verdict, line) in &outcomes {
            assert_log_is_complete(verdict, line);
        }
        assert_eq!(outcomes["try_later"]["enhanced_code"], "4.7.1");
        for event in [
            "Parked a message",
            "Postgres refused a statement",
            "Could not record outcomes",
        ] {
            assert!(logs.contains(event), "it is not logged: {event}");
        }
        let mails = world.relay.all_mails().unwrap();
        let mailed = mails.iter().find_map(|mail| mail.password()).unwrap();
        assert_log_is_anonymous(&logs, &[mailed, world.key(), &session]);
        world.assert_promises_kept().await;
    })
    .await;
}

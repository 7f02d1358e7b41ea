//! A user asks which data is kept about them, and then to have it erased.

use crate::console_session::ConsoleSession;
use crate::json;
use harness::World;
use harness::relay::{Behaviour, Step};
use reqwest::Method;
use serde_json::Value;

use uuid::Uuid;

/// Two addresses of one user, and another user whose address contains one of them.
const OLD: &str = "Nora.Field@Example.org";
const NEW: &str = "nora@lerna.example";
const NEIGHBOUR: &str = "elnora@lerna.example";

/// Rows of every table that contain this text, ignoring case.
async fn rows_with(world: &World, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for table in world.tables().await {
        let mut rows = world.rows(&table).texts().await;
        rows.retain(|row| row.to_lowercase().contains(&text.to_lowercase()));
        found.extend(rows.into_iter().map(|row| format!("{table}: {row}")));
    }
    found
}

/// Imports a file with the same user twice and one other user, under an idempotency key.
async fn import(world: &World) -> Uuid {
    let csv = format!(
        "email,first_name,last_name,cost_centre\n{OLD},Nora,Quillfeather,K77-Q\n{OLD},Nora,Quillfeather,K77-Q\n\
         {NEIGHBOUR},El,Nora,\n{NEIGHBOUR},El,Nora,\n"
    );
    let answer = reqwest::Client::new()
        .post(format!("{}/v1/imports?file_name=people.csv", world.base()))
        .bearer_auth(world.key())
        .header("Content-Type", "text/csv")
        .header("Idempotency-Key", "once")
        .body(csv)
        .send()
        .await
        .unwrap();
    let import: Value = answer.json().await.unwrap();
    assert_eq!(import["rejected"], 2, "{import}");
    import["id"].as_str().unwrap().parse().unwrap()
}

async fn id_of(world: &World, email: &str) -> Uuid {
    let users = world.get(&format!("/v1/users?q={email}")).await.expect(200);
    users["items"][0]["id"].as_str().unwrap().parse().unwrap()
}

/// Has an administrator save a filter, name a do-not-mail list and begin a selection with this address, and send a batch
/// that leaves the filter and the list out.
async fn search_for(world: &World, address: &str) {
    let filter = json!({ "name": format!("only {address}"), "filter": { "q": address } });
    let filter = world.post("/v1/filters", filter).await.expect(201)["id"].clone();
    let list = reqwest::Client::new()
        .post(format!("{}/v1/do-not-mail-lists?name=not%20{address}", world.base()))
        .bearer_auth(world.key())
        .header("Content-Type", "text/csv")
        .body("email\nbob@example.org\n");
    let list: Value = list.send().await.unwrap().json().await.unwrap();
    let exclude = json!({ "saved_filters": [filter], "do_not_mail_lists": [list["id"]] });
    let batch = json!({ "emails": ["ada@example.org"], "include_recent": true, "exclude": exclude });
    let batch = world.invite(batch).await;
    world.finished(batch).await;
    let who = world.administrator().await.clone();
    let mut session = ConsoleSession::of(world, &who).await;
    let chosen = session.post("/console/users", &[("q", address), ("do", "all")]).await;
    assert_eq!(chosen.status, 303, "{}", chosen.text);
}

/// A world in which every table that can name a user does.
async fn a_life(world: &World) -> (Uuid, Uuid) {
    let words = format!("550 5.1.1 <{OLD}>: no user of this name");
    world.relay.set(OLD, Behaviour::answer(Step::Rcpt, &words));
    world.person("ada@example.org").await;
    let unknown = world.invite(json!({ "emails": [OLD, "ada@example.org"] })).await;
    world.finished(unknown).await;
    import(world).await;
    let nora = id_of(world, OLD).await;
    let update = format!("email,last_name,cost_centre\n{OLD},Quillfeather-Oak,K78-Q\n");
    assert_eq!(world.import(&update).await.expect(201)["updated"], 1);
    world
        .post("/v1/system-emails/invite/test", json!({ "to": OLD }))
        .await
        .expect(202);
    let invite = world.invite(json!({ "users": [nora] })).await;
    let failed = world.finished(invite).await;
    assert_eq!(failed["counts"]["failed"], 1, "{failed}");
    let change = Some(json!({ "email": NEW }));
    let changed = world
        .ask(Method::PATCH, &format!("/v1/users/{nora}"), change, None)
        .await;
    changed.expect(200);
    let password = world.reset_passwords(json!({ "users": [nora] })).await;
    world.finished(password).await;
    search_for(world, NEW).await;
    search_for(world, NEIGHBOUR).await;
    (nora, invite)
}

/// Asserts that nothing of the neighbour was erased.
async fn assert_neighbour_stays(world: &World) {
    let rejects = world.rows("import_rejects").count().await;
    assert_eq!(rejects, 1, "the neighbour's row stays");
    let kept = rows_with(world, NEIGHBOUR).await;
    for table in ["saved_filters", "selections", "do_not_mail_lists", "batches"] {
        let kept = kept.iter().filter(|row| row.starts_with(table)).count();
        assert_eq!(kept, 1, "{table} of the neighbour stays");
    }
}

#[tokio::test]
async fn everything_stored_about_a_user_is_exported_and_then_erased() {
    World::run(async |world| {
        let (nora, invite) = a_life(world).await;
        let before = world.batch(invite).await;

        let exported = world.get(&format!("/v1/users/{nora}/export")).await;
        let answer = world
            .ask(Method::DELETE, &format!("/v1/users/{nora}"), None, None)
            .await;

        let text = exported.text.clone();
        let exported = exported.expect(200);
        assert_eq!(exported["user"]["email"], NEW, "{exported:#}");
        assert_eq!(exported["user"]["fields"]["cost_centre"], "K78-Q", "{exported:#}");
        let change = &exported["import_changes"][0];
        assert_eq!(
            (&change["before"]["cost_centre"], &change["after"]["cost_centre"]),
            (&json!("K77-Q"), &json!("K78-Q")),
            "{exported:#}"
        );
        for (part, rows) in [
            ("imports", 2),
            ("import_changes", 1),
            ("rejected_rows", 1),
            ("answers", 1),
            ("passwords", 1),
            ("mails", 3),
            ("last_sent", 1),
            ("left_out", 1),
            ("blocked_addresses", 1),
            ("saved_filters", 1),
        ] {
            assert_eq!(exported[part].as_array().unwrap().len(), rows, "{part} in {exported:#}");
        }
        assert!(!exported["audit"].as_array().unwrap().is_empty(), "{exported:#}");
        assert!(text.contains("no user of this name"), "{exported:#}");
        assert!(!text.contains("argon2"), "no verifier is handed out");
        assert!(
            !exported["rejected_rows"].to_string().contains(NEIGHBOUR),
            "{exported:#}"
        );

        assert_eq!(answer.status, 204, "{}", answer.text);
        for trace in [
            OLD,
            "'nora@lerna",
            "(nora@lerna",
            ",nora@lerna",
            "\"nora@lerna",
            "Quillfeather",
            "K77-Q",
            "K78-Q",
        ] {
            let left = rows_with(world, trace).await;
            assert!(left.is_empty(), "{trace} is left: {left:#?}");
        }
        assert_neighbour_stays(world).await;
        assert_eq!(world.batch(invite).await["counts"], before["counts"]);
        let export = world.get(&format!("/v1/users/{nora}/export")).await;
        assert_eq!(export.status, 404, "{}", export.text);
    })
    .await;
}

#[tokio::test]
async fn a_reply_after_a_user_is_erased_is_not_stored() {
    World::run(async |world| {
        world
            .relay
            .set(OLD, Behaviour::SlowDot(std::time::Duration::from_secs(2)));
        let nora = world.person(OLD).await;
        let batch = world.invite(json!({ "users": [nora] })).await;
        world
            .eventually("the mail is with the relay", async || {
                (world.batch(batch).await["counts"]["sending"] == 1).then_some(())
            })
            .await;

        let answer = world
            .ask(Method::DELETE, &format!("/v1/users/{nora}"), None, None)
            .await;
        world.finished(batch).await;

        assert_eq!(answer.status, 204, "{}", answer.text);
        let replies = world.rows("attempts").having("reply").count().await;
        assert_eq!(replies, 0);
        let sent = world.rows("last_sent").count().await;
        assert_eq!(sent, 0);
        assert_eq!(world.batch(batch).await["counts"]["sent"], 1);
    })
    .await;
}

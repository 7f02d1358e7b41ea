//! Whatever is changed, who changed it is on record, and nothing is changed without.

use crate::json;
use harness::{Setup, World};
use reqwest::Method;
use serde_json::Value;
use uuid::Uuid;

/// What is on record about a thing: by whom, what, and what was noted beside it.
async fn record(world: &World, subject: &str) -> Vec<(String, String, Value)> {
    sqlx::query_as("select who, action, details from audit where subject = $1 order by id")
        .bind(subject)
        .fetch_all(&world.db)
        .await
        .unwrap()
}

fn by_tests(action: &str, details: Value) -> (String, String, Value) {
    ("key tests".to_owned(), action.to_owned(), details)
}

async fn lines(world: &World) -> i64 {
    sqlx::query_scalar("select count(*) from audit")
        .fetch_one(&world.db)
        .await
        .unwrap()
}

#[tokio::test]
async fn every_change_through_the_api_has_its_line() {
    let world = World::with(Setup::default().workers(0)).await;
    let made = record_of_the_key(&world).await;
    assert_eq!(
        made,
        (
            "the command line".to_owned(),
            "key_made".to_owned(),
            json!({ "name": "tests" })
        )
    );

    let import = world
        .import("email,first_name\nada@example.org,Ada\nnobody,Nobody\n")
        .await
        .expect(201);
    let import: Uuid = import["id"].as_str().unwrap().parse().unwrap();
    let sums = json!({ "created": 1, "updated": 0, "unchanged": 0, "rejected": 1 });
    assert_eq!(
        record(&world, &format!("import {import}")).await,
        [by_tests("file_imported", sums)]
    );

    let ada = world.person("ada@example.org").await;
    let change = json!({ "first_name": "Augusta", "fields": { "Team": "Engines" } });
    world
        .ask(Method::PATCH, &format!("/v1/users/{ada}"), Some(change), None)
        .await
        .expect(200);
    let batch = world
        .invite(json!({ "users": [ada, Uuid::nil()], "hold_seconds": 600 }))
        .await;
    let sums = json!({ "mail": "invite", "selected": 2, "accepted": 1, "left_out": 1 });
    assert_eq!(
        record(&world, &format!("batch {batch}")).await,
        [by_tests("batch_accepted", sums)]
    );

    let before = lines(&world).await;
    for status in [204, 404] {
        let gone = world.ask(Method::DELETE, &format!("/v1/users/{ada}"), None, None).await;
        assert_eq!(gone.status, status);
    }
    assert_eq!(lines(&world).await, before + 1);
    assert_eq!(
        record(&world, &format!("user {ada}")).await,
        [
            by_tests("user_changed", json!({ "fields": ["first_name", "team"] })),
            by_tests("user_deleted", json!({})),
        ]
    );
    let all: String = sqlx::query_scalar("select string_agg(audit::text, ' ') from audit")
        .fetch_one(&world.db)
        .await
        .unwrap();
    for told in ["example.org", "Augusta", "Engines"] {
        assert!(!all.contains(told), "the record tells {told}: {all}");
    }
    world.end().await;
}

#[tokio::test]
async fn what_is_done_to_a_system_email_has_its_line_and_tells_no_text() {
    let world = World::with(Setup::default().workers(0)).await;

    let tested = world
        .post("/v1/system-emails/invite/test", json!({ "to": "priya@lerna.example" }))
        .await
        .expect(202);
    assert_eq!(
        record(&world, &format!("batch {}", tested["batch"].as_str().unwrap())).await,
        [by_tests("test_mail_sent", json!({ "mail": "invite" }))]
    );
    let text = json!({ "subject": "Welcome", "body": "Hello {{ first_name }}, [come in]({{ sign_in_url }})." });
    for _ in 0..2 {
        // The same text a second time is no other version, and no other line.
        world
            .ask(Method::PUT, "/v1/system-emails/invite", Some(text.clone()), None)
            .await
            .expect(200);
    }
    assert_eq!(
        record(&world, "system_email invite").await,
        [by_tests("system_email_saved", json!({ "version": 2 }))]
    );

    let all: String = sqlx::query_scalar("select string_agg(audit::text, ' ') from audit")
        .fetch_one(&world.db)
        .await
        .unwrap();
    for told in ["lerna.example", "Welcome"] {
        assert!(!all.contains(told), "the record tells {told}: {all}");
    }
    world.end().await;
}

async fn record_of_the_key(world: &World) -> (String, String, Value) {
    sqlx::query_as("select who, action, details from audit order by id limit 1")
        .fetch_one(&world.db)
        .await
        .unwrap()
}

#[tokio::test]
async fn the_same_request_twice_has_one_line() {
    let world = World::with(Setup::default().workers(0)).await;
    let ada = world.person("ada@example.org").await;
    let before = lines(&world).await;

    for _ in 0..2 {
        let invite = json!({ "users": [ada], "hold_seconds": 600 });
        world
            .ask(Method::POST, "/v1/invites", Some(invite), Some("once"))
            .await
            .expect(202);
    }

    assert_eq!(lines(&world).await, before + 1);
    world.end().await;
}

#[tokio::test]
async fn what_cannot_be_put_on_record_is_not_done() {
    let world = World::with(Setup::default().workers(0)).await;
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
    let done: i64 = sqlx::query_scalar(
        "select (select count(*) from batches) + (select count(*) from users where email_key = 'bob@example.org')
                + (select count(*) from system_email_versions where version > 1)",
    )
    .fetch_one(&world.db)
    .await
    .unwrap();
    assert_eq!(done, 0);
    world.end().await;
}

//! A double click, or a retry after a lost answer, creates one batch.

use crate::json;
use harness::World;
use reqwest::Method;

#[tokio::test]
async fn two_concurrent_requests_with_one_key_are_one_batch() {
    World::run(async |world| {
        let import = world.people(100).await;
        let ask = || {
            world.ask(
                Method::POST,
                "/v1/invites",
                Some(json!({ "import": import })),
                Some("click-1"),
            )
        };

        let (one, other) = tokio::join!(ask(), ask());
        let later = ask().await;

        assert_eq!(
            (one.status, other.status, later.status),
            (202, 202, 202),
            "{} {}",
            one.text,
            other.text
        );
        assert_eq!(one.body, other.body);
        assert_eq!(one.body, later.body);
        let batch = one.body["batch"].as_str().unwrap().parse().unwrap();
        world.finished(batch).await;
        assert_eq!(world.relay.accepted_count(), 100);
        world.assert_promises_kept().await;
    })
    .await;
}

#[tokio::test]
async fn two_concurrent_batches_email_no_user_twice() {
    World::run(async |world| {
        let import = world.people(100).await;
        let ask = || world.post("/v1/invites", json!({ "import": import }));

        let (one, other) = tokio::join!(ask(), ask());

        let accepted = |answer: &serde_json::Value| answer["accepted"].as_i64().unwrap();
        let (one, other) = (one.expect(202), other.expect(202));
        assert_eq!(accepted(&one) + accepted(&other), 100, "{one} {other}");
        world.finished(one["batch"].as_str().unwrap().parse().unwrap()).await;
        world.finished(other["batch"].as_str().unwrap().parse().unwrap()).await;
        assert_eq!(world.relay.accepted_count(), 100);
        world.assert_promises_kept().await;
    })
    .await;
}

#[tokio::test]
async fn a_retry_gets_its_response_although_the_filter_was_deleted_since() {
    World::run(async |world| {
        world.people(3).await;
        let filter = json!({ "name": "Not invited", "filter": { "invited": false } });
        let filter = world.post("/v1/filters", filter).await.expect(201);
        let request = json!({ "saved_filter": filter["id"] });
        let ask = || world.ask(Method::POST, "/v1/invites", Some(request.clone()), Some("retried"));
        let first = ask().await.expect(202);

        let path = format!("/v1/filters/{}", filter["id"].as_str().unwrap());
        world.ask(Method::DELETE, &path, None, None).await.expect(204);

        assert_eq!(ask().await.expect(202), first);
        world.finished(first["batch"].as_str().unwrap().parse().unwrap()).await;
        assert_eq!(world.relay.accepted_count(), 3);
    })
    .await;
}

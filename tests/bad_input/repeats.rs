//! Repeated requests, and the idempotency keys that identify them.

use harness::World;
use reqwest::Method;
use serde_json::Value;
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use crate::api_request::{Asked, a_world, ask, post, upload};
use crate::json;

const HEADER: &str = "Idempotency-Key";
const OTHER: &str = "This Idempotency-Key was used for another request. Use a new key for a new request.";

fn with_key(asked: Asked, key: &str) -> Asked {
    asked.header(HEADER, key)
}

#[tokio::test]
async fn an_invalid_key_is_refused() {
    World::run_in(a_world().await, async |world| {
        let sentence = "An Idempotency-Key is 1 to 200 printable ASCII characters, for example a UUID.";
        let body = "{\"emails\":[\"a@example.org\"]}";

        for key in ["", &"x".repeat(201), "a\tb", "schlüssel"] {
            with_key(post(world, "/v1/invites", body), key)
                .must_be_refused(400, "idempotency_key_invalid", sentence)
                .await;
            with_key(upload(world, "email\na@b.co\n"), key)
                .must_be_refused(400, "idempotency_key_invalid", sentence)
                .await;
        }
        assert_eq!(world.rows("batches").count().await, 0);
        assert_eq!(
            with_key(post(world, "/v1/invites", body), &"x".repeat(200))
                .answer()
                .await
                .status,
            202
        );
    })
    .await;
}

#[tokio::test]
async fn without_a_key_every_request_is_new() {
    World::run_in(a_world().await, async |world| {
        let body = "{\"emails\":[\"a@example.org\"]}";

        let one = post(world, "/v1/invites", body).answer().await;
        let other = post(world, "/v1/invites", body).answer().await;

        assert_eq!((one.status, other.status), (202, 202));
        assert_ne!(one.body["batch"], other.body["batch"]);
        assert_eq!(world.rows("idempotency_keys").count().await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_repeated_request_gets_the_same_response() {
    World::run_in(a_world().await, async |world| {
        let import = world.people(3).await;
        let body = json!({ "import": import }).to_string();

        let first = with_key(post(world, "/v1/invites", body.clone()), "k").answer().await;
        let second = with_key(post(world, "/v1/invites", body), "k").answer().await;

        assert_eq!(
            (first.status, second.status),
            (202, 202),
            "{} {}",
            first.text,
            second.text
        );
        assert_eq!(first.body, second.body);
        assert_eq!(
            (
                world.rows("batches").count().await,
                world.rows("deliveries").count().await
            ),
            (1, 3)
        );
    })
    .await;
}

#[tokio::test]
async fn two_at_once_are_one() {
    World::run_in(a_world().await, async |world| {
        let import = world.people(50).await;
        let body = json!({ "import": import }).to_string();
        let ask = || with_key(post(world, "/v1/password-resets", body.clone()), "at-once").answer();
        let file = || with_key(upload(world, "email\nnew@example.org\n"), "file-at-once").answer();

        let (first, second, third, fourth) = tokio::join!(ask(), ask(), ask(), ask());
        let (upload, again) = tokio::join!(file(), file());

        let all = [&first, &second, &third, &fourth];
        let answers: Vec<&Value> = all.map(|response| &response.body).into();
        assert!(all.iter().all(|response| response.status == 202), "{answers:?}");
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
        assert_eq!(
            (
                world.rows("batches").count().await,
                world.rows("deliveries").count().await
            ),
            (1, 50)
        );
        assert_eq!((upload.status, &upload.body), (201, &again.body), "{}", again.text);
        assert_eq!(world.rows("imports").count().await, 2);
    })
    .await;
}

#[tokio::test]
async fn a_key_with_other_content_is_refused() {
    World::run_in(a_world().await, async |world| {
        let import = world.people(1).await;
        let body = json!({ "import": import }).to_string();
        assert_eq!(
            with_key(post(world, "/v1/invites", body.clone()), "k")
                .answer()
                .await
                .status,
            202
        );
        assert_eq!(
            with_key(upload(world, "email\na@b.co\n"), "f").answer().await.status,
            201
        );

        let held = json!({ "import": import, "hold_seconds": 60 }).to_string();
        with_key(post(world, "/v1/invites", held), "k")
            .must_be_refused(422, "idempotency_mismatch", OTHER)
            .await;
        with_key(post(world, "/v1/password-resets", body), "k")
            .must_be_refused(422, "idempotency_mismatch", OTHER)
            .await;
        with_key(upload(world, "email\nc@d.co\n"), "f")
            .must_be_refused(422, "idempotency_mismatch", OTHER)
            .await;
        with_key(upload(world, "email\nc@d.co\n"), "k")
            .must_be_refused(422, "idempotency_mismatch", OTHER)
            .await;
        let renamed = ask(world, Method::POST, "/v1/imports?file_name=other.csv").header("Content-Type", "text/csv");
        with_key(renamed.body("email\na@b.co\n"), "f")
            .must_be_refused(422, "idempotency_mismatch", OTHER)
            .await;

        assert_eq!(
            (world.rows("batches").count().await, world.rows("imports").count().await),
            (1, 2)
        );
    })
    .await;
}

#[tokio::test]
async fn a_refused_request_does_not_use_its_key() {
    World::run_in(a_world().await, async |world| {
        let import = world.people(1).await;

        let none = json!({ "filter": { "q": "unknown" } }).to_string();
        with_key(post(world, "/v1/invites", none), "k")
            .answer()
            .await
            .assert_problem(422, "empty_batch");
        with_key(upload(world, "nothing\nx\n"), "f")
            .answer()
            .await
            .assert_problem(422, "email_column_missing");
        let dry = ask(world, Method::POST, "/v1/imports?dry_run=true").header("Content-Type", "text/csv");
        assert_eq!(with_key(dry.body("email\na@b.co\n"), "f").answer().await.status, 200);

        let good = with_key(post(world, "/v1/invites", json!({ "import": import }).to_string()), "k")
            .answer()
            .await;
        let file = with_key(upload(world, "email\na@b.co\n"), "f").answer().await;
        assert_eq!((good.status, file.status), (202, 201), "{} {}", good.text, file.text);
    })
    .await;
}

#[tokio::test]
async fn sending_again_happens_once_per_key() {
    World::run_in(a_world().await, async |world| {
        let import = world.people(2).await;
        let batch = world.invite(json!({ "import": import, "hold_seconds": 600 })).await;
        world
            .post(&format!("/v1/batches/{batch}/stop"), json!({}))
            .await
            .expect(200);
        let delivery = world.deliveries(batch).await[0]["id"].as_str().unwrap().to_owned();
        let all = || {
            post(
                world,
                &format!("/v1/batches/{batch}/send-again"),
                "{\"outcomes\":[\"cancelled\"]}",
            )
        };
        let one = || ask(world, Method::POST, &format!("/v1/deliveries/{delivery}/send-again"));

        let (first, second) = (with_key(all(), "k").answer().await, with_key(all(), "k").answer().await);
        assert_eq!(
            (first.status, &first.body),
            (202, &second.body),
            "{} {}",
            first.text,
            second.text
        );
        let (third, fourth) = (with_key(one(), "d").answer().await, with_key(one(), "d").answer().await);
        assert_eq!(
            (third.status, &third.body),
            (202, &fourth.body),
            "{} {}",
            third.text,
            fourth.text
        );

        assert_eq!(world.rows("batches").count().await, 3);
    })
    .await;
}

#[tokio::test]
async fn a_key_is_kept_for_a_week() {
    World::run_in(a_world().await, async |world| {
        let now = world.now().await;
        let aged = (0..10).map(|days| {
            let created_at = now - Duration::days(days) - Duration::minutes(1);
            json!({
                "caller": "a key", "key": format!("key {days}"), "digest": "", "status": 202, "answer": {},
                "created_at": created_at.format(&Rfc3339).unwrap(),
            })
        });
        world.insert("idempotency_keys", aged.collect()).await;

        world
            .eventually("the old keys to be forgotten", async || {
                (world.rows("idempotency_keys").count().await < 10).then_some(())
            })
            .await;

        let kept: Vec<OffsetDateTime> = world.rows("idempotency_keys").column("created_at").await;
        let oldest = world.now().await - kept.into_iter().min().unwrap();
        assert_eq!(oldest.whole_days(), 6, "a key is kept for a week");
        assert_eq!(world.rows("idempotency_keys").count().await, 7);
    })
    .await;
}

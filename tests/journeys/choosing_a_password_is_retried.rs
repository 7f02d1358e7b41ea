//! A user chooses a password and the platform retries the request, because the first answer may have been lost.

use crate::json;
use harness::World;
use harness::world::Answer;
use reqwest::Method;

const ADA: &str = "ada@example.org";
const OWN: &str = "correct horse battery staple";
const OTHER: &str = "a lantern in the orchard";

/// A world in which Ada has been mailed a password.
async fn mailed() -> (World, String) {
    let world = World::start().await;
    world.person(ADA).await;
    let batch = world.reset_passwords(json!({ "emails": [ADA] })).await;
    world.until(batch, "sent", 1).await;
    let password = world.relay.mails_to(ADA).unwrap()[0].password().unwrap().to_owned();
    (world, password)
}

async fn choose(world: &World, email: &str, password: &str, new: &str, key: Option<&str>) -> Answer {
    let body = json!({ "email": email, "password": password, "new_password": new });
    world.ask(Method::POST, "/v1/credentials/choose", Some(body), key).await
}

fn kind(answer: &Answer) -> (u16, &str) {
    (answer.status, answer.body["type"].as_str().unwrap_or_default())
}

const MISMATCH: (u16, &str) = (422, "/problems/idempotency_mismatch");

#[tokio::test]
async fn with_one_key_it_happens_once_and_gets_the_same_response() {
    let (world, mailed) = mailed().await;
    World::run_in(world, async |world| {
        let chosen_at = async || -> time::OffsetDateTime {
            let chosen = world.rows("credentials").with("kind", "chosen");
            chosen.only("created_at").await
        };

        let first = choose(world, ADA, &mailed, OWN, Some("lost")).await;
        let at = chosen_at().await;
        let again = choose(world, ADA, &mailed, OWN, Some("lost")).await;
        let without = choose(world, ADA, &mailed, OWN, None).await;

        assert_eq!(
            (first.status, again.status),
            (200, 200),
            "{} {}",
            first.text,
            again.text
        );
        assert_eq!(first.text, again.text);
        assert_eq!(chosen_at().await, at, "the password was set again");
        assert_eq!(kind(&without), (422, "/problems/credentials_wrong"), "{}", without.text);
        assert!(!world.signs_in(ADA, &mailed).await);
        world.sign_in(ADA, OWN).await;
        // The digest stored under a key must not help to guess a password.
        let digest_is_of_the_address: bool = sqlx::query_scalar(
            "select digest = sha256(convert_to($1, 'utf8')) || convert_to('choose', 'utf8') from idempotency_keys",
        )
        .bind(ADA)
        .fetch_one(&world.db)
        .await
        .unwrap();
        assert!(digest_is_of_the_address);
    })
    .await;
}

#[tokio::test]
async fn two_concurrent_requests_with_one_key_set_one_password() {
    let (world, mailed) = mailed().await;
    World::run_in(world, async |world| {
        let ask = || choose(world, ADA, &mailed, OWN, Some("twice"));

        let (one, other, third) = tokio::join!(ask(), ask(), ask());

        for answer in [&one, &other, &third] {
            assert_eq!((answer.status, &answer.text), (200, &one.text), "{}", answer.text);
        }
        world.sign_in(ADA, OWN).await;
    })
    .await;
}

#[tokio::test]
async fn a_key_is_valid_for_one_request_of_one_user() {
    let (world, mailed) = mailed().await;
    World::run_in(world, async |world| {
        choose(world, ADA, &mailed, OWN, Some("once")).await.expect(200);

        let other_password = choose(world, ADA, OWN, OTHER, Some("once")).await;
        let other_person = choose(world, "ben@example.org", &mailed, OWN, Some("once")).await;
        assert_eq!((kind(&other_password), kind(&other_person)), (MISMATCH, MISMATCH));
        world.sign_in(ADA, OWN).await;
        choose(world, ADA, OWN, OTHER, Some("later")).await.expect(200);
        let overtaken = choose(world, ADA, &mailed, OWN, Some("once")).await;

        assert_eq!(kind(&overtaken), MISMATCH, "{}", overtaken.text);
        assert!(!world.signs_in(ADA, OWN).await);
        world.sign_in(ADA, OTHER).await;
    })
    .await;
}

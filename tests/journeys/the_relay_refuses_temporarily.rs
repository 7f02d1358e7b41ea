//! A temporary refusal costs one more attempt and leads to one mail.

use crate::json;
use harness::World;

#[tokio::test]
async fn a_greylisted_mail_is_sent_with_the_second_attempt() {
    World::run(async |world| {
        world.person("451-then-ok@example.org").await;

        let batch = world.invite(json!({ "emails": ["451-then-ok@example.org"] })).await;
        world.until(batch, "retrying", 1).await;
        let waiting = world.deliveries(batch).await[0].clone();
        world.let_pauses_pass().await;
        let finished = world.finished(batch).await;

        assert_eq!(waiting["reason"], "throttled", "{waiting}");
        assert!(waiting["due_at"].is_string(), "{waiting}");
        assert_eq!(finished["counts"]["sent"], 1, "{finished}");
        assert_eq!(finished["counts"]["unsure"], 0, "{finished}");
        let story = world.story(&waiting).await;
        assert_eq!(story["attempts"][0]["verdict"], "try_later", "{story}");
        assert_eq!(story["attempts"][0]["phase"], "rcpt", "{story}");
        assert_eq!(story["attempts"][0]["enhanced_code"], "4.7.1", "{story}");
        assert_eq!(story["attempts"][1]["verdict"], "accepted", "{story}");
        assert_eq!(world.relay.accepted_count(), 1);
        world.assert_promises_kept().await;
    })
    .await;
}

#[tokio::test]
async fn the_first_retry_is_after_about_five_minutes() {
    World::run(async |world| {
        world.person("451@example.org").await;

        let batch = world.invite(json!({ "emails": ["451@example.org"] })).await;
        world.until(batch, "retrying", 1).await;

        let pause = world.seconds_until_retry().await;
        assert!((220.0..=360.0).contains(&pause), "{pause}");
    })
    .await;
}

#[tokio::test]
async fn a_password_that_was_not_mailed_does_not_work_and_a_later_one_does() {
    World::run(async |world| {
        world.person("451-then-ok@example.org").await;

        let batch = world
            .reset_passwords(json!({ "emails": ["451-then-ok@example.org"] }))
            .await;
        world.until(batch, "retrying", 1).await;
        let live = world.rows("credentials").count().await;
        world.let_pauses_pass().await;
        world.finished(batch).await;

        assert_eq!(live, 0, "the password of a refused attempt does not exist");
        let mails = world.relay.mails_to("451-then-ok@example.org").unwrap();
        world
            .sign_in("451-then-ok@example.org", mails[0].password().unwrap())
            .await;
    })
    .await;
}

//! A line that breaks: before the dot the mail was not delivered, after it nobody knows.

use crate::json;
use harness::World;
use harness::relay::Behaviour;

#[tokio::test]
async fn a_break_before_the_data_is_tried_again_and_is_not_unsure() {
    let world = World::start().await;
    let address = "drop-before-data@example.org";
    world.person(address).await;

    let batch = world.invite(json!({ "emails": [address] })).await;
    world.until(batch, "retrying", 1).await;
    world.relay.set(address, Behaviour::Accept);
    world.let_pauses_pass().await;
    let finished = world.finished(batch).await;

    assert_eq!(finished["counts"]["sent"], 1, "{finished}");
    assert_eq!(finished["counts"]["unsure"], 0, "{finished}");
    assert_eq!(world.relay.accepted_count(), 1);
    world.assert_promises_kept().await;
    world.end().await;
}

#[tokio::test]
async fn a_break_in_the_data_is_tried_again_and_one_mail_arrives() {
    let world = World::start().await;
    let address = "drop-in-data@example.org";
    world.person(address).await;

    let batch = world.invite(json!({ "emails": [address] })).await;
    world.until(batch, "retrying", 1).await;
    world.relay.set(address, Behaviour::Accept);
    world.let_pauses_pass().await;
    let finished = world.finished(batch).await;

    assert_eq!(finished["counts"]["sent"], 1, "{finished}");
    // Body and dot leave in one piece, so the dot may have arrived: unsure is the honest word.
    assert_eq!(world.relay.accepted_count(), 1);
    world.assert_promises_kept().await;
    world.end().await;
}

#[tokio::test]
async fn after_the_dot_it_is_unsure_and_both_passwords_work() {
    let world = World::start().await;
    let address = "drop-after-dot@example.org";
    world.person(address).await;

    let batch = world.reset_passwords(json!({ "emails": [address] })).await;
    let unsure = world.until(batch, "retrying", 1).await;
    world.relay.set(address, Behaviour::Accept);
    world.let_pauses_pass().await;
    let finished = world.finished(batch).await;

    assert_eq!(unsure["counts"]["unsure"], 1, "{unsure}");
    assert_eq!(finished["counts"]["sent"], 1, "{finished}");
    assert_eq!(finished["counts"]["unsure"], 1, "{finished}");
    let mails = world.relay.mails_to(address).unwrap();
    assert_eq!(mails.len(), 2);
    assert_eq!(mails[0].header("Message-ID"), mails[1].header("Message-ID"));
    // The second is tried without being used up, then the first is.
    let (first, second) = (mails[0].password().unwrap(), mails[1].password().unwrap());
    assert_ne!(first, second);
    let live: i64 = sqlx::query_scalar("select count(*) from credentials")
        .fetch_one(&world.db)
        .await
        .unwrap();
    assert_eq!(live, 2, "both passwords are waiting to be used");
    world.sign_in(address, first).await.expect(200);
    assert_eq!(
        world.sign_in(address, second).await.status,
        401,
        "the first use ends the others"
    );
    world.assert_promises_kept().await;
    world.end().await;
}

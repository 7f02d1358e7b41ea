//! However many password mails a user gets, and from whichever caller: their own password keeps working, every mailed
//! password works until they choose a new one, and the number of working passwords stays small.

use crate::json;
use harness::World;
use harness::relay::Behaviour;
use harness::world::PATIENCE;
use std::time::Duration;

const ADA: &str = "ada@example.org";
const OWN: &str = "correct horse battery staple";

/// Working mailed passwords that a user may have before the next batch leaves them out.
const MOST: usize = 5;

async fn live(world: &World) -> i64 {
    world.rows("credentials").with("kind", "generated").count().await
}

fn mailed(world: &World) -> Vec<String> {
    let mails = world.relay.mails_to(ADA).unwrap();
    mails.iter().map(|mail| mail.password().unwrap().to_owned()).collect()
}

/// Requests a mail for Ada even if she was mailed recently or has signed in.
fn recipients() -> serde_json::Value {
    json!({ "emails": [ADA], "include_recent": true, "include_signed_in": true })
}

/// Mails Ada a password, with which she chooses her own.
async fn own(world: &World) {
    world.person(ADA).await;
    let batch = world.reset_passwords(recipients()).await;
    world.finished(batch).await;
    let choose = json!({ "email": ADA, "password": mailed(world)[0], "new_password": OWN });
    world.post("/v1/credentials/choose", choose).await.expect(200);
}

#[tokio::test]
async fn fifty_requests_end_none_of_their_passwords() {
    World::run(async |world| {
        own(world).await;
        // Some of them are refused, and some are unsure.
        let (mut accepted, mut left_out) = (0, 0);

        for n in 0..50 {
            let behaviour = match n {
                1 => Behaviour::refused_after_dot(),
                2 => Behaviour::try_later(),
                _ => Behaviour::Accept,
            };
            world.relay.set(ADA, behaviour);
            let answer = world.post("/v1/password-resets", recipients()).await.expect(202);
            if answer["accepted"] == 1 {
                accepted += 1;
                let batch = answer["batch"].as_str().unwrap().parse().unwrap();
                if n == 2 {
                    world.until(batch, "retrying", 1).await;
                    world.let_pauses_pass().await;
                    world.relay.set(ADA, Behaviour::Accept);
                }
                world.finished(batch).await;
            } else {
                left_out += 1;
                assert_eq!(answer["left_out"], json!({ "too_many_passwords": 1 }), "{answer}");
            }
            // At each step, and so after each kind of outcome.
            if n < 8 {
                let right = world.sign_in(ADA, OWN).await;
                assert_eq!(right["must_set_password"], false, "{right}");
            }
        }

        // The refused one left no password behind.
        assert_eq!((accepted, left_out), (MOST + 1, 50 - MOST - 1));
        assert_eq!(usize::try_from(live(world).await).unwrap(), MOST);
        let all = mailed(world);
        assert_eq!(all.len(), MOST + 1);
        assert!(!world.signs_in(ADA, &all[0]).await, "the one before her own");
        world.sign_in(ADA, &all[3]).await;
        world.sign_in(ADA, OWN).await;
        assert_eq!(usize::try_from(live(world).await).unwrap(), MOST, "a use ended others");
        world.assert_promises_kept().await;
    })
    .await;
}

#[tokio::test]
async fn a_request_during_delivery_does_not_end_the_password_being_sent() {
    World::run(async |world| {
        world.person(ADA).await;
        world.relay.set(ADA, Behaviour::SlowDot(Duration::from_secs(2)));
        let first = world.reset_passwords(recipients()).await;
        let dot = world.relay.wait_until("a dot", PATIENCE, |counts| counts.dots == 1);
        dot.await.unwrap();

        let meanwhile = world.post("/v1/password-resets", recipients()).await.expect(202);
        let invite = world.invite(json!({ "emails": [ADA] })).await;
        world.finished(first).await;
        world.relay.set(ADA, Behaviour::Accept);
        world.finished(invite).await;
        let second = world.reset_passwords(recipients()).await;
        world.finished(second).await;

        assert_eq!(meanwhile["left_out"], json!({ "already_waiting": 1 }), "{meanwhile}");
        let mails = world.relay.mails_to(ADA).unwrap();
        let passwords: Vec<&str> = mails.iter().filter_map(|mail| mail.password()).collect();
        assert_eq!(passwords.len(), 2);
        assert_eq!(live(world).await, 2, "the second took the first away");
        world.sign_in(ADA, passwords[0]).await;
        world.assert_promises_kept().await;
    })
    .await;
}

#[tokio::test]
async fn a_password_used_before_its_mail_is_recorded_stays_used() {
    World::run(async |world| {
        world.person(ADA).await;

        let batch = world.reset_passwords(recipients()).await;
        world.relay.set(ADA, Behaviour::SlowDot(Duration::from_secs(1)));
        let dot = world.relay.wait_until("a dot", PATIENCE, |counts| counts.dots == 1);
        dot.await.unwrap();
        // Recording the relay's 250 waits for this lock.
        let lock = world.block_writes("attempts").await;
        world.relay.wait_for(1, PATIENCE).await.unwrap();
        let password = mailed(world).remove(0);
        let early = world.sign_in(ADA, &password).await;
        let unrecorded = world.count(batch, "sending").await;
        lock.release().await;
        let finished = world.finished(batch).await;

        assert_eq!(unrecorded, 1, "the outcome was recorded before she signed in");
        assert_eq!(early["must_set_password"], true, "{early}");
        assert_eq!(finished["counts"]["sent"], 1, "{finished}");
        assert_eq!(finished["counts"]["unsure"], 0, "{finished}");
        let used = world.rows("credentials").having("used_at").count().await;
        assert_eq!((live(world).await, used), (1, 1));
        world.sign_in(ADA, &password).await;
        world.assert_promises_kept().await;
    })
    .await;
}

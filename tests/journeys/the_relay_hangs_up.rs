//! A connection breaks: before the dot the mail was not delivered; after it the outcome is unknown.

use crate::json;
use harness::faults::FaultProxy;
use harness::relay::Behaviour;
use harness::{Setup, World};

#[tokio::test]
async fn a_disconnect_before_the_body_is_retried_and_not_unsure() {
    World::run(async |world| {
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
    })
    .await;
}

#[tokio::test]
async fn a_disconnect_in_the_body_is_retried_and_one_mail_arrives() {
    World::run(async |world| {
        let address = "drop-in-data@example.org";
        world.person(address).await;

        let batch = world.invite(json!({ "emails": [address] })).await;
        world.until(batch, "retrying", 1).await;
        world.relay.set(address, Behaviour::Accept);
        world.let_pauses_pass().await;
        let finished = world.finished(batch).await;

        assert_eq!(finished["counts"]["sent"], 1, "{finished}");
        // Body and dot leave in one write, so the dot may have arrived and the attempt must be unsure.
        assert_eq!(world.relay.accepted_count(), 1);
        world.assert_promises_kept().await;
    })
    .await;
}

#[tokio::test]
async fn a_partial_body_is_not_delivered() {
    World::run_with(Setup::default().workers(0), async |world| {
        world.person("ada@example.org").await;
        let proxy = FaultProxy::start(world.relay.address()).await.unwrap();
        let smtp = format!("smtp://{}?tls=none", proxy.address());
        world.start_worker_with(&[("SMTP_URL", &smtp)]).await.unwrap();
        // More than the commands before a body, and less than a mail.
        proxy.limit(1_000);

        let batch = world.invite(json!({ "emails": ["ada@example.org"] })).await;
        world.until(batch, "retrying", 1).await;
        let arrived = world.relay.counts();
        proxy.restore().await.unwrap();
        world.let_pauses_pass().await;
        let finished = world.finished(batch).await;

        assert_eq!((arrived.dots, arrived.accepted), (0, 0));
        assert!(arrived.refused > 0, "the line was cut before the body: {arrived:?}");
        assert_eq!(finished["counts"]["sent"], 1, "{finished}");
        assert_eq!(world.relay.accepted_count(), 1);
        world.assert_promises_kept().await;
    })
    .await;
}

#[tokio::test]
async fn a_disconnect_after_the_dot_is_unsure_and_both_passwords_work() {
    World::run(async |world| {
        // One user uses the first password, the other the second: the first use ends the others.
        let people = ["drop-after-dot+ada@example.org", "drop-after-dot+bob@example.org"];
        world
            .import(&format!("email\n{}\n", people.join("\n")))
            .await
            .expect(201);

        let batch = world.reset_passwords(json!({ "emails": people })).await;
        let unsure = world.until(batch, "retrying", 2).await;
        for person in people {
            world.relay.set(person, Behaviour::Accept);
        }
        world.let_pauses_pass().await;
        let finished = world.finished(batch).await;

        assert_eq!(unsure["counts"]["unsure"], 2, "{unsure}");
        assert_eq!(finished["counts"]["sent"], 2, "{finished}");
        assert_eq!(finished["counts"]["unsure"], 2, "{finished}");
        for (first, person) in people.iter().enumerate() {
            let mails = world.relay.mails_to(person).unwrap();
            assert_eq!(mails.len(), 2, "{person}");
            assert_eq!(mails[0].header("Message-ID"), mails[1].header("Message-ID"));
            let passwords = [mails[0].password().unwrap(), mails[1].password().unwrap()];
            assert_ne!(passwords[0], passwords[1]);
            for password in [passwords[first], passwords[1 - first]] {
                world.sign_in(person, password).await;
            }
        }
        world.assert_promises_kept().await;
    })
    .await;
}

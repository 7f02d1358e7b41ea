//! The relay takes long over one mail. Other mails do not wait for it, with default settings.

use crate::json;
use harness::world::PATIENCE;
use harness::{Setup, World};
use std::time::{Duration, Instant};

#[tokio::test]
async fn single_mails_do_not_wait_behind_slow_ones() {
    World::run_with(Setup::default().worker_setting("BECKON_LEASE", "60s"), async |world| {
        for slow in ["slow-dot-20s+one@example.org", "slow-dot-20s+two@example.org"] {
            world.person(slow).await;
            world.invite(json!({ "emails": [slow] })).await;
        }
        let at_the_relay = world
            .relay
            .wait_until("two slow mails", PATIENCE, |counts| counts.dots == 2);
        at_the_relay.await.unwrap();
        let others: Vec<String> = (1..=6).map(|n| format!("quick{n}@example.org")).collect();
        for email in &others {
            world.person(email).await;
        }

        let began = Instant::now();
        let mut batches = Vec::new();
        for email in &others {
            batches.push(world.invite(json!({ "emails": [email] })).await);
        }
        for batch in batches {
            world.finished(batch).await;
        }

        assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
        assert_eq!(world.relay.accepted_count(), 6);
    })
    .await;
}

#[tokio::test]
async fn a_batch_does_not_wait_for_its_slow_mail_while_another_worker_is_idle() {
    let setup = Setup::default()
        .workers(2)
        .worker_setting("BECKON_SMTP_CONNECTIONS", "2")
        .worker_setting("BECKON_LEASE", "60s");
    World::run_with(setup, async |world| {
        let mut emails: Vec<String> = (1..=200).map(|n| format!("quick{n}@example.org")).collect();
        emails.insert(3, "slow-dot-60s@example.org".to_owned());
        let import = world
            .import(&format!("email\n{}\n", emails.join("\n")))
            .await
            .expect(201);

        let began = Instant::now();
        let batch = world.invite(json!({ "import": import["id"] })).await;
        world.until(batch, "sent", 200).await;

        assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
        assert_eq!(world.count(batch, "sending").await, 1);
    })
    .await;
}

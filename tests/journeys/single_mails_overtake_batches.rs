//! A single mail overtakes a batch, and two batches share the rate fairly.

use crate::json;
use harness::relay::Behaviour;
use harness::{Setup, World};
use std::time::{Duration, Instant};

#[tokio::test]
async fn a_single_mail_is_sent_while_a_batch_runs() {
    let setup = Setup::default().worker_setting("BECKON_SMTP_CONNECTIONS", "4");
    World::run_with(setup, async |world| {
        let import = world.people(4_000).await;
        world.person("ada@example.com").await;
        world.relay.set_default(Behaviour::SlowDot(Duration::from_millis(20)));

        let bulk = world.invite(json!({ "import": import })).await;
        world.relay.wait_for(100, harness::world::PATIENCE).await.unwrap();
        let began = Instant::now();
        let single = world.invite(json!({ "emails": ["ada@example.com"] })).await;
        world.finished(single).await;
        let waited = began.elapsed();

        let left = world.count(bulk, "sent").await;
        assert!(left < 4_000, "the batch finished before the test could check");
        // Ten seconds is the promise for a single mail; the rest of the batch takes as long again.
        assert!(waited < Duration::from_secs(10), "{waited:?}");
    })
    .await;
}

#[tokio::test]
async fn a_small_batch_does_not_wait_for_a_large_one() {
    World::run_with(Setup::default().api_setting("BECKON_MAIL_RATE", "100"), async |world| {
        let import = world.people(1_000).await;
        let few: Vec<String> = (1..=40).map(|n| format!("few{n}@example.org")).collect();
        world.import(&format!("email\n{}\n", few.join("\n"))).await.expect(201);

        let large = world.invite(json!({ "import": import })).await;
        let small = world.invite(json!({ "emails": few })).await;
        world.finished(small).await;

        let sent = world.count(large, "sent").await;
        assert!(
            sent < 400,
            "{sent} of the large batch went before the last of the small one"
        );
    })
    .await;
}

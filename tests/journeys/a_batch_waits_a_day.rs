//! No worker runs for a day. Waiting deliveries take no room in the broker, and stale ones expire unsent.

use crate::json;
use harness::{Setup, World};
use std::time::Duration;

/// Enough that a queue holding all of them would visibly grow.
const PEOPLE: usize = 20_000;

/// Memory the API may gain, in bytes; that many jobs held in memory would take more.
const MEMORY: u64 = 24 * 1024 * 1024;

#[tokio::test]
async fn queue_and_memory_stay_small_and_stale_passwords_expire() {
    World::run_with(Setup::default().workers(0), async |world| {
        let import = world.people(PEOPLE).await;
        let few: Vec<String> = (1..=30).map(|n| format!("few{n}@example.org")).collect();
        world.import(&format!("email\n{}\n", few.join("\n"))).await.expect(201);
        let api = world.api.as_ref().unwrap();
        let before = api.max_memory();

        let invites = world.invite(json!({ "emails": few })).await;
        world.until(invites, "queued", 30).await;
        let passwords = world.reset_passwords(json!({ "import": import })).await;
        world
            .eventually("the queue to take what it takes", async || {
                (world.count(passwords, "queued").await > 0).then_some(())
            })
            .await;
        let queued = world.count(passwords, "queued").await;
        let (in_queue, most) = (world.message_count("beckon.bulk").await, api.max_memory());
        // Moves every clock column back by 25 hours.
        let passed = Duration::from_hours(25);
        world.rows("batches").age(&["start_at", "stale_at"], passed).await;
        world.rows("published_ranges").age(&["published_at"], passed).await;
        let expired = world.finished(passwords).await;
        world.start_worker().await.unwrap();
        let sent = world.finished(invites).await;

        assert!(
            queued < 2_000 && in_queue < 4_000,
            "{queued} marked, {in_queue} in the queue"
        );
        if let (Some(before), Some(most)) = (before, most) {
            assert!(most < before + MEMORY, "{before} bytes before, {most} after");
        }
        assert_eq!(expired["counts"]["expired"], PEOPLE, "{expired}");
        assert_eq!(world.deliveries(passwords).await[0]["reason"], "stale");
        assert_eq!(sent["counts"]["sent"], 30, "{sent}");
        assert_eq!(world.relay.accepted_count(), 30, "a password went out a day late");
        world.assert_promises_kept().await;
    })
    .await;
}

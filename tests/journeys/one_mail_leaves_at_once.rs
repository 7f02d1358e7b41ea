//! Postgres notifies the dispatcher: a mail does not wait for the next poll for due deliveries.

use crate::json;
use harness::World;
use harness::world::PATIENCE;
use std::time::{Duration, Instant};

/// Mails of each kind; enough for a median that slow moments of the machine do not shift.
const MAILS: usize = 5;

/// Half the polling interval.
const HALF_A_POLL: Duration = Duration::from_millis(250);

/// The most time needed to mark a published mail and poll again.
const A_LOOK: Duration = Duration::from_millis(100);

/// The time until the relay has taken one more mail.
async fn until_taken(world: &World, began: Instant) -> Duration {
    let taken = world.relay.accepted_count();
    world.relay.wait_for(taken + 1, PATIENCE).await.unwrap();
    began.elapsed()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

#[tokio::test]
async fn a_mail_is_published_long_before_the_next_poll() {
    World::run(async |world| {
        world.people(2 * MAILS + 1).await;
        let one = |n: usize| json!({ "emails": [format!("person{n}@example.org")] });
        let mut held_batches = Vec::new();
        for n in 1..=MAILS {
            let mut held = one(2 * n);
            held["hold_seconds"] = json!(3600);
            held_batches.push(world.invite(held).await);
        }
        world.invite(one(1)).await;
        world.relay.wait_for(1, PATIENCE).await.unwrap();

        let (mut called, mut silent) = (Vec::new(), Vec::new());
        for (n, held) in (1..).zip(held_batches) {
            // The dispatcher polls once more after publishing. Without a notification, anything after that waits for
            // most of a polling interval.
            tokio::time::sleep(A_LOOK).await;
            let began = Instant::now();
            let ((), waited) = tokio::join!(make_due(world, held), until_taken(world, began));
            silent.push(waited);
            let began = Instant::now();
            let (_, waited) = tokio::join!(world.invite(one(2 * n + 1)), until_taken(world, began));
            called.push(waited);
        }

        let (called, silent) = (median(called), median(silent));
        assert!(called < HALF_A_POLL, "{called:?} with a call, {silent:?} without");
        assert!(called * 2 < silent, "{called:?} with a call, {silent:?} without");
    })
    .await;
}

/// Makes a held batch due directly in the database, without a notification.
async fn make_due(world: &World, batch: uuid::Uuid) {
    let due = json!({ "state": "running", "start_at": "now" });
    world.rows("batches").with("id", batch).set(due).await;
}

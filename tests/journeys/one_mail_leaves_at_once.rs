//! Postgres calls the dispatcher: a mail does not wait for the next look at what is due.

use crate::json;
use harness::World;
use harness::world::PATIENCE;
use std::time::{Duration, Instant};

/// Mails of each kind; enough for a median that one slow moment of the machine does not move.
const MAILS: usize = 11;

/// Half the pause between two looks. A mail nobody calls for waits for the look after the one that
/// published the mail before it, so for nearly a whole pause.
const HALF_A_POLL: Duration = Duration::from_millis(250);

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
async fn long_before_the_next_look_would_find_it() {
    let world = World::start().await;
    world.people(2 * MAILS + 1).await;
    let one = |n: usize| json!({ "emails": [format!("person{n}@example.org")] });
    let warm = world.invite(one(1)).await;
    world.finished(warm).await;

    let (mut called, mut silent) = (Vec::new(), Vec::new());
    for n in 0..MAILS {
        let held = json!({ "emails": [format!("person{}@example.org", 2 * n + 2)], "hold_seconds": 3600 });
        let held = world.invite(held).await;
        // Read before the request: the mail may be out before its answer is read.
        let (_, waited) = tokio::join!(world.invite(one(2 * n + 3)), until_taken(&world, Instant::now()));
        called.push(waited);
        let began = Instant::now();
        let (_, waited) = tokio::join!(make_due(&world, held), until_taken(&world, began));
        silent.push(waited);
    }

    let (called, silent) = (median(called), median(silent));
    assert!(called < HALF_A_POLL, "{called:?} with a call, {silent:?} without");
    assert!(called * 2 < silent, "{called:?} with a call, {silent:?} without");
    world.end().await;
}

/// Makes a held batch due behind the dispatcher's back, without the call that goes with it.
async fn make_due(world: &World, batch: uuid::Uuid) {
    for sql in [
        "update deliveries set due_at = now() where batch_id = $1",
        "update batches set state = 'running', start_at = now() where id = $1",
    ] {
        sqlx::query(sql).bind(batch).execute(&world.db).await.unwrap();
    }
}

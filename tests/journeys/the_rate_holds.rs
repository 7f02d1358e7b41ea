//! The relay's limit is one for all workers together.

use crate::json;
use harness::{Setup, World};
use std::time::Duration;

/// Mails a second.
const RATE: usize = 50;

#[tokio::test]
async fn whatever_the_number_of_workers() {
    let setup = Setup::default()
        .workers(2)
        .api_setting("BECKON_MAIL_RATE", &RATE.to_string());
    let world = World::with(setup).await;
    let import = world.people(5 * RATE).await;

    let batch = world.invite(json!({ "import": import })).await;
    let finished = world.finished(batch).await;

    assert_eq!(finished["counts"]["sent"], json!(5 * RATE), "{finished}");
    let mut taken: Vec<Duration> = world.relay.log().iter().map(|one| one.after).collect();
    taken.sort_unstable();
    let most = (0..taken.len()).map(|first| {
        let second = taken.iter().skip(first);
        second
            .take_while(|at| **at < taken[first] + Duration::from_secs(1))
            .count()
    });
    // When everything stands still for a moment, a second of it waits in the queue and another is saved up.
    assert!(most.max().unwrap() <= 3 * RATE, "too many in one second: {taken:?}");
    let soonest = taken[0] + Duration::from_secs(3);
    assert!(taken[taken.len() - 1] >= soonest, "too fast: {taken:?}");
    world.assert_promises_kept().await;
    world.end().await;
}

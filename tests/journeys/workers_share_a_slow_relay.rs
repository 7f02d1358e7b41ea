//! A worker that holds all jobs of a slow relay gives them back for one that has none.

use crate::json;
use harness::relay::Behaviour;
use harness::{Setup, World};
use std::time::{Duration, Instant};

const PEOPLE: usize = 600;

/// One worker's connection for bulk would need 30 s.
const SLOW: Duration = Duration::from_millis(50);

/// Two workers need half of that, after the time in which the first one measures its rate.
const SHARED: Duration = Duration::from_secs(24);

#[tokio::test]
async fn a_worker_that_starts_later_gets_half_of_the_mails() {
    World::run_with(Setup::default().workers(0), async |world| {
        let two = [("BECKON_SMTP_CONNECTIONS", "2")];
        let import = world.people(PEOPLE).await;
        world.relay.set_default(Behaviour::SlowDot(SLOW));
        world.start_worker_with(&two).await.unwrap();
        let batch = world.invite(json!({ "import": import })).await;
        world.until(batch, "sending", 1).await;

        let began = Instant::now();
        world.start_worker_with(&two).await.unwrap();
        let finished = world.finished(batch).await;
        let waited = began.elapsed();

        assert_eq!(finished["counts"]["sent"], PEOPLE, "{finished}");
        assert!(waited < SHARED, "{waited:?}");
        world.assert_promises_kept().await;
    })
    .await;
}

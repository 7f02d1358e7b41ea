//! A batch accepted now can start at a later time.

use crate::json;
use harness::World;
use std::time::Duration;
use time::format_description::well_known::Rfc3339;

#[tokio::test]
async fn nothing_is_sent_before_the_start_and_everything_after() {
    World::run(async |world| {
        let import = world.people(40).await;
        let start_at = world.now().await + Duration::from_secs(3);

        let recipients = json!({ "import": import, "start_at": start_at.format(&Rfc3339).unwrap() });
        let batch = world.invite(recipients).await;
        let held = world.batch(batch).await;
        let due = world.deliveries(batch).await[0]["due_at"].clone();
        let early = world
            .eventually("the batch's time", async || {
                let seen = world.relay.counts().connections;
                (seen > 0 || world.now().await >= start_at).then_some(seen)
            })
            .await;
        let finished = world.finished(batch).await;

        assert_eq!(held["state"], "held", "{held}");
        assert_eq!(held["counts"]["waiting"], 40, "{held}");
        assert_eq!(due, held["start_at"], "{held}");
        assert_eq!(early, 0, "a worker connected to the relay before the start");
        assert_eq!(finished["counts"]["sent"], 40, "{finished}");
        let first = world.first_attempt().await;
        assert!(first >= start_at, "{first} is before {start_at}");
        world.assert_promises_kept().await;
    })
    .await;
}

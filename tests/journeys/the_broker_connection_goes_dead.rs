//! The network between a worker and the broker silently drops everything.

use crate::json;
use harness::relay::Behaviour;
use harness::{Setup, World};
use std::time::Duration;

const PEOPLE: usize = 40;

#[tokio::test]
async fn both_sides_detect_it_by_heartbeats_and_another_worker_gets_the_jobs() {
    World::run_with(Setup::default().workers(0), async |world| {
        let import = world.people(PEOPLE).await;
        let (proxy, url) = world.detour("AMQP_URL").await;
        world.relay.set_default(Behaviour::SlowDot(Duration::from_millis(200)));
        let own = [
            ("AMQP_URL", format!("{url}?heartbeat=1")),
            ("BECKON_SMTP_CONNECTIONS", "2".to_owned()),
        ];
        let own = own.each_ref().map(|(name, value)| (*name, value.as_str()));
        world.start_worker_with(&own).await.unwrap();

        let batch = world.invite(json!({ "import": import })).await;
        world.relay.wait_for(4, harness::world::PATIENCE).await.unwrap();
        proxy.stall();
        let cut_off = &world.workers[0];
        world
            .eventually("the worker to miss the broker's heartbeats", async || {
                cut_off.log().contains("Lost the connection to RabbitMQ").then_some(())
            })
            .await;
        let then = world.relay.accepted_count();
        world.start_worker().await.unwrap();
        let finished = world.finished(batch).await;

        assert!(then < PEOPLE, "the batch was over before the line was dead");
        assert_eq!(finished["counts"]["sent"], PEOPLE, "{finished}");
        assert_eq!(finished["counts"]["unsure"], 0, "{finished}");
        assert_eq!(
            world.relay.accepted_count(),
            PEOPLE,
            "a job given out twice was sent twice"
        );
        world.assert_promises_kept().await;
        proxy.restore().await.unwrap();
        world.relay.set_default(Behaviour::Accept);
        let again = world.invite(json!({ "import": import, "include_recent": true })).await;
        world.stop_worker(1).await;
        world.finished(again).await;
        assert_eq!(
            world.relay.accepted_count(),
            2 * PEOPLE,
            "the worker recovers by itself"
        );
    })
    .await;
}

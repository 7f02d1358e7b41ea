//! A heartbeat takes the same path as jobs, so a broken path is distinguishable from having nothing to send.

use harness::{Setup, World};

/// When a heartbeat last reached this stage, from the API's metrics.
async fn stage(world: &World, stage: &str) -> f64 {
    let page = world.probe("/metrics").await.text;
    let name = format!("beckon_heartbeat_timestamp_seconds{{stage=\"{stage}\"}} ");
    let value = page.lines().find_map(|line| line.strip_prefix(name.as_str()));
    value.unwrap().parse().unwrap()
}

#[tokio::test]
async fn without_mail_to_send_heartbeats_are_published_and_recorded() {
    World::run(async |world| {
        let recorded = world
            .eventually("a heartbeat to be recorded", async || {
                let at = stage(world, "recorded").await;
                (at > 0.0).then_some(at)
            })
            .await;
        let published = stage(world, "published").await;

        assert!((published - recorded).abs() < 60.0, "{published} and {recorded}");
        assert_eq!(world.message_count(shared::queue::HEARTBEAT).await, 0);
        assert_eq!(world.message_count(shared::queue::PARKED).await, 0);
    })
    .await;
}

#[tokio::test]
async fn without_workers_heartbeats_are_published_and_not_recorded() {
    World::run_with(Setup::default().workers(0), async |world| {
        world
            .eventually("a heartbeat to wait in its queue", async || {
                (world.message_count(shared::queue::HEARTBEAT).await == 1).then_some(())
            })
            .await;
        world
            .eventually("it to be shown", async || {
                let at = stage(world, "published").await;
                (at > 0.0).then_some(())
            })
            .await;
        let recorded = stage(world, "recorded").await;
        world.start_worker().await.unwrap();
        world
            .eventually("the heartbeat to be consumed", async || {
                (world.message_count(shared::queue::HEARTBEAT).await == 0).then_some(())
            })
            .await;

        assert!(recorded.abs() < f64::EPSILON, "{recorded}");
    })
    .await;
}

//! The broker has a job but its confirm is lost: the job is published again, and the copy has no effect.

use crate::json;
use harness::{Setup, World};

#[tokio::test]
async fn unconfirmed_jobs_are_published_again_and_sent_once() {
    World::run_with(Setup::default().workers(0), async |world| {
        let import = world.people(30).await;
        world.person("ada@example.com").await;
        let (proxy, url) = world.detour("AMQP_URL").await;
        world.kill_api().await;
        let api = world.another_api(&[("AMQP_URL", &url)]).await.unwrap();
        world.turn_to(&api.base, &api.probes);
        world
            .eventually("the API to dispatch and to send its first heartbeat", async || {
                // Not read from the queue, which may still hold an earlier heartbeat of the API.
                (world.api_metric("beckon_heartbeat_timestamp_seconds").await > 0.0).then_some(())
            })
            .await;

        // Confirmed after the heartbeat: no confirm is outstanding now, and the next heartbeat is seconds away.
        let before = world.invite(json!({ "emails": ["ada@example.com"] })).await;
        world.until(before, "queued", 1).await;

        proxy.stall_replies();
        let batch = world.invite(json!({ "import": import })).await;
        world
            .eventually("the jobs to be in their queue", async || {
                (world.message_count("beckon.bulk").await == 30).then_some(())
            })
            .await;
        let unconfirmed = world.batch(batch).await;
        // The connection that swallowed the confirms ends without delivering them.
        proxy.reset();
        proxy.restore().await.unwrap();
        world.until(batch, "queued", 30).await;
        let copies = world.message_count("beckon.bulk").await;
        world.start_worker().await.unwrap();
        let finished = world.finished(batch).await;

        assert_eq!(
            unconfirmed["counts"]["queued"], 0,
            "marked without a confirm: {unconfirmed}"
        );
        assert_eq!(copies, 60, "each job was published twice");
        assert_eq!(finished["counts"]["sent"], 30, "{finished}");
        assert_eq!(finished["counts"]["unsure"], 0, "{finished}");
        world.finished(before).await;
        assert_eq!(world.relay.accepted_count(), 31);
        world.assert_promises_kept().await;
        drop(api);
    })
    .await;
}

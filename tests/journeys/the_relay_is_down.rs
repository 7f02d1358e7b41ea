//! While the relay is down or refuses our login, no attempts are spent.

use crate::json;
use harness::World;
use harness::relay::Mode;

#[tokio::test]
async fn an_outage_uses_up_no_attempts() {
    World::run(async |world| {
        let import = world.people(50).await;
        world.relay.pause_listening().await;
        world.relay.hang_up();

        let batch = world.invite(json!({ "import": import })).await;
        world
            .eventually("the worker to notice", async || {
                world.logs().contains("The relay is in trouble").then_some(())
            })
            .await;
        world
            .eventually("the outage to last", async || {
                world.logs().contains("Returned jobs to their queues").then_some(())
            })
            .await;
        let down = world.batch(batch).await;
        world.relay.resume_listening().await.unwrap();
        let finished = world.finished(batch).await;

        assert_eq!(down["counts"]["failed"], 0, "{down}");
        assert_eq!(finished["counts"]["sent"], 50, "{finished}");
        let most = world.most_attempts().await;
        assert_eq!(most, 1, "an outage spent an attempt");
        world.assert_promises_kept().await;
    })
    .await;
}

#[tokio::test]
async fn a_refused_sender_fails_no_delivery() {
    World::run(async |world| {
        let import = world.people(30).await;
        world.relay.set_mode(Mode::RefusesSender);

        let batch = world.invite(json!({ "import": import })).await;
        world
            .relay
            .wait_until("a refused sender", harness::world::PATIENCE, |counts| {
                counts.refused > 0
            })
            .await
            .unwrap();
        world.relay.set_mode(Mode::Normal);
        let finished = world.finished(batch).await;

        assert_eq!(finished["counts"]["sent"], 30, "{finished}");
        world.assert_promises_kept().await;
    })
    .await;
}

//! The broker takes back a job that a worker has held for too long.
//!
//! It closes the channel and redelivers the job to another worker while the mail is still with the relay.

use crate::json;
use harness::relay::Behaviour;
use harness::world::PATIENCE;
use harness::{Setup, World};
use std::time::Duration;

#[tokio::test]
async fn the_mail_completes_and_the_redelivered_job_has_no_effect() {
    World::run_with(Setup::default().own_stack().workers(0), async |world| {
        world.person("ada@example.org").await;
        // Applies to channels opened from now on.
        for setting in ["consumer_timeout,1500", "channel_tick_interval,300"] {
            let words = format!("eval application:set_env(rabbit,{setting}).");
            world.stack().broker_ctl(&words).await.unwrap();
        }
        for _ in 0..2 {
            world.start_worker_with(&[("BECKON_LEASE", "60s")]).await.unwrap();
        }
        world.relay.set_default(Behaviour::SlowDot(Duration::from_mins(1)));

        let batch = world.invite(json!({ "emails": ["ada@example.org"] })).await;
        let held = world.relay.wait_until("a dot", PATIENCE, |counts| counts.dots == 1);
        held.await.unwrap();
        world
            .eventually("the broker to close the channel", async || {
                world.logs().contains("Lost the connection to RabbitMQ").then_some(())
            })
            .await;
        world
            .eventually("the job to come back and be dropped", async || {
                (world.message_count("beckon.interactive").await == 0).then_some(())
            })
            .await;
        let meanwhile = world.batch(batch).await;

        assert_eq!(meanwhile["counts"]["sending"], 1, "{meanwhile}");
        assert_eq!(world.relay.counts().dots, 1, "the job that came back was sent");
    })
    .await;
}

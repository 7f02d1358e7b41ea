//! A worker that crashes as soon as it holds jobs makes the broker drop them. Postgres still has them.

use crate::json;
use harness::relay::Mode;
use harness::world::PATIENCE;
use harness::{Setup, World};

const PEOPLE: i64 = 150;

/// Jobs redelivered more often are dropped: RabbitMQ 4 does so by default, after 20 times.
const LIMIT: usize = 2;

#[tokio::test]
async fn jobs_dropped_by_the_broker_are_published_again() {
    World::run_with(Setup::default().workers(0), async |world| {
        let import = world.people(usize::try_from(PEOPLE).unwrap()).await;
        let limit = json!({
            "pattern": "^beckon\\.bulk$",
            "definition": { "delivery-limit": LIMIT },
            "apply-to": "queues",
            "priority": 20,
        });
        world.stack().put_policy(world.vhost(), "limit", &limit).await.unwrap();
        // Claimed mails wait for the relay's greeting, so the worker dies holding all of them.
        world.relay.set_mode(Mode::NeverGreets);
        let batch = world.invite(json!({ "import": import })).await;
        world.until(batch, "queued", PEOPLE).await;

        let mut connections = 0;
        while world.message_count("beckon.bulk").await > 0 {
            // It claims few of the jobs it holds, and no other worker takes over meanwhile.
            let own = [("BECKON_SMTP_CONNECTIONS", "2"), ("BECKON_LEASE", "10min")];
            world.start_worker_with(&own).await.unwrap();
            let begun = world
                .relay
                .wait_until("a connection", PATIENCE, |counts| counts.connections > connections);
            connections = begun.await.unwrap().connections;
            world.kill_worker(0).await;
            world
                .eventually("the broker to notice that the worker is gone", async || {
                    (world.consumers_of("beckon.bulk").await == 0).then_some(())
                })
                .await;
        }
        let thrown_away = world.count(batch, "queued").await;
        // Ends the time after which an unclaimed job or a claim counts as lost.
        world.let_leases_end().await;
        world.relay.set_mode(Mode::Normal);
        world.start_worker().await.unwrap();
        let finished = world.finished(batch).await;

        assert_eq!(world.message_count("beckon.parked").await, 0);
        assert!(thrown_away > 0, "every job had been claimed before the broker lost it");
        assert_eq!(finished["counts"]["sent"], PEOPLE, "{finished}");
        world.assert_promises_kept().await;
    })
    .await;
}

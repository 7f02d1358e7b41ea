//! A queue holds nothing that Postgres does not have: if deleted, it is declared again and refilled.

use crate::json;
use harness::world::PATIENCE;
use harness::{Setup, World};
use shared::batch::Lane;
use shared::job::Job;
use shared::queue::{Brokers, Outgoing};
use shared::trace::TraceContext;
use uuid::Uuid;

/// Whether the API has counted a job that no queue took.
async fn returned(world: &World) -> bool {
    let page = world.probe("/metrics").await.text;
    let mut counts = page.lines().filter(|line| line.starts_with("beckon_publishes_total{"));
    counts.any(|line| line.contains("returned") && !line.ends_with(" 0"))
}

#[tokio::test]
async fn a_queue_deleted_during_a_batch_loses_nothing() {
    let setup = Setup::default().workers(2).api_setting("BECKON_MAIL_RATE", "150");
    World::run_with(setup, async |world| {
        let import = world.people(450).await;

        let batch = world.invite(json!({ "import": import })).await;
        world.relay.wait_for(60, PATIENCE).await.unwrap();
        world.delete_queue("beckon.bulk").await;
        let at_the_deletion = world.relay.accepted_count();
        let finished = world.finished(batch).await;

        assert!(at_the_deletion < 450, "the batch finished before the test could check");
        assert_eq!(finished["counts"]["sent"], 450, "{finished}");
        assert_eq!(finished["counts"]["unsure"], 0, "{finished}");
        assert_eq!(world.relay.accepted_count(), 450);
        world.assert_promises_kept().await;
    })
    .await;
}

#[tokio::test]
async fn a_job_returned_for_lack_of_a_queue_is_published_again() {
    World::run_with(Setup::default().workers(0), async |world| {
        world.people(1).await;
        world.delete_queue("beckon.interactive").await;

        let batch = world.invite(json!({ "emails": ["person1@example.org"] })).await;
        world.until(batch, "queued", 1).await;
        let was_returned = returned(world).await;
        world.start_worker().await.unwrap();
        let finished = world.finished(batch).await;

        assert!(was_returned, "the first job found a queue, or was counted as published");
        assert_eq!(finished["counts"]["sent"], 1, "{finished}");
        world.assert_promises_kept().await;
    })
    .await;
}

/// How many rounds are published. The client library mixes up returned messages once in several thousand.
const ROUNDS: usize = 40;

#[tokio::test]
async fn exactly_the_jobs_without_a_queue_are_returned() {
    World::run_with(Setup::default().workers(0), async |world| {
        let brokers = Brokers::new(vec![world.amqp_url().to_owned()]);
        let mut session = brokers.connect("a test").await.unwrap();
        let mut publisher = session.publisher().await.unwrap();
        world.delete_queue("beckon.interactive").await;

        for round in 0..ROUNDS {
            let round: Vec<Outgoing> = (0..100)
                .map(|n| Outgoing {
                    job: Job {
                        delivery: Uuid::new_v4(),
                        attempt: 1,
                    },
                    lane: if (n + round) % 4 == 0 {
                        Lane::Interactive
                    } else {
                        Lane::Bulk
                    },
                    trace: TraceContext::fresh(),
                })
                .collect();
            let published = publisher.publish(&round).await.unwrap();

            let of = |lane: Lane| -> Vec<Uuid> {
                let those = round.iter().filter(|one| one.lane == lane);
                those.map(|one| one.job.delivery).collect()
            };
            let ids = |jobs: &[Job]| -> Vec<Uuid> { jobs.iter().map(|job| job.delivery).collect() };
            assert_eq!(ids(&published.returned), of(Lane::Interactive));
            assert_eq!(ids(&published.confirmed), of(Lane::Bulk));
            assert!(published.refused.is_empty(), "{published:?}");
        }
    })
    .await;
}

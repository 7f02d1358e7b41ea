//! The queue may deliver a job twice; only one claim succeeds.

use crate::json;
use harness::World;
use shared::batch::Lane;
use shared::job::Job;
use shared::queue::{Brokers, Outgoing};
use shared::trace::TraceContext;

#[tokio::test]
async fn copies_of_a_job_send_one_mail() {
    World::run(async |world| {
        world
            .relay
            .set_default(harness::relay::Behaviour::SlowDot(std::time::Duration::from_millis(
                300,
            )));
        let import = world.people(10).await;

        let batch = world.invite(json!({ "import": import })).await;
        let deliveries = world.deliveries(batch).await;
        let copies: Vec<Outgoing> = (0..5)
            .flat_map(|_| &deliveries)
            .map(|line| Outgoing {
                job: Job {
                    delivery: line["id"].as_str().unwrap().parse().unwrap(),
                    attempt: 1,
                },
                lane: Lane::Bulk,
                trace: TraceContext::fresh(),
            })
            .collect();
        let brokers = Brokers::new(vec![world.amqp_url().to_owned()]);
        let mut session = brokers.connect("a test").await.unwrap();
        let published = session.publisher().await.unwrap().publish(&copies).await.unwrap();
        let finished = world.finished(batch).await;

        assert_eq!(published.confirmed.len(), 50);
        assert_eq!(finished["counts"]["sent"], 10, "{finished}");
        assert_eq!(world.relay.accepted_count(), 10);
        world.assert_promises_kept().await;
    })
    .await;
}

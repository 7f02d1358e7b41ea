//! A job that RabbitMQ drops under the shipped policy is published again and not parked, so no alert fires.

use crate::json;
use harness::stack::SHIPPED_POLICIES;
use harness::{Setup, World};
use serde_json::Value;

const PEOPLE: i64 = 30;

/// The shipped policy of the job queues, with additional limits.
fn shipped(with: &Value) -> Value {
    let definitions: Value = serde_json::from_str(SHIPPED_POLICIES).unwrap();
    let mut policy = definitions["policies"][0].clone();
    for (limit, value) in with.as_object().unwrap() {
        policy["definition"][limit] = value.clone();
    }
    json!({
        "pattern": policy["pattern"], "apply-to": policy["apply-to"], "definition": policy["definition"],
        "priority": 20,
    })
}

/// Makes the broker drop jobs by this limit until `left` remain, and sends them afterwards.
async fn dropped_by(limit: Value, left: u32) {
    World::run_with(Setup::default().workers(0), async |world| {
        let import = world.people(usize::try_from(PEOPLE).unwrap()).await;
        let policy = shipped(&limit);
        world.stack().put_policy(world.vhost(), "limit", &policy).await.unwrap();

        let batch = world.invite(json!({ "import": import })).await;
        world.until(batch, "queued", PEOPLE).await;
        world
            .eventually("the jobs to be dropped", async || {
                (world.message_count("beckon.bulk").await == left).then_some(())
            })
            .await;
        let parked_at_once = world.message_count("beckon.parked").await;
        let unlimited = shipped(&json!({}));
        world
            .stack()
            .put_policy(world.vhost(), "limit", &unlimited)
            .await
            .unwrap();
        // As long as a job may stay unclaimed in its queue.
        world.let_leases_end().await;
        world.start_worker().await.unwrap();
        let finished = world.finished(batch).await;

        assert_eq!(parked_at_once, 0, "{limit}");
        assert_eq!(world.message_count("beckon.parked").await, 0, "{limit}");
        assert_eq!(finished["counts"]["sent"], PEOPLE, "{limit}: {finished}");
        assert_eq!(i64::try_from(world.relay.accepted_count()).unwrap(), PEOPLE, "{limit}");
        world.assert_promises_kept().await;
    })
    .await;
}

#[tokio::test]
async fn a_job_that_no_worker_received_in_time_is_published_again() {
    dropped_by(json!({ "message-ttl": 500 }), 0).await;
}

#[tokio::test]
async fn a_job_pushed_out_by_a_length_limit_is_published_again() {
    dropped_by(json!({ "max-length": 5, "overflow": "drop-head" }), 5).await;
}

//! A queue without a leader does not answer. It blocks its own lane, but not the other.

use crate::json;
use harness::faults::FaultProxy;
use harness::{Setup, World};
use shared::queue::HEARTBEAT;
use uuid::Uuid;

/// Suspends or resumes a queue's process: to clients, a suspended queue looks like one without a leader.
async fn let_answer(world: &World, queue: &str, does: bool) {
    let verb = if does { "resume" } else { "suspend" };
    let asked = format!("eval sys:{verb}('{}_{queue}').", world.vhost());
    world.stack().broker_ctl(&asked).await.unwrap();
}

/// A world in which a queue has stopped answering and the worker had to reconnect, with a batch and a single mail due.
struct Without {
    world: World,
    queue: &'static str,
    many: Uuid,
    one: Uuid,
    _way: FaultProxy,
}

impl Without {
    async fn queue(queue: &'static str) -> Self {
        let mut world = World::with(Setup::default().workers(0)).await;
        let (way, url) = world.detour("AMQP_URL").await;
        world.start_worker_with(&[("AMQP_URL", &url)]).await.unwrap();
        let_answer(&world, queue, false).await;
        way.cut().await;
        way.restore().await.unwrap();
        let import = world.people(300).await;
        Self {
            many: world.invite(json!({ "import": import })).await,
            one: world
                .reset_passwords(json!({ "emails": ["person1@example.org"] }))
                .await,
            world,
            queue,
            _way: way,
        }
    }

    /// Asserts that all of a batch is sent.
    async fn sends(&self, batch: Uuid) {
        let batch = self.world.finished(batch).await;
        assert_eq!(batch["counts"]["sent"], batch["counts"]["selected"], "{batch}");
    }

    async fn sends_nothing(&self, batch: Uuid) {
        let batch = self.world.batch(batch).await;
        assert_eq!(batch["counts"]["sent"], 0, "{batch}");
    }

    async fn let_answer_again(&self) {
        let_answer(&self.world, self.queue, true).await;
    }

    async fn end(self) {
        self.world.assert_promises_kept().await;
        self.world.end().await;
    }
}

#[tokio::test]
async fn a_single_mail_does_not_wait_for_the_queue_of_batches() {
    let without = Without::queue("beckon.bulk").await;

    without.sends(without.one).await;
    without.sends_nothing(without.many).await;
    without.let_answer_again().await;
    without.sends(without.many).await;
    without.end().await;
}

#[tokio::test]
async fn a_batch_does_not_wait_for_the_queue_of_single_mails() {
    let without = Without::queue("beckon.interactive").await;

    without.sends(without.many).await;
    without.sends_nothing(without.one).await;
    without.let_answer_again().await;
    without.sends(without.one).await;
    without.end().await;
}

/// Heartbeats are for monitoring. Mail does not need them.
#[tokio::test]
async fn mail_does_not_wait_for_the_heartbeat_queue() {
    let without = Without::queue(HEARTBEAT).await;
    let worker = &without.world.workers[0];

    without.sends(without.many).await;
    without.sends(without.one).await;
    without
        .world
        .eventually("the worker to report that heartbeats have no path", async || {
            let line = "queue beckon.heartbeat did not answer";
            worker.log().contains(line).then_some(())
        })
        .await;
    let at_work = without.world.probe("/readyz").await.text;
    without.let_answer_again().await;

    assert_eq!(at_work, r#"{"status":"ready"}"#);
    let lost = worker.log().matches("Lost the connection to RabbitMQ").count();
    assert_eq!(lost, 1, "more sessions ended than the one that was cut");
    without.end().await;
}

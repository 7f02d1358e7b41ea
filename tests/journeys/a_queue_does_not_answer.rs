//! A queue that has no leader answers nothing. It holds up its own lane, and not the other.

use crate::json;
use harness::{Setup, World};
use serde_json::Value;
use shared::queue::HEARTBEAT;
use uuid::Uuid;

const BULK: &str = "beckon.bulk";
const INTERACTIVE: &str = "beckon.interactive";

/// Suspends a queue's process or wakes it: to everybody else a suspended one is one without a leader.
async fn let_answer(world: &World, queue: &str, does: bool) {
    let verb = if does { "resume" } else { "suspend" };
    let asked = format!("eval sys:{verb}('{}_{queue}').", world.vhost());
    world.stack().broker_ctl(&asked).await.unwrap();
}

async fn one(world: &World) -> Uuid {
    world
        .reset_passwords(json!({ "emails": ["person1@example.org"] }))
        .await
}

async fn many(world: &World) -> Uuid {
    let import = world.people(300).await;
    world.invite(json!({ "import": import })).await
}

/// A queue stops answering, the worker connects anew, and mail is due in both lanes.
async fn goes_on_without(queue: &str) {
    let mut world = World::with(Setup::default().workers(0)).await;
    let (proxy, url) = world.detour("AMQP_URL").await;
    world.start_worker_with(&[("AMQP_URL", &url)]).await.unwrap();
    let_answer(&world, queue, false).await;
    proxy.cut().await;
    proxy.restore().await.unwrap();

    let many = many(&world).await;
    let one = one(&world).await;
    let (held_up, other) = if queue == BULK { (many, one) } else { (one, many) };
    sent(&world.finished(other).await);
    let meanwhile = world.batch(held_up).await;
    let_answer(&world, queue, true).await;

    assert_eq!(meanwhile["counts"]["sent"], 0, "{meanwhile}");
    sent(&world.finished(held_up).await);
    world.assert_promises_kept().await;
    world.end().await;
}

fn sent(batch: &Value) {
    assert_eq!(batch["counts"]["sent"], batch["counts"]["selected"], "{batch}");
}

#[tokio::test]
async fn a_single_mail_does_not_wait_for_the_queue_of_batches() {
    goes_on_without(BULK).await;
}

#[tokio::test]
async fn a_batch_does_not_wait_for_the_queue_of_single_mails() {
    goes_on_without(INTERACTIVE).await;
}

/// Beats are for whoever watches. Mail does not need them.
#[tokio::test]
async fn mail_does_not_wait_for_the_queue_of_beats() {
    let mut world = World::with(Setup::default().workers(0)).await;
    let (proxy, url) = world.detour("AMQP_URL").await;
    world.start_worker_with(&[("AMQP_URL", &url)]).await.unwrap();
    let_answer(&world, HEARTBEAT, false).await;
    proxy.cut().await;
    proxy.restore().await.unwrap();

    let many = many(&world).await;
    let one = one(&world).await;
    for batch in [many, one] {
        sent(&world.finished(batch).await);
    }
    world
        .eventually("the worker to say that beats have no way", async || {
            world.workers[0]
                .log()
                .contains("queue beckon.heartbeat did not answer")
                .then_some(())
        })
        .await;
    let at_work = world.get("/readyz").await.text;
    let_answer(&world, HEARTBEAT, true).await;

    assert_eq!(at_work, r#"{"status":"ready"}"#);
    let lost = world.workers[0].log().matches("Lost RabbitMQ").count();
    assert_eq!(lost, 1, "more sessions ended than the one that was cut");
    world.assert_promises_kept().await;
    world.end().await;
}

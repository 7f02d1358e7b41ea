//! Under a memory alarm the broker lets publishers wait. Postgres takes the batches meanwhile.

use crate::json;
use harness::stack::Stop;
use harness::{Setup, World};
use std::time::{Duration, Instant};

async fn until_blocked(world: &World, is_blocked: bool) {
    let wish = format!("beckon_amqp_blocked to say {is_blocked}");
    world
        .eventually(&wish, async || {
            let says = world.api_metric("beckon_amqp_blocked").await > 0.5;
            (says == is_blocked).then_some(())
        })
        .await;
}

#[tokio::test]
async fn batches_are_accepted_and_go_out_when_the_alarm_is_over() {
    let world = World::with(Setup::default().own_stack()).await;
    let import = world.people(100).await;

    world.stack().broker_alarm(true).await.unwrap();
    let began = Instant::now();
    let batch = world.invite(json!({ "import": import })).await;
    let accepted_after = began.elapsed();
    until_blocked(&world, true).await;
    let blocked = world.batch(batch).await;
    world.stack().broker_alarm(false).await.unwrap();
    let finished = world.finished(batch).await;

    assert!(accepted_after < Duration::from_secs(5), "{accepted_after:?}");
    assert_eq!(blocked["counts"]["sent"], 0, "{blocked}");
    assert_eq!(finished["counts"]["sent"], 100, "{finished}");
    until_blocked(&world, false).await;
    world.assert_promises_kept().await;

    // An alarm that ends with its broker is never called off.
    world.stack().broker_alarm(true).await.unwrap();
    let again = world.invite(json!({ "import": import, "include_recent": true })).await;
    until_blocked(&world, true).await;
    world.stack().restart_broker(Stop::Kill).await.unwrap();
    let finished = world.finished(again).await;

    assert_eq!(finished["counts"]["sent"], 100, "{finished}");
    until_blocked(&world, false).await;
    world.assert_promises_kept().await;
}

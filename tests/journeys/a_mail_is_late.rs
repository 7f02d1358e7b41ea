//! The deadline of a batch: how it is computed, and how late deliveries are reported.

use crate::json;
use harness::{Setup, World};
use std::time::Duration;
use uuid::Uuid;

/// Seconds from a batch's start to its deadline.
async fn promised(world: &World, batch: Uuid) -> f64 {
    world.seconds_of_batch(batch, "start_at", "deadline_at").await
}

async fn shows(world: &World, line: &str) {
    world
        .eventually(line, async || {
            let page = world.probe("/metrics").await.text;
            page.lines().any(|shown| shown == line).then_some(())
        })
        .await;
}

#[tokio::test]
async fn a_delivery_past_its_deadline_is_late_unless_its_batch_is_paused() {
    World::run_with(Setup::default().workers(0), async |world| {
        let import = world.people(30).await;
        let batch = world.invite(json!({ "import": import })).await;
        shows(world, "beckon_due_deliveries{lane=\"bulk\"} 30").await;
        shows(world, "beckon_late_deliveries{lane=\"bulk\"} 0").await;

        world.let_batch_be_late(batch).await;
        shows(world, "beckon_late_deliveries{lane=\"bulk\"} 30").await;
        shows(world, "beckon_late_deliveries{lane=\"interactive\"} 0").await;
        assert!(world.api_metric("beckon_oldest_due_timestamp_seconds").await > 1.0e9);

        world
            .post(&format!("/v1/batches/{batch}/pause"), json!({}))
            .await
            .expect(200);
        shows(world, "beckon_late_deliveries{lane=\"bulk\"} 0").await;
        shows(world, "beckon_resting_deliveries{batch_state=\"paused\"} 30").await;
        shows(world, "beckon_due_deliveries{lane=\"bulk\"} 0").await;
    })
    .await;
}

#[tokio::test]
async fn other_batches_and_pauses_move_the_deadline() {
    let setup = Setup::default().workers(0).api_setting("BECKON_MAIL_RATE", "10");
    World::run_with(setup, async |world| {
        let import = world.people(40).await;
        let hold = json!({ "import": import, "hold_seconds": 600 });
        let first = world.invite(hold.clone()).await;
        // 5 min, plus 1.5 times the 4 s that 40 mails take at 10 a second.
        assert!((promised(world, first).await - 306.0).abs() < 0.01);

        let second = world.reset_passwords(hold).await;
        assert!((promised(world, second).await - 312.0).abs() < 0.01);
        assert!((promised(world, first).await - 312.0).abs() < 0.01);
        let one = world.person("one@example.org").await;
        let alone = world.invite(json!({ "users": [one] })).await;
        assert!((promised(world, alone).await - 10.0).abs() < 0.01);
        assert!(
            (promised(world, first).await - 312.0).abs() < 0.01,
            "a single mail does not change the deadline of a batch"
        );

        world
            .post(&format!("/v1/batches/{first}/pause"), json!({}))
            .await
            .expect(200);
        tokio::time::sleep(Duration::from_millis(200)).await;
        world
            .post(&format!("/v1/batches/{first}/resume"), json!({}))
            .await
            .expect(200);
        assert!(
            (promised(world, first).await - 312.0).abs() < 0.01,
            "it had not started when it was paused"
        );
        world
            .post(&format!("/v1/batches/{alone}/pause"), json!({}))
            .await
            .expect(200);
        tokio::time::sleep(Duration::from_millis(200)).await;
        world
            .post(&format!("/v1/batches/{alone}/resume"), json!({}))
            .await
            .expect(200);
        assert!(promised(world, alone).await > 10.2);
    })
    .await;
}

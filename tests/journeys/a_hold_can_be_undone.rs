//! The hold before a batch starts.

use crate::json;
use harness::{Setup, World};
use std::collections::BTreeSet;
use time::OffsetDateTime;

async fn start_now(world: &World, batch: uuid::Uuid) -> bool {
    let mut transaction = shared::store::begin(&world.db).await.unwrap();
    let is_started = shared::store::batches::start_now(&mut transaction, batch)
        .await
        .unwrap();
    shared::store::commit(transaction).await.unwrap();
    is_started
}

#[tokio::test]
async fn a_batch_undone_during_its_hold_sends_nothing() {
    World::run(async |world| {
        let import = world.people(50).await;

        let batch = world.invite(json!({ "import": import, "hold_seconds": 30 })).await;
        let held = world.batch(batch).await;
        let undone = world
            .post(&format!("/v1/batches/{batch}/stop"), json!({}))
            .await
            .expect(200);

        assert_eq!(held["state"], "held", "{held}");
        assert_eq!(undone["counts"]["cancelled"], 50, "{undone}");
        assert_eq!(world.relay.counts().connections, 0);
    })
    .await;
}

#[tokio::test]
async fn a_batch_starts_automatically_after_its_hold() {
    World::run(async |world| {
        let import = world.people(50).await;

        let batch = world.invite(json!({ "import": import, "hold_seconds": 2 })).await;
        let finished = world.finished(batch).await;

        assert_eq!(finished["counts"]["sent"], 50, "{finished}");
        let first = world.first_attempt().await;
        let start: OffsetDateTime = world.rows("batches").only("start_at").await;
        assert!(first >= start, "a mail was begun in its hold");
        world.assert_promises_kept().await;
    })
    .await;
}

#[tokio::test]
async fn a_held_batch_can_be_started_at_once() {
    World::run(async |world| {
        let import = world.people(50).await;
        let batch = world
            .reset_passwords(json!({ "import": import, "hold_seconds": 600 }))
            .await;
        let held = world.deliveries(batch).await;
        let before = world.seconds_of_batch(batch, "start_at", "stale_at").await;

        let started = start_now(world, batch).await;
        let again = start_now(world, batch).await;
        let finished = world.finished(batch).await;

        assert!(started && !again, "only the first click starts it");
        let due: Vec<&str> = held.iter().filter_map(|one| one["due_at"].as_str()).collect();
        assert_eq!(due.len(), 50);
        assert!(
            due.iter().all(|one| *one == due[0]),
            "no delivery is due before the start"
        );
        assert!(finished["start_at"].as_str() < due.first().copied(), "{finished}");
        assert_eq!(finished["counts"]["sent"], 50, "{finished}");
        let after = world.seconds_of_batch(batch, "start_at", "stale_at").await;
        assert!((before - after).abs() < 0.001, "{before} {after}");
        world.assert_promises_kept().await;
    })
    .await;
}

#[tokio::test]
async fn starting_a_batch_changes_one_row_and_an_undone_batch_cannot_be_started() {
    World::run_with(Setup::default().workers(0), async |world| {
        let import = world.people(1_000).await;
        let recipients = json!({ "import": import, "hold_seconds": 600 });
        let (started, undone) = (world.invite(recipients).await, world.person("ada@example.org").await);
        let undone = world.invite(json!({ "users": [undone], "hold_seconds": 600 })).await;
        world
            .post(&format!("/v1/batches/{undone}/stop"), json!({}))
            .await
            .expect(200);
        // The transactions that last wrote the rows.
        let versions = async || -> BTreeSet<String> {
            let waiting = world
                .rows("deliveries")
                .with("batch_id", started)
                .with("state", "waiting");
            waiting.text_of("xmin").await.into_iter().collect()
        };
        let before = versions().await;

        let is_started = start_now(world, started).await;
        let is_too_late = start_now(world, undone).await;

        assert!(is_started && !is_too_late);
        world.until(started, "queued", 200).await;
        assert_eq!(before.len(), 1, "{before:?}");
        assert_eq!(
            versions().await,
            before,
            "deliveries that are not queued yet were not touched"
        );
        assert_eq!(world.count(undone, "cancelled").await, 1);
    })
    .await;
}

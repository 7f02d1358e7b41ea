//! The seconds before a batch starts.

use crate::json;
use harness::World;

#[tokio::test]
async fn undone_in_its_hold_a_batch_sends_nothing_at_all() {
    let world = World::start().await;
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
    world.end().await;
}

#[tokio::test]
async fn after_its_hold_a_batch_starts_by_itself() {
    let world = World::start().await;
    let import = world.people(50).await;

    let batch = world.invite(json!({ "import": import, "hold_seconds": 2 })).await;
    let finished = world.finished(batch).await;

    assert_eq!(finished["counts"]["sent"], 50, "{finished}");
    let first: bool = sqlx::query_scalar(
        "select min(a.started_at) >= min(b.start_at)
         from attempts a join deliveries d on d.id = a.delivery_id join batches b on b.id = d.batch_id",
    )
    .fetch_one(&world.db)
    .await
    .unwrap();
    assert!(first, "a mail was begun in its hold");
    world.assert_promises_kept().await;
    world.end().await;
}

//! An administrator pauses, resumes and stops a running batch.

use crate::json;
use harness::{Setup, World};
use serde_json::Value;
use std::time::Duration;

async fn running() -> (World, uuid::Uuid) {
    let world = World::with(Setup::default().api_setting("BECKON_MAIL_RATE", "100")).await;
    let import = world.people(400).await;
    let batch = world.invite(json!({ "import": import })).await;
    world.relay.wait_for(50, harness::world::PATIENCE).await.unwrap();
    (world, batch)
}

/// Waits until mails at the relay have been settled.
async fn settled(world: &World, batch: uuid::Uuid) -> Value {
    world.until(batch, "sending", 0).await
}

#[tokio::test]
async fn a_paused_batch_sends_nothing_until_it_is_resumed() {
    let (world, batch) = running().await;
    World::run_in(world, async |world| {
        let answer = world
            .post(&format!("/v1/batches/{batch}/pause"), json!({}))
            .await
            .expect(200);
        let paused = settled(world, batch).await;
        let accepted = world.relay.accepted_count();
        tokio::time::sleep(Duration::from_secs(1)).await;

        assert_eq!(answer["state"], "paused", "{answer}");
        assert_eq!(paused["counts"]["queued"], 0, "{paused}");
        assert_eq!(world.relay.accepted_count(), accepted, "a paused batch went on");
        assert_eq!(
            paused["counts"]["sent"].as_u64(),
            u64::try_from(accepted).ok(),
            "{paused}"
        );
        world
            .post(&format!("/v1/batches/{batch}/pause"), json!({}))
            .await
            .expect(200);
        world
            .post(&format!("/v1/batches/{batch}/resume"), json!({}))
            .await
            .expect(200);
        let finished = world.finished(batch).await;
        assert_eq!(finished["counts"]["sent"], 400, "{finished}");
        assert_eq!(world.relay.accepted_count(), 400);
        world.assert_promises_kept().await;
    })
    .await;
}

#[tokio::test]
async fn a_stopped_batch_sends_nothing_more_and_counts_the_sent_ones() {
    let (world, batch) = running().await;
    World::run_in(world, async |world| {
        let answer = world
            .post(&format!("/v1/batches/{batch}/stop"), json!({}))
            .await
            .expect(200);
        let in_hand = answer["counts"]["sending"].as_i64().unwrap() + answer["counts"]["sent"].as_i64().unwrap();
        let finished = world.finished(batch).await;
        tokio::time::sleep(Duration::from_secs(1)).await;

        assert_eq!(answer["state"], "stopped", "{answer}");
        assert_eq!(answer["counts"]["waiting"], 0, "{answer}");
        assert_eq!(answer["counts"]["queued"], 0, "{answer}");
        assert_eq!(finished["state"], "stopped", "{finished}");
        assert_eq!(
            finished["counts"]["sent"].as_i64(),
            Some(in_hand),
            "{answer} {finished}"
        );
        assert_eq!(
            i64::try_from(world.relay.accepted_count()).ok(),
            Some(in_hand),
            "more were sent than the page showed"
        );
        let resumed = world.post(&format!("/v1/batches/{batch}/resume"), json!({})).await;
        assert_eq!(resumed.status, 409, "{}", resumed.text);
        let again = world
            .post(
                &format!("/v1/batches/{batch}/send-again"),
                json!({ "outcomes": ["cancelled"] }),
            )
            .await
            .expect(202);
        assert_eq!(again["accepted"], finished["counts"]["cancelled"], "{again}");
    })
    .await;
}

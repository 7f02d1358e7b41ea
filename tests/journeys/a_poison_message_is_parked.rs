//! A message that is not a valid job is parked with the reason, and the rest continues.

use crate::json;
use harness::World;

#[tokio::test]
async fn an_invalid_message_is_parked_and_not_redelivered() {
    World::run(async |world| {
        let import = world.people(30).await;
        let huge = format!(r#"{{"v":1,"delivery":"{}"}}"#, "7".repeat(1_000_000));
        for (n, body) in [
            "hello",
            "",
            huge.as_str(),
            r#"{"v":9,"delivery":"00000000-0000-0000-0000-000000000007","attempt":1}"#,
        ]
        .iter()
        .enumerate()
        {
            let lane = if n % 2 == 0 {
                "beckon.bulk"
            } else {
                "beckon.interactive"
            };
            world.put_message(lane, body).await;
        }

        let batch = world.invite(json!({ "import": import })).await;
        let finished = world.finished(batch).await;
        world
            .eventually("four parked messages", async || {
                (world.message_count("beckon.parked").await == 4).then_some(())
            })
            .await;
        let parked = world.messages("beckon.parked").await;

        assert_eq!(finished["counts"]["sent"], 30, "{finished}");
        let reasons: Vec<&str> = parked
            .iter()
            .filter_map(|message| message.header("x-beckon-reason"))
            .collect();
        assert!(reasons.iter().any(|reason| reason.contains("version 9")), "{reasons:?}");
        assert!(reasons.iter().any(|reason| reason.contains("not a job")), "{reasons:?}");
        world.assert_promises_kept().await;
    })
    .await;
}

#[tokio::test]
async fn a_job_for_an_unknown_delivery_is_dropped() {
    World::run(async |world| {
        world
            .put_message(
                "beckon.bulk",
                r#"{"v":1,"delivery":"00000000-0000-0000-0000-000000000007","attempt":1}"#,
            )
            .await;
        let import = world.people(5).await;

        let batch = world.invite(json!({ "import": import })).await;
        world.finished(batch).await;

        world
            .eventually("the queue to be empty", async || {
                (world.message_count("beckon.bulk").await == 0).then_some(())
            })
            .await;
        assert_eq!(world.message_count("beckon.parked").await, 0);
    })
    .await;
}

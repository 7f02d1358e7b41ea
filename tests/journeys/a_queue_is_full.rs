//! A full queue rejects jobs, and the rejected ones wait in Postgres.

use crate::json;
use harness::{Setup, World};

/// The queue's limit in jobs; it is enforced only after a burst.
const ROOM: i64 = 5;

#[tokio::test]
async fn refused_jobs_wait_and_are_sent_once_there_is_room() {
    World::run_with(Setup::default().workers(0), async |world| {
        let burst = world.people(30).await;
        let rows: Vec<String> = (1..=30).map(|n| format!("later{n}@example.org")).collect();
        let later = world.import(&format!("email\n{}\n", rows.join("\n"))).await.expect(201);
        let full = json!({
            "pattern": "^beckon\\.bulk$",
            "definition": { "max-length": ROOM, "overflow": "reject-publish" },
            "apply-to": "queues",
            "priority": 20,
        });
        world.stack().put_policy(world.vhost(), "full", &full).await.unwrap();

        let first = world.invite(json!({ "import": burst })).await;
        world
            .eventually("a full queue", async || {
                (i64::from(world.message_count("beckon.bulk").await) > ROOM).then_some(())
            })
            .await;
        let batch = world.invite(json!({ "import": later["id"] })).await;
        world
            .eventually("a refused job", async || {
                let page = world.probe("/metrics").await.text;
                let mut counts = page.lines().filter(|line| line.starts_with("beckon_publishes_total{"));
                counts
                    .any(|line| line.contains("refused") && !line.ends_with(" 0"))
                    .then_some(())
            })
            .await;
        let waiting = world.batch(batch).await;
        world.start_worker().await.unwrap();
        let finished = world.finished(batch).await;
        world.finished(first).await;

        let queued = waiting["counts"]["queued"].as_i64().unwrap();
        assert!(queued < 30, "a refused job was marked: {waiting}");
        assert_eq!(waiting["counts"]["waiting"], json!(30 - queued), "{waiting}");
        assert_eq!(finished["counts"]["sent"], 30, "{finished}");
        assert_eq!(finished["counts"]["unsure"], 0, "{finished}");
        assert_eq!(world.relay.accepted_count(), 60);
        world.assert_promises_kept().await;
    })
    .await;
}

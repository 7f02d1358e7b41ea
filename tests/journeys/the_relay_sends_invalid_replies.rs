//! Invalid replies, an endless reply, and a 421 in mid-session each affect at most their own mail, and use little
//! memory.

use crate::json;
use harness::World;
use harness::relay::Behaviour;
use serde_json::Value;

/// The verdict and the phase of an attempt.
type Attempt = (&'static str, &'static str);

/// Each recipient with the resulting state of the delivery and its first attempt, if one was spent.
const ODD: [(&str, &str, Option<Attempt>); 7] = [
    ("garbage@example.org", "retrying", Some(("unsure", "dot"))),
    ("bare250@example.org", "sent", Some(("accepted", "dot"))),
    ("multiline@example.org", "retrying", Some(("unsure", "dot"))),
    ("huge-reply@example.org", "retrying", Some(("unsure", "dot"))),
    ("421-at-dot@example.org", "retrying", Some(("try_later", "dot"))),
    ("421@example.org", "waiting", None),
    ("552-after-dot@example.org", "failed", Some(("refused", "dot"))),
];

/// Memory a worker may gain, in bytes. Replies are cut off at 32 KiB each.
const MEMORY: u64 = 48 * 1024 * 1024;

async fn line_of(world: &World, batch: uuid::Uuid, email: &str) -> Value {
    let lines = world.deliveries(batch).await;
    lines.into_iter().find(|line| line["email"] == email).unwrap()
}

#[tokio::test]
async fn all_others_are_sent() {
    World::run(async |world| {
        let import = world.people(60).await;
        let first = world.invite(json!({ "import": import })).await;
        world.finished(first).await;
        let before = world.workers[0].max_memory();
        let odd: Vec<&str> = ODD.iter().map(|(email, ..)| *email).collect();
        world.import(&format!("email\n{}\n", odd.join("\n"))).await.expect(201);

        let batch = world.invite(json!({ "everyone": true, "include_recent": true })).await;
        world.until(batch, "sent", 61).await;
        for (email, state, attempt) in ODD {
            let line = world
                .eventually(&format!("{email} to be {state}"), async || {
                    let line = line_of(world, batch, email).await;
                    (line["state"] == state).then_some(line)
                })
                .await;
            let story = world.story(&line).await;
            let first = &story["attempts"][0];
            let recorded = attempt.map(|_| (first["verdict"].as_str().unwrap(), first["phase"].as_str().unwrap()));
            assert_eq!(recorded, attempt, "{email}: {story}");
            assert!(
                first["reply"].as_str().unwrap_or_default().chars().count() <= 500,
                "{story}"
            );
        }
        let most = world.workers[0].max_memory();
        world.relay.set_where(|_| true, Behaviour::Accept);
        world.let_all_waits_pass().await;
        let finished = world.finished(batch).await;

        assert_eq!(finished["counts"]["sent"], 66, "{finished}");
        assert_eq!(finished["counts"]["failed"], 1, "{finished}");
        assert_eq!(finished["counts"]["unsure"], 3, "{finished}");
        if let (Some(before), Some(most)) = (before, most) {
            assert!(most < before + MEMORY, "{before} bytes before, {most} after");
        }
        world.assert_promises_kept().await;
    })
    .await;
}

//! A month is dropped with all of its batches or not at all, so that their counts stay correct.

use crate::json;

use harness::World;
use serde_json::Value;
use shared::store::counts::{self, DeliveryCount};
use shared::store::{batches, partitions};
use std::time::Duration;
use time::Time;
use uuid::Uuid;

/// How long details are kept in this test.
const KEPT: Duration = Duration::from_hours(30 * 24);

/// Mails in each batch.
const EACH: i64 = 3;

/// The counts of a batch by state, as its page shows them.
async fn counts(world: &World, batch: Uuid) -> Vec<DeliveryCount> {
    let batch = batches::find(&world.db, batch).await.unwrap().unwrap();
    let mut counts = counts::of_batch(&world.db, &batch).await.unwrap().counts;
    counts.sort_by_key(|one| (one.state.as_str(), one.reason.clone()));
    counts
}

/// A mail that is sent.
fn sent() -> Value {
    json!({ "state": "sent", "sent_at": "now", "attempt": 1 })
}

/// A batch in each unfinished state, once with all its mails owed and once with none owed but not yet finished; and one
/// finished batch.
async fn every_state(world: &mut World) -> Vec<(String, Uuid)> {
    let states = ["held", "running", "paused", "stopped"];
    let cases: Vec<(&str, bool)> = states
        .iter()
        .flat_map(|state| [(*state, true), (*state, false)])
        .collect();
    let all = EACH * i64::try_from(cases.len() + 1).unwrap();
    world.people(usize::try_from(all).unwrap()).await;
    let mut people = (1..=all).map(|n| format!("person{n}@example.org"));
    let mut next = async |hold_seconds: u32| {
        let emails: Vec<String> = people.by_ref().take(usize::try_from(EACH).unwrap()).collect();
        world
            .invite(json!({ "emails": emails, "hold_seconds": hold_seconds }))
            .await
    };
    let finished = next(0).await;
    let mut found = Vec::new();
    for (state, is_owed) in cases {
        let name = format!("{state}, {}", if is_owed { "owed" } else { "nothing left" });
        found.push((name, next(3_600).await));
    }
    world.finished(finished).await;
    world.kill_all().await;
    for (name, batch) in &found {
        let (state, left) = name.split_once(", ").unwrap();
        let moved = json!({ "state": state, "paused_at": "now" });
        world.rows("batches").with("id", batch).set(moved).await;
        if left == "nothing left" {
            world.rows("deliveries").with("batch_id", batch).set(sent()).await;
        }
    }
    found.push(("finished".to_owned(), finished));
    found
}

#[tokio::test]
async fn dropping_a_month_changes_no_counts_of_any_batch() {
    World::run(async |world| {
        let all = every_state(world).await;
        world.let_days_pass(70).await;
        let mut before = Vec::new();
        for (_, batch) in &all {
            before.push(counts(world, *batch).await);
        }

        let dropped = partitions::drop(&world.db, KEPT).await.unwrap();

        assert_eq!(dropped, [], "a month of which mails are owed");
        for ((name, batch), before) in all.iter().zip(&before) {
            assert_eq!(&counts(world, *batch).await, before, "{name}");
            assert_eq!(before.iter().map(|counts| counts.count).sum::<i64>(), EACH, "{name}");
        }

        // Deletes what is owed; only batches with nothing left to send remain unfinished.
        world.rows("deliveries").with("state", "waiting").delete().await;
        for (_, batch) in &all {
            if world.rows("deliveries").with("batch_id", batch).count().await == 0 {
                world.rows("batches").with("id", batch).delete().await;
            }
        }
        let with_nothing_left = partitions::drop(&world.db, KEPT).await.unwrap();
        assert_eq!(with_nothing_left, [], "their counts would be 0");

        world.start_api().await.unwrap();
        let left: Vec<&(String, Uuid)> = all.iter().filter(|(name, _)| !name.ends_with("owed")).collect();
        for (name, batch) in left.iter().filter(|(name, _)| !name.starts_with("held")) {
            let finished = world.finished(*batch).await;
            assert_eq!(finished["counts"]["sent"], EACH, "{name}: {finished}");
        }
        world
            .rows("batches")
            .with("state", "held")
            .set(json!({ "start_at": "now" }))
            .await;
        for (_, batch) in &left {
            world.finished(*batch).await;
        }
        let at_last = partitions::drop(&world.db, KEPT).await.unwrap();

        assert_eq!(at_last.len(), 1, "{at_last:?}");
        for (name, batch) in &left {
            let dropped = world.batch(*batch).await;
            assert!(dropped["details_dropped_at"].is_string(), "{name}: {dropped}");
            assert_eq!(dropped["counts"]["sent"], EACH, "{name}: {dropped}");
            assert!(world.deliveries(*batch).await.is_empty(), "{name}");
        }
    })
    .await;
}

/// A retention that drops the month before last but not last month.
async fn kept(world: &World) -> Duration {
    let now = world.now().await;
    let this_month = now - now.replace_time(Time::MIDNIGHT).replace_day(1).unwrap();
    Duration::try_from(this_month).unwrap() + Duration::from_hours(30 * 24 - 1)
}

async fn invited(world: &World, name: &str, count: usize, hold_seconds: u32) -> Uuid {
    let emails: Vec<String> = (1..=count).map(|n| format!("{name}{n}@example.org")).collect();
    world
        .import(&format!("email\n{}\n", emails.join("\n")))
        .await
        .expect(201);
    world
        .invite(json!({ "emails": emails, "hold_seconds": hold_seconds }))
        .await
}

#[tokio::test]
async fn a_batch_at_the_end_of_a_month_is_dropped_with_it_unless_unfinished() {
    World::run(async |world| {
        let (at_the_end, across, after, open) = (
            invited(world, "end", 1, 0).await,
            invited(world, "across", 2, 0).await,
            invited(world, "after", 1, 0).await,
            invited(world, "open", 2, 3_600).await,
        );
        for batch in [at_the_end, across, after] {
            world.finished(batch).await;
        }
        world.make_past_months(2).await;
        world.move_to_end_of_month(at_the_end, 1_800.0, &[1_799.0]).await;
        world.move_to_end_of_month(across, 1.0, &[0.5, -0.5]).await;
        world.move_to_end_of_month(after, -1.0, &[-2.0]).await;
        world.move_to_end_of_month(open, 1.0, &[0.5, -0.5]).await;
        // The mail in that month is sent, and the next one waits.
        let paused = json!({ "state": "paused", "paused_at": "now" });
        world.rows("batches").with("id", open).set(paused).await;
        let mails: Vec<Uuid> = world
            .rows("deliveries")
            .with("batch_id", open)
            .ordered_by("id")
            .column("id")
            .await;
        world.rows("deliveries").with("id", mails[0]).set(sent()).await;
        let kept = kept(world).await;
        let while_one_is_open = partitions::drop(&world.db, kept).await.unwrap();
        world
            .post(&format!("/v1/batches/{open}/stop"), json!({}))
            .await
            .expect(200);
        let stopped = world.finished(open).await;
        let dropped = partitions::drop(&world.db, kept).await.unwrap();

        assert_eq!(while_one_is_open, [], "half of an unfinished batch would be gone");
        assert_eq!(
            (&stopped["counts"]["sent"], &stopped["counts"]["cancelled"]),
            (&json!(1), &json!(1)),
            "{stopped}"
        );
        assert_eq!(dropped.len(), 1, "{dropped:?}");
        for (batch, sent) in [(at_the_end, 1), (across, 2), (open, 1)] {
            let seen = world.batch(batch).await;
            assert!(seen["details_dropped_at"].is_string(), "{seen}");
            assert_eq!(seen["counts"]["sent"], sent, "{seen}");
            assert!(world.deliveries(batch).await.is_empty(), "{seen}");
        }
        let neighbour = world.batch(after).await;
        assert_eq!(neighbour["details_dropped_at"], Value::Null, "{neighbour}");
        assert_eq!(world.deliveries(after).await.len(), 1);
        let attempts = world.rows("attempts").count().await;
        assert_eq!(attempts, 1, "those of the neighbour");
    })
    .await;
}

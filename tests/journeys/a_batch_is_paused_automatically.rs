//! A batch with too many failures pauses itself until an administrator resumes it.

use crate::json;
use crate::manual_dispatch::{claim, due_in, owe_another, settle, world_that_owes};
use harness::relay::{Behaviour, Step};
use harness::{Setup, World};
use serde_json::Value;
use shared::batch::{Lane, PauseCause};
use shared::store::auto_pause;
use shared::store::settle::Ending;
use uuid::Uuid;

/// Imports `count` users in the order they are sent to; every `one_in`-th has this local part.
async fn people(world: &World, count: usize, one_in: usize, local_part: &str) -> Value {
    let rows: String = (1..=count)
        .map(|n| {
            if n % one_in == 0 {
                format!("{local_part}+{n}@example.org\n")
            } else {
                format!("person{n}@example.org\n")
            }
        })
        .collect();
    world.import(&format!("email\n{rows}")).await.expect(201)["id"].clone()
}

async fn paused(world: &World, batch: Uuid) -> Value {
    world
        .eventually("the batch to pause itself", async || {
            let seen = world.batch(batch).await;
            assert_ne!(seen["state"], "finished", "it did not pause itself: {seen}");
            (seen["state"] == "paused" && seen["counts"]["sending"] == 0 && seen["counts"]["queued"] == 0)
                .then_some(seen)
        })
        .await
}

async fn resume(world: &World, batch: Uuid) -> Value {
    world
        .post(&format!("/v1/batches/{batch}/resume"), json!({}))
        .await
        .expect(200)
}

async fn acts(world: &World) -> Vec<(String, String, Value)> {
    let acts = world.audited("batch_braked").await.into_iter();
    acts.map(|act| (act.who, act.subject, act.details)).collect()
}

fn ended(batch: &Value) -> i64 {
    ["sent", "failed"]
        .iter()
        .map(|state| batch["counts"][state].as_i64().unwrap())
        .sum()
}

#[tokio::test]
async fn a_batch_to_old_addresses_is_paused_again_after_each_resume() {
    let setup = Setup::default().workers(2).api_setting("BECKON_MAIL_RATE", "100");
    World::run_with(setup, async |world| {
        let standby = world.another_api(&[]).await.unwrap();
        let import = people(world, 800, 5, "550").await;
        let batch = world.invite(json!({ "import": import })).await;

        let first = paused(world, batch).await;
        let taken = world.relay.accepted_count();
        // A single mail still goes out, so only the batch is paused, not the system.
        world.person("fay@example.net").await;
        let single = world.invite(json!({ "emails": ["fay@example.net"] })).await;
        let at_once = world.finished(single).await;
        let resting = world.batch(batch).await;

        assert_eq!(first["brake"], "bounces", "{first}");
        let reason = first["reason"].as_str().unwrap();
        assert!(
            reason.starts_with("Paused by Beckon: ") && reason.ends_with("emails went to addresses that do not exist"),
            "{reason}"
        );
        assert!(
            ended(&first) >= 100 && first["counts"]["waiting"].as_i64() > Some(100),
            "{first}"
        );
        assert_eq!(at_once["counts"]["sent"], 1, "{at_once}");
        assert_eq!(resting["counts"], first["counts"], "a batch that rests went on");
        assert_eq!(world.relay.accepted_count(), taken + 1);

        let resumed = resume(world, batch).await;
        let second = paused(world, batch).await;
        let two = acts(world).await;
        world
            .relay
            .set_where(|address| address.starts_with("550+"), Behaviour::Accept);
        resume(world, batch).await;
        let finished = world.finished(batch).await;

        assert_eq!(
            (&resumed["reason"], &resumed["brake"]),
            (&Value::Null, &Value::Null),
            "{resumed}"
        );
        assert!(
            ended(&second) - ended(&first) >= 100,
            "what went wrong before the resume was counted again: {second}"
        );
        // Two API processes run, but each pause is recorded once.
        assert_eq!(two.len(), 2, "{two:?}");
        let (who, subject, details) = &two[0];
        assert_eq!((who.as_str(), subject), ("beckon", &format!("batch {batch}")));
        assert!(
            details["failed"].as_i64().unwrap() * 10 >= details["ended"].as_i64().unwrap(),
            "{details}"
        );
        assert_eq!(finished["state"], "finished", "{finished}");
        assert_eq!(ended(&finished), 800, "{finished}");
        world.assert_promises_kept().await;
        drop(standby);
    })
    .await;
}

#[tokio::test]
async fn a_few_old_addresses_and_small_batches_cause_no_pause() {
    World::run(async |world| {
        let import = people(world, 260, 13, "550").await;
        // The largest batch that may still use the interactive lane.
        let few = people(world, 20, 1, "550+few").await;

        let large = world.invite(json!({ "import": import })).await;
        let small = world.invite(json!({ "import": few })).await;
        let (large, small) = (world.finished(large).await, world.finished(small).await);

        assert_eq!(large["counts"]["failed"], 20, "{large}");
        assert_eq!(small["counts"]["failed"], 20, "{small}");
        assert!(acts(world).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn an_email_taken_for_spam_is_paused_and_no_delivery_fails() {
    let setup = Setup::default()
        .api_setting("BECKON_MAIL_RATE", "40")
        .api_setting("BECKON_BRAKE_BOUNCES", "0");
    World::run_with(setup, async |world| {
        let old = people(world, 30, 1, "550").await;
        let bounced = world.invite(json!({ "import": old })).await;
        let import = people(world, 200, 1, "554-after-dot").await;

        let batch = world.invite(json!({ "import": import })).await;
        let seen = paused(world, batch).await;
        let bounced = world.finished(bounced).await;
        let counted = world.api_metric("beckon_batches_braked_total").await;
        let refused = world
            .relay
            .log()
            .iter()
            .filter(|mail| mail.reply.starts_with("554"))
            .count();
        let acted = acts(world).await.len();
        world
            .relay
            .set_where(|address| address.starts_with("554-after-dot+"), Behaviour::Accept);
        resume(world, batch).await;
        let finished = world.finished(batch).await;

        assert_eq!(seen["brake"], "policy", "{seen}");
        assert!((10..=100).contains(&refused), "{refused} met the refusal");
        assert_eq!(
            (&seen["counts"]["failed"], &seen["counts"]["waiting"]),
            (&json!(0), &json!(200)),
            "{seen}"
        );
        assert_eq!(bounced["counts"]["failed"], 30, "{bounced}");
        assert_eq!(acted, 1);
        assert!((counted - 1.0).abs() < 0.1, "{counted}");
        assert_eq!(finished["counts"]["sent"], 200, "{finished}");
        world.assert_promises_kept().await;
    })
    .await;
}

#[tokio::test]
async fn a_refused_sender_uses_no_attempt_and_pauses_large_batches() {
    World::run(async |world| {
        world
            .relay
            .set_default(Behaviour::answer(Step::Mail, "550 5.1.8 sender rejected"));
        let import = people(world, 50, 100, "").await;
        world.person("ada@example.net").await;
        let large = world.invite(json!({ "import": import })).await;
        let single = world.invite(json!({ "emails": ["ada@example.net"] })).await;

        let seen = world
            .eventually("the batch to pause itself", async || {
                world.let_trouble_last(60).await;
                let seen = world.batch(large).await;
                (seen["state"] == "paused").then_some(seen)
            })
            .await;
        let waits = world.batch(single).await;
        // It does not pause again until the workers have probed the relay.
        resume(world, large).await;
        world.let_trouble_last(60).await;
        world.relay.set_default(Behaviour::Accept);
        let finished = world.finished(large).await;
        let sent = world.finished(single).await;

        assert_eq!(seen["brake"], "relay", "{seen}");
        assert_eq!(
            seen["reason"],
            "Paused by Beckon: your mail server refuses our sender address. Its reply: “550 5.1.8 sender rejected”"
        );
        assert_eq!(
            (&waits["state"], &waits["counts"]["failed"]),
            (&json!("running"), &json!(0)),
            "{waits}"
        );
        assert_eq!(finished["counts"]["sent"], 50, "{finished}");
        assert_eq!(sent["counts"]["sent"], 1, "{sent}");
        for line in world.deliveries(large).await {
            assert_eq!(line["attempts"], 1, "{line}");
        }
        assert_eq!(acts(world).await.len(), 1);
        world.assert_promises_kept().await;
    })
    .await;
}

#[tokio::test]
async fn a_batch_with_nothing_left_is_not_paused() {
    let world = world_that_owes(&[json!({ "emails": ["ada@example.org", "eve@example.org"] })]).await;
    World::run_in(world, async |world| {
        let token = Uuid::new_v4();
        for table in ["batches", "batch_progress"] {
            world.rows(table).set(json!({ "lane": "bulk" })).await;
        }
        let jobs = due_in(world, Lane::Bulk, 2).await;
        let claims = claim(world, &jobs, token).await;
        let unknown = Ending::Failed {
            reason: "address_unknown",
        };
        settle(world, &claims[0], token, unknown.clone(), false).await;
        settle(world, &claims[1], token, unknown, false).await;

        let seen = auto_pause::failing(&world.db, 2, 2).await.unwrap();
        let ended = auto_pause::ended(&world.db, &seen[0]).await.unwrap();
        let pause =
            async || auto_pause::pause(&world.db, &seen[0], PauseCause::Bounces, "Paused by Beckon", json!({})).await;
        let of_nothing = pause().await.unwrap();
        owe_another(world).await;
        let (first, second) = (pause().await.unwrap(), pause().await.unwrap());

        assert_eq!((seen.len(), seen[0].unknown, ended), (1, 2, 2), "{seen:?}");
        assert_eq!((of_nothing, first, second), (false, true, false));
        assert_eq!(acts(world).await.len(), 1);
    })
    .await;
}

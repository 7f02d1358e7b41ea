//! Refusals of our sender, login or account fail no delivery: mail waits, and goes out once the cause is fixed.

use crate::json;
use harness::World;
use harness::relay::{Behaviour, Limit, Step};
use serde_json::Value;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// The batch once it has paused itself with no mail in flight.
async fn paused(world: &World, batch: Uuid) -> Value {
    world
        .eventually("the batch to pause itself", async || {
            let seen = world.batch(batch).await;
            assert_ne!(seen["state"], "finished", "it did not pause itself: {seen}");
            let is_still = seen["counts"]["sending"] == 0 && seen["counts"]["queued"] == 0;
            (seen["state"] == "paused" && is_still).then_some(seen)
        })
        .await
}

/// How long a refusal of our account lasts before it counts as permanent.
const LASTING: i32 = 30;

async fn resume(world: &World, batch: Uuid) {
    let path = format!("/v1/batches/{batch}/resume");
    world.post(&path, json!({})).await.expect(200);
    world.let_all_waits_pass().await;
}

async fn assert_sent_once_at_first_attempt(world: &World, batch: Uuid, people: usize) {
    let finished = world.finished(batch).await;
    assert_eq!(finished["counts"]["sent"], json!(people), "{finished}");
    let spent: Vec<i32> = world.rows("deliveries").with("batch_id", batch).column("attempt").await;
    assert_eq!(
        spent.iter().max(),
        Some(&1),
        "a refusal of our account spent an attempt"
    );
}

#[tokio::test]
async fn the_same_refusal_after_every_dot_fails_no_delivery_and_pauses_the_batch() {
    World::run(async |world| {
        let words = "554 Message rejected: address is not verified";
        world.relay.set_default(Behaviour::answer(Step::Dot, words));
        let import = world.people(1_000).await;
        world.person("ada@example.net").await;

        let batch = world.invite(json!({ "import": import })).await;
        let seen = paused(world, batch).await;
        let refused = world.relay.counts().refused;
        let single = world.invite(json!({ "emails": ["ada@example.net"] })).await;
        world
            .eventually("the single mail to meet the refusal", async || {
                (world.relay.counts().refused > refused).then_some(())
            })
            .await;
        let waits = world.batch(single).await;

        assert_eq!(
            (&seen["brake"], &seen["counts"]["failed"]),
            (&json!("relay"), &json!(0)),
            "{seen}"
        );
        let reason = seen["reason"].as_str().unwrap();
        assert!(
            reason.contains("with the same reply") && reason.contains("address is not verified"),
            "{reason}"
        );
        assert!(refused <= 100, "{refused} people met the refusal");
        assert_eq!(waits["counts"]["failed"], 0, "{waits}");

        world.relay.set_default(Behaviour::Accept);
        resume(world, batch).await;
        assert_sent_once_at_first_attempt(world, batch, 1_000).await;
        world.let_all_waits_pass().await;
        assert_sent_once_at_first_attempt(world, single, 1).await;
        assert_eq!(world.relay.accepted_count(), 1_001);
        world.assert_promises_kept().await;
    })
    .await;
}

/// Postfix reports a refused sender, a missing login and refused relaying only in its reply to `RCPT`.
#[tokio::test]
async fn a_refusal_of_sender_login_or_relaying_at_the_recipient_fails_no_delivery_and_is_named() {
    World::run(async |world| {
        let mut taken = 0;
        for (n, (words, cause)) in [
            (
                "553 5.7.1 <invites@lerna.example>: Sender address rejected: not owned by user beckon",
                "refuses our sender address",
            ),
            ("530 5.7.0 Authentication required", "requires a login"),
            ("454 4.7.1 <recipient>: Relay access denied", "does not relay our mail"),
            ("554 5.7.1 <recipient>: Relay access denied", "does not relay our mail"),
        ]
        .into_iter()
        .enumerate()
        {
            let rows = (0..60)
                .map(|person| format!("person{person}@example{n}.org\n"))
                .collect::<Vec<_>>()
                .concat();
            let import = world.import(&format!("email\n{rows}")).await.expect(201)["id"].clone();
            world.relay.set_default(Behaviour::answer(Step::Rcpt, words));

            let batch = world.invite(json!({ "import": import })).await;
            let seen = world
                .eventually("the batch to pause itself", async || {
                    world.let_trouble_last(LASTING).await;
                    let seen = world.batch(batch).await;
                    (seen["state"] == "paused" && seen["counts"]["sending"] == 0).then_some(seen)
                })
                .await;

            assert_eq!(seen["counts"]["failed"], 0, "{words}: {seen}");
            let reason = seen["reason"].as_str().unwrap();
            assert!(reason.contains(cause), "{words}: {reason}");

            world.relay.set_default(Behaviour::Accept);
            resume(world, batch).await;
            assert_sent_once_at_first_attempt(world, batch, 60).await;
            taken += 60;
            assert_eq!(world.relay.accepted_count(), taken);
        }
        world.assert_promises_kept().await;
    })
    .await;
}

/// The account's daily quota is used up in the middle of a batch.
#[tokio::test]
async fn a_daily_quota_fails_no_delivery_and_the_rest_is_sent_the_next_day() {
    World::run(async |world| {
        let mut taken = 0;
        for (n, (words, cause)) in [
            (
                "550 5.4.5 the daily amount for this sending account is used up",
                "no more mail from this account",
            ),
            (
                "554 5.2.0 submission quota of this mailbox exceeded, come back tomorrow",
                "come back tomorrow",
            ),
            (
                "552 this message would take you over your relay quota",
                "over your relay quota",
            ),
        ]
        .into_iter()
        .enumerate()
        {
            let rows = (0..400)
                .map(|person| format!("person{person}@example{n}.org\n"))
                .collect::<Vec<_>>()
                .concat();
            let import = world.import(&format!("email\n{rows}")).await.expect(201)["id"].clone();
            world.relay.set_limit(Some(Limit::per_day(80, words)));
            let before = world.relay.counts().refused;

            let batch = world.invite(json!({ "import": import })).await;
            let seen = world
                .eventually("the batch to pause itself", async || {
                    world.let_trouble_last(LASTING).await;
                    let seen = world.batch(batch).await;
                    (seen["state"] == "paused" && seen["counts"]["sending"] == 0).then_some(seen)
                })
                .await;
            let refused = world.relay.counts().refused - before;

            assert_eq!(
                (&seen["counts"]["failed"], &seen["counts"]["sent"]),
                (&json!(0), &json!(80)),
                "{words}: {seen}"
            );
            let reason = seen["reason"].as_str().unwrap();
            assert!(reason.contains(cause), "{words}: {reason}");
            assert!(refused <= 100, "{words}: {refused} people met it");

            world.relay.set_limit(None);
            resume(world, batch).await;
            assert_sent_once_at_first_attempt(world, batch, 400).await;
            taken += 400;
            assert_eq!(world.relay.accepted_count(), taken);
        }
        world.assert_promises_kept().await;
    })
    .await;
}

#[tokio::test]
#[ignore = "nightly: pauses that grow for more than a minute"]
async fn a_resume_probes_a_used_up_quota_within_seconds() {
    World::run(async |world| {
        let words = "550 5.4.5 Daily user sending quota exceeded";
        world.relay.set_default(Behaviour::answer(Step::Dot, words));
        let import = world.people(12).await;

        let batch = world.invite(json!({ "import": import })).await;
        for refused in 1..=7 {
            world
                .eventually("the next probe", async || {
                    (world.relay.counts().refused >= refused).then_some(())
                })
                .await;
        }
        // The pause is 64 s with a jitter of 50 %.
        let began = Instant::now();
        world.relay.set_default(Behaviour::Accept);
        world
            .post(&format!("/v1/batches/{batch}/pause"), json!({}))
            .await
            .expect(200);
        resume(world, batch).await;
        assert_sent_once_at_first_attempt(world, batch, 12).await;

        let took = began.elapsed();
        assert!(took < Duration::from_secs(25), "{took:?}");
        world.assert_promises_kept().await;
    })
    .await;
}

#[tokio::test]
async fn an_unexpected_second_digit_is_read_like_any_other() {
    World::run(async |world| {
        let starts = |name: &'static str| move |address: &str| address.starts_with(name);
        for (name, behaviour) in [
            (
                "dmarc+",
                Behaviour::answer(Step::Rcpt, "571 5.7.1 refused, sender policy check failed"),
            ),
            (
                "content+",
                Behaviour::answer(Step::Dot, "571 5.7.1 message refused by content rule"),
            ),
            (
                "busy471@",
                Behaviour::answer(
                    Step::Rcpt,
                    "471 4.7.1 this destination is being protected, later please",
                ),
            ),
        ] {
            world.relay.set_where(starts(name), behaviour);
        }
        let refused = (1..=4).flat_map(|n| [format!("dmarc+{n}"), format!("content+{n}")]);
        let names = refused
            .chain(["busy471".to_owned()])
            .chain((1..=31).map(|n| format!("person{n}")));
        let rows = names
            .map(|name| format!("{name}@example.org\n"))
            .collect::<Vec<_>>()
            .concat();
        let import = world.import(&format!("email\n{rows}")).await.expect(201)["id"].clone();

        for batch in [
            world.invite(json!({ "import": import })).await,
            world.reset_passwords(json!({ "import": import })).await,
        ] {
            world.until(batch, "failed", 8).await;
            let seen = world.until(batch, "sent", 31).await;
            let counts = &seen["counts"];
            assert_eq!(
                (&counts["retrying"], &counts["unsure"]),
                (&json!(1), &json!(0)),
                "{seen}"
            );
            for line in world.deliveries(batch).await {
                if line["state"] == "failed" {
                    assert_eq!(line["reason"], "policy", "{line}");
                }
            }
        }
        world.assert_sums().await;
    })
    .await;
}

#[tokio::test]
async fn an_address_over_its_quota_is_not_blocked() {
    World::run(async |world| {
        let words = "550-5.2.1 this person is receiving mail so fast\r\n550 5.2.1 that no more is delivered\r\n";
        let too_fast = Behaviour::Answer {
            at: Step::Rcpt,
            reply: words.into(),
        };
        world.relay.set("popular@example.org", too_fast);
        world.relay.set(
            "left@example.org",
            Behaviour::answer(Step::Rcpt, "550 5.2.1 this account is disabled"),
        );
        world
            .import("email\npopular@example.org\nleft@example.org\n")
            .await
            .expect(201);
        let both = json!({ "emails": ["popular@example.org", "left@example.org"], "include_recent": true });

        let first = world.invite(both.clone()).await;
        let first = world.finished(first).await;
        let blocked = world.get("/v1/blocked-addresses").await.expect(200);
        world.relay.set("popular@example.org", Behaviour::Accept);
        let second = world.invite(both).await;
        let second = world.finished(second).await;

        assert_eq!(first["counts"]["failed"], 2, "{first}");
        assert_eq!(blocked["items"], json!([]), "{blocked}");
        assert_eq!(
            (&second["counts"]["sent"], &second["counts"]["failed"]),
            (&json!(1), &json!(1)),
            "{second}"
        );
    })
    .await;
}

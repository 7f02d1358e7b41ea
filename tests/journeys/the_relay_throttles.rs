//! A relay with a rate limit gets no more than it takes, and no delivery fails for it.
//!
//! The default numbers of users are a fraction of a measurement made by hand; `FULL_SCALE=1` runs all of it.

use crate::json;
use harness::relay::{Behaviour, Limit, Script, Step};
use harness::{Setup, World};
use std::borrow::Cow;
use std::time::{Duration, Instant};

fn is_full_scale() -> bool {
    std::env::var_os("FULL_SCALE").is_some()
}

/// Requests to the relay per accepted mail.
fn tries_per_mail(world: &World) -> f64 {
    let counts = world.relay.counts();
    let [accepted, refused] = [counts.accepted, counts.refused].map(|n| f64::from(u32::try_from(n).unwrap()));
    (accepted + refused) / accepted
}

async fn most_attempts(world: &World) -> i32 {
    let spent: Vec<i32> = world.rows("deliveries").column("attempt").await;
    spent.into_iter().max().unwrap()
}

#[tokio::test]
async fn a_rate_limit_applied_at_the_dot_is_detected_and_kept() {
    World::run(async |world| {
        let people = if is_full_scale() { 1_200 } else { 240 };
        world.relay.set_limit(Some(Limit::per_second(20)));
        let import = world.people(people).await;
        world.person("ada@example.net").await;

        let began = Instant::now();
        let batch = world.invite(json!({ "import": import })).await;
        world.relay.wait_for(60, harness::world::PATIENCE).await.unwrap();
        let asked = Instant::now();
        let single = world.invite(json!({ "emails": ["ada@example.net"] })).await;
        world.finished(single).await;
        let waited = asked.elapsed();
        let finished = world.finished(batch).await;
        let (took, tries) = (began.elapsed(), tries_per_mail(world));

        println!("{people} people in {took:?}, {tries:.2} tries a mail, a single mail in {waited:?}");
        assert_eq!(finished["counts"]["sent"], json!(people), "{finished}");
        assert!(waited < Duration::from_secs(5), "the single mail took {waited:?}");
        assert!(tries < 1.5, "{tries} tries a mail");
        let best = Duration::from_secs(u64::try_from(people).unwrap() / 20);
        assert!(
            took < best.mul_f64(1.2) + Duration::from_secs(12),
            "{took:?} instead of {best:?}"
        );
        assert_eq!(most_attempts(world).await, 1, "a rate spent an attempt");
        world.assert_promises_kept().await;
    })
    .await;
}

/// Postfix limits recipients per time unit, and reports it with the text and codes of greylisting.
#[tokio::test]
async fn a_rate_limit_applied_at_the_recipient_is_detected_and_kept() {
    World::run(async |world| {
        let (people, window) = if is_full_scale() { (400, 20) } else { (160, 4) };
        world.relay.set_limit(Some(Limit {
            at: Step::Rcpt,
            most: 60,
            window: Duration::from_secs(window),
            reply: Cow::Borrowed("450 4.7.1 Error: too many recipients from 127.0.0.1"),
        }));
        let import = world.people(people).await;
        world.person("ada@example.net").await;

        let began = Instant::now();
        let batch = world.invite(json!({ "import": import })).await;
        world.relay.wait_for(100, Duration::from_mins(2)).await.unwrap();
        let asked = Instant::now();
        let single = world.invite(json!({ "emails": ["ada@example.net"] })).await;
        world.finished(single).await;
        let waited = asked.elapsed();
        let finished = world.finished(batch).await;
        let (took, tries) = (began.elapsed(), tries_per_mail(world));

        println!("{people} people in {took:?}, {tries:.2} tries a mail, a single mail in {waited:?}");
        assert_eq!(finished["counts"]["sent"], json!(people), "{finished}");
        assert!(
            waited < Duration::from_secs(window) + Duration::from_secs(3),
            "{waited:?}"
        );
        assert!(tries < 1.2, "{tries} tries a mail");
        assert_eq!(most_attempts(world).await, 1, "a rate spent an attempt");
        world.assert_promises_kept().await;
    })
    .await;
}

/// Each worker learns its own rate, and one may learn a low one: when it began, the relay took two mails in 3 s. The
/// queue then holds 200 jobs, and all of them were delivered to this worker.
#[tokio::test]
async fn a_worker_with_a_low_rate_leaves_the_jobs_to_a_faster_one() {
    World::run(async |world| {
        world.relay.set_limit(Some(Limit {
            most: 2,
            window: Duration::from_secs(3),
            ..Limit::per_second(2)
        }));
        let first: Vec<String> = (0..6).map(|n| format!("early{n}@example.net")).collect();
        let early = format!("email\n{}\n", first.join("\n"));
        world.import(&early).await.expect(201);
        let early = world.invite(json!({ "emails": first })).await;
        world.finished(early).await;
        let import = world.people(200).await;

        let began = Instant::now();
        let batch = world.invite(json!({ "import": import })).await;
        world.relay.wait_for(8, harness::world::PATIENCE).await.unwrap();
        world.relay.set_limit(Some(Limit::per_second(14)));
        world.start_worker().await.unwrap();
        let finished = world.finished(batch).await;
        let took = began.elapsed();

        let best = Duration::from_secs(200 / 14);
        println!("figure: two workers, one with a low rate: {took:?} instead of {best:?}");
        assert_eq!(finished["counts"]["sent"], 200, "{finished}");
        assert!(took < best + Duration::from_secs(18), "{took:?} instead of {best:?}");
        assert_eq!(most_attempts(world).await, 1, "a rate spent an attempt");
        world.assert_promises_kept().await;
    })
    .await;
}

#[tokio::test]
async fn consecutive_unknown_addresses_do_not_slow_down_the_others() {
    let setup = Setup {
        relay: Script {
            punishes_errors: true,
            ..Script::default()
        },
        ..Setup::default()
    };
    World::run_with(setup.worker_setting("BECKON_SMTP_CONNECTIONS", "2"), async |world| {
        let unknown = (0..60)
            .map(|n| format!("550+{n}@example.org\n"))
            .collect::<Vec<_>>()
            .concat();
        let unknown = world.import(&format!("email\n{unknown}")).await.expect(201)["id"].clone();
        let good = world.people(104).await;

        let began = Instant::now();
        let first = world.invite(json!({ "import": unknown })).await;
        let second = world.invite(json!({ "import": good })).await;
        let (first, second) = (world.finished(first).await, world.finished(second).await);
        let took = began.elapsed();

        assert_eq!(
            (&first["counts"]["failed"], &second["counts"]["sent"]),
            (&json!(60), &json!(104))
        );
        assert!(took < Duration::from_secs(15), "{took:?}");
        world.assert_promises_kept().await;
    })
    .await;
}

#[tokio::test]
async fn an_unavailable_domain_delays_no_other() {
    World::run(async |world| {
        let away: Vec<String> = (0..20).map(|n| format!("421+{n}@away.example")).collect();
        world
            .import(&format!("email\n{}\nada@example.org\n", away.join("\n")))
            .await
            .expect(201);

        let batch = world.invite(json!({ "emails": away })).await;
        world
            .eventually("one of them to meet the 421", async || {
                (world.relay.counts().refused > 0).then_some(())
            })
            .await;
        let mut longest = Duration::ZERO;
        for n in 0..4 {
            let email = format!("ada{n}@example.org");
            world.person(&email).await;
            let asked = Instant::now();
            let single = world.invite(json!({ "emails": [email] })).await;
            let single = world.finished(single).await;
            longest = longest.max(asked.elapsed());
            assert_eq!(single["counts"]["sent"], 1, "{single}");
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        let waits = world.batch(batch).await;
        let refused = world.relay.counts().refused;
        world
            .relay
            .set_where(|address| address.ends_with("@away.example"), Behaviour::Accept);
        let finished = world.finished(batch).await;

        println!("a healthy mail took {longest:?}; {refused} tries of the domain that is away");
        assert!(longest < Duration::from_secs(5), "{longest:?}");
        assert_eq!(waits["counts"]["failed"], 0, "{waits}");
        assert_eq!(finished["counts"]["sent"], 20, "{finished}");
        assert_eq!(most_attempts(world).await, 1, "a domain that is away spent an attempt");
        world.assert_promises_kept().await;
    })
    .await;
}

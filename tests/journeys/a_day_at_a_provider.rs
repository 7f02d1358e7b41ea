//! A simulated day with the usual limits of a provider: 14 mails per second, a quota per day, 20 connections, 2 % unknown
//! addresses, and one large domain that greylists.
//!
//! Rate, connections and shares are real. Times are scaled, so that it takes five minutes: a day lasts four minutes and
//! has a quota of 1,400 mails, which takes 100 s at that rate (50,000 take an hour); the domain greylists for 15 s, and
//! the first retry follows after 20 s (five minutes each). All settings but this one are the defaults. Pauses between
//! probes of a used-up quota are not scaled: in a real day they reach five to fifteen minutes.

use crate::json;
use harness::relay::{Behaviour, Limit, Script};
use harness::{Setup, World};
use serde_json::Value;
use std::collections::HashMap;
use std::time::{Duration, Instant};
use uuid::Uuid;

const RATE: usize = 14;
const QUOTA: usize = 1_400;
const DAY: Duration = Duration::from_mins(4);
const QUOTA_REPLY: &str = "454 4.7.0 Daily message quota exceeded";
const CONNECTIONS: usize = 20;
const GREYLISTS_FOR: Duration = Duration::from_secs(15);
const RETRY_FIRST: &str = "20s";

/// More than a day's quota.
const PEOPLE: usize = 2_000;
const UNKNOWN: usize = PEOPLE * 2 / 100;
const GREYLISTED: usize = PEOPLE * 30 / 100;
const SENT: usize = PEOPLE - UNKNOWN;

fn email(n: usize) -> String {
    match n % 100 {
        0..2 => format!("550+{n}@example.org"),
        2..32 => format!("person{n}@large.example"),
        place => format!("person{n}@example{place}.org"),
    }
}

/// What a day came to.
struct Figures {
    took: Duration,
    attempts: f64,
    /// Mails refused because of the rate.
    throttled: usize,
    /// Mails refused because of the quota.
    over_quota: usize,
}

impl Figures {
    /// A relay that is used at its full rate until the quota is used up, and again from the next day.
    fn ideal() -> Self {
        Self {
            took: DAY + Duration::from_secs(1) * u32::try_from((SENT - QUOTA) / RATE).unwrap(),
            attempts: ratio(PEOPLE + GREYLISTED, PEOPLE),
            throttled: 0,
            over_quota: 0,
        }
    }

    async fn of(world: &World, took: Duration) -> Self {
        let attempts: Vec<i32> = world.rows("deliveries").column("attempt").await;
        let attempts: i32 = attempts.iter().sum();
        let log = world.relay.log();
        let replies = |start: &str| log.iter().filter(|mail| mail.reply.starts_with(start)).count();
        Self {
            took,
            attempts: ratio(usize::try_from(attempts).unwrap(), PEOPLE),
            throttled: replies("454 throttled"),
            over_quota: replies(QUOTA_REPLY),
        }
    }

    fn refused_per_mail(&self) -> f64 {
        ratio(self.throttled + self.over_quota, SENT)
    }

    fn print(&self, name: &str) {
        println!(
            "figure: a day at a provider, {name}: {} s, {:.3} attempts a mail, {:.3} refused by limits a mail ({} by \
             the rate, {} by the quota)",
            self.took.as_secs(),
            self.attempts,
            self.refused_per_mail(),
            self.throttled,
            self.over_quota,
        );
    }
}

fn ratio(part: usize, of: usize) -> f64 {
    let [part, of] = [part, of].map(|n| f64::from(u32::try_from(n).unwrap()));
    part / of
}

async fn assert_only_unknown_failed(world: &World, batch: Uuid, finished: &Value) {
    assert_eq!(
        (&finished["counts"]["sent"], &finished["counts"]["failed"]),
        (&json!(SENT), &json!(UNKNOWN)),
        "{finished}"
    );
    let failed = world.rows("deliveries").with("batch_id", batch).with("state", "failed");
    let others = failed.other_than("reason", "address_unknown").count().await;
    assert_eq!(others, 0, "a known address failed");
}

fn assert_nobody_got_two(world: &World) {
    let mut mails: HashMap<String, u32> = HashMap::new();
    for mail in world.relay.log().into_iter().filter(|mail| mail.kept) {
        *mails.entry(mail.recipient).or_default() += 1;
    }
    assert_eq!(mails.len(), SENT);
    assert!(mails.values().all(|times| *times == 1), "{mails:?}");
}

#[tokio::test]
#[ignore = "nightly: five minutes"]
async fn a_batch_larger_than_the_quota_is_sent_in_nearly_ideal_time() {
    let setup = Setup {
        relay: Script {
            max_connections: CONNECTIONS,
            ..Script::default()
        },
        ..Setup::default()
    };
    let setup = setup.workers(2).worker_setting("BECKON_RETRY_FIRST", RETRY_FIRST);
    World::run_with(setup, async |world| {
        world.relay.set_where(
            |address| address.ends_with("@large.example"),
            Behaviour::Greylist(GREYLISTS_FOR),
        );
        let quota = Limit {
            window: DAY,
            ..Limit::per_day(QUOTA, QUOTA_REPLY)
        };
        world.relay.set_limits(vec![quota, Limit::per_second(RATE)]);
        let rows: String = (0..PEOPLE).map(|n| email(n) + "\n").collect();
        let import = world.import(&format!("email\n{rows}")).await.expect(201);

        let began = Instant::now();
        let batch = world.invite(json!({ "import": import["id"] })).await;
        world.relay.wait_for(SENT, Duration::from_mins(10)).await.unwrap();
        let took = began.elapsed();
        let finished = world.finished(batch).await;
        let (ideal, seen) = (Figures::ideal(), Figures::of(world, took).await);

        ideal.print("ideal");
        seen.print("seen");
        println!("figure: connections turned away: {}", world.relay.counts().turned_away);
        assert_only_unknown_failed(world, batch, &finished).await;
        assert_nobody_got_two(world);
        assert!(
            seen.took < ideal.took.mul_f64(1.2),
            "{:?} instead of {:?}",
            seen.took,
            ideal.took
        );
        assert!(
            seen.attempts < ideal.attempts + 0.05,
            "{} attempts a mail",
            seen.attempts
        );
        assert!(
            seen.refused_per_mail() < 0.2,
            "{} refused a mail",
            seen.refused_per_mail()
        );
        assert!(seen.over_quota < 60, "{} probes of the used-up quota", seen.over_quota);
        world.assert_promises_kept().await;
    })
    .await;
}

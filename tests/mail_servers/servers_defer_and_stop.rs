//! Connection limits, greylisting, idle timeouts, and servers that stop in the middle of a batch.

use crate::{assert_arrived, figure, import_of, json, make_due, most_attempts, send_to, world};
use harness::World;
use harness::mail_servers::{Greylist, Postfix};
use harness::stack::Stop;
use harness::world::PATIENCE;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

#[tokio::test]
#[ignore = "make mail-servers: needs root and Debian's mail servers"]
async fn three_connections_send_everything() {
    let mut world = world().await;
    let limit = [
        "smtpd_client_event_limit_exceptions =",
        "smtpd_client_connection_count_limit = 3",
    ];
    let postfix = Postfix::start(world.relay.address(), &limit, &[&[]]).await.unwrap();
    send_to(&mut world, &postfix.url(0)).await;
    let import = world.people(300).await;

    let began = Instant::now();
    let batch = world.invite(json!({ "import": import })).await;
    let finished = world.finished(batch).await;
    figure("Postfix takes 3 connections, 300 people", began);

    let refused = postfix.logged("Connection concurrency limit exceeded");
    println!("figure: Postfix takes 3 connections, connections refused: {refused}");
    assert_eq!(finished["counts"]["sent"], 300, "{finished}");
    assert_eq!(
        most_attempts(&world).await,
        1,
        "a limit of connections spent an attempt"
    );
    assert_arrived(world, 300).await;
}

/// The domain accepts second attempts while it defers the first attempts of others, which is no rate limit.
#[tokio::test]
#[ignore = "make mail-servers: needs root and Debian's mail servers"]
async fn greylisted_mails_are_sent_at_the_second_attempt() {
    let mut world = world().await;
    let greylist = Greylist::start().await.unwrap();
    let policy = greylist.policy();
    let postfix = Postfix::start(world.relay.address(), &[], &[&[&policy]]).await.unwrap();
    send_to(&mut world, &postfix.url(0)).await;

    for name in ["early", "late"] {
        let import = import_of(&world, (0..40).map(|n| format!("{name}{n}@example.org"))).await;
        let began = Instant::now();
        let batch = world.invite(json!({ "import": import })).await;
        let deferred = world.until(batch, "retrying", 40).await;
        figure(&format!("postgrey defers all 40 of {name}"), began);
        let line = &world.deliveries(batch).await[0];
        tokio::time::sleep(Duration::from_secs(1)).await;
        make_due(&world).await;
        let finished = world.finished(batch).await;

        assert_eq!(deferred["state"], "running", "{deferred}");
        let seen = (line["attempts"].clone(), line["reason"].clone());
        assert_eq!(seen, (json!(1), json!("throttled")), "{line}");
        assert_eq!(finished["counts"]["sent"], 40, "{finished}");
    }
    assert_eq!(most_attempts(&world).await, 2);
    assert_arrived(world, 80).await;
}

#[tokio::test]
#[ignore = "make mail-servers: needs root and Debian's mail servers"]
async fn an_idle_connection_that_postfix_closes_costs_nothing() {
    let mut world = world().await;
    let postfix = Postfix::start(world.relay.address(), &[], &[&["smtpd_timeout=1s"]])
        .await
        .unwrap();
    send_to(&mut world, &postfix.url(0)).await;

    for n in 0..3 {
        let email = format!("ada{n}@example.org");
        world.person(&email).await;
        let asked = Instant::now();
        let single = world.invite(json!({ "emails": [email] })).await;
        let finished = world.finished(single).await;
        assert_eq!(finished["counts"]["sent"], 1, "{finished}");
        assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
        world
            .eventually("Postfix to close the connection", async || {
                (postfix.logged("timeout after") > n).then_some(())
            })
            .await;
    }
    assert_eq!(most_attempts(&world).await, 1);
    assert_arrived(world, 3).await;
}

#[tokio::test]
#[ignore = "make mail-servers: needs root and Debian's mail servers"]
async fn postfix_stops_and_starts_in_the_middle_of_a_batch() {
    const PEOPLE: usize = 1_000;
    for how in [Stop::Graceful, Stop::Kill] {
        World::run_in(world().await, async |world| {
            let mut postfix = Postfix::start(world.relay.address(), &[], &[&[]]).await.unwrap();
            send_to(world, &postfix.url(0)).await;
            let import = world.people(PEOPLE).await;

            let batch = world.invite(json!({ "import": import })).await;
            world.relay.wait_for(100, PATIENCE).await.unwrap();
            postfix.stop(how).await.unwrap();
            let sent = world.batch(batch).await["counts"]["sent"].as_u64().unwrap();
            assert!(usize::try_from(sent).unwrap() < PEOPLE, "it stopped too late");
            postfix.start_again().await.unwrap();
            let back = Instant::now();
            let mut finished = world.batch(batch).await;
            while finished["state"] != "finished" {
                assert!(back.elapsed() < 2 * PATIENCE, "{finished}");
                make_due(world).await;
                tokio::time::sleep(Duration::from_secs(1)).await;
                finished = world.batch(batch).await;
            }
            figure(
                &format!("Postfix is back after {how:?}, with {sent} of {PEOPLE} sent"),
                back,
            );

            assert_eq!(finished["counts"]["sent"], PEOPLE, "{finished}");
            let unsure = usize::try_from(finished["counts"]["unsure"].as_u64().unwrap()).unwrap();
            world.assert_sums().await;
            world.skip_promises("Postfix passes a mail on again if it ends before it has recorded that");
            let mut taken = taken_by_postfix(world);
            while taken.len() < PEOPLE {
                assert!(back.elapsed() < 3 * PATIENCE, "{} users got an email", taken.len());
                tokio::time::sleep(Duration::from_millis(500)).await;
                taken = taken_by_postfix(world);
            }
            let mails: usize = taken.values().map(BTreeSet::len).sum();
            assert!(mails <= PEOPLE + unsure, "{mails} mails with {unsure} unsure");
            assert!(unsure <= 40, "{unsure} unsure");
        })
        .await;
    }
}

/// The queue ids of the mails that Postfix took, by recipient. If it ends before it has recorded that it passed a mail
/// on, it does so again with the same id; a second mail from Beckon has another one.
fn taken_by_postfix(world: &World) -> BTreeMap<String, BTreeSet<String>> {
    let mut taken: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for transaction in world.relay.log().into_iter().filter(|transaction| transaction.kept) {
        let id = transaction.message.as_deref().and_then(queue_id);
        taken.entry(transaction.recipient).or_default().extend(id);
    }
    taken
}

/// The id in the first `Received` header.
fn queue_id(message: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(message);
    let (_, rest) = text.split_once(" id ")?;
    rest.split_whitespace().next().map(str::to_owned)
}

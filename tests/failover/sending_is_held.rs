//! A standby with asynchronous replication is promoted and lacks the mails sent last.

use crate::json;
use crate::postgres_moves::{Moving, usual};
use harness::World;
use harness::replicated::Which;
use harness::stack::Stop;
use harness::world::PATIENCE;
use reqwest::Method;
use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

/// How long the standby lags behind.
const LAG: Duration = Duration::from_secs(3);

/// Mails per second (`BECKON_MAIL_RATE` of [`usual`]).
const RATE: u64 = 50;

/// Time from the end of the lag until no mail is in progress any more.
const IN_PROGRESS: Duration = Duration::from_secs(2);

/// Everything from now on is missing on the standby.
async fn fall_behind(moving: &Moving) {
    moving.servers.caught_up().await.unwrap();
    moving.servers.stream().stall();
}

/// Kills the primary and promotes the standby. Returns the bytes of WAL that the standby lacks.
async fn crash(moving: &mut Moving) -> String {
    let servers = &mut moving.servers;
    let reached = "select pg_current_wal_lsn()::text";
    let reached = servers.answer(Which::First, "postgres", reached).await.unwrap();
    servers.stop(Which::First, Stop::Kill).await.unwrap();
    let lost = format!("select pg_wal_lsn_diff('{reached}', pg_last_wal_receive_lsn())::text");
    let lost = servers.answer(Which::Second, "postgres", &lost).await.unwrap();
    servers.promote(Which::Second).await.unwrap();
    lost
}

/// Sends until the standby has lagged for [`LAG`], and fails over to it.
async fn fail_over(moving: &mut Moving) {
    fall_behind(moving).await;
    tokio::time::sleep(LAG).await;
    crash(moving).await;
    moving.lead_to(Which::Second);
}

/// The Message-IDs of the mails that a server records as sent.
async fn recorded(moving: &Moving, which: Which) -> BTreeSet<String> {
    let asked = "select string_agg('<' || id || '@lerna.example>', ' ') from deliveries where state = 'sent'";
    let found = moving.servers.answer(which, "beckon", asked).await.unwrap();
    found.split_whitespace().map(str::to_owned).collect()
}

/// Waits until sending is on hold, and returns the log line.
async fn held(world: &World) -> String {
    world
        .eventually("the hold to be logged", async || {
            let logs = world.logs();
            let error = logs.lines().find(|line| line.contains("sending is on hold"));
            error.map(str::to_owned)
        })
        .await
}

/// The Message-IDs in the relay's log, and the number of duplicates.
fn in_the_relays_log(world: &World) -> (BTreeSet<String>, usize) {
    let kept: Vec<String> = world
        .relay
        .log()
        .into_iter()
        .filter(|transaction| transaction.kept)
        .filter_map(|transaction| transaction.message_id)
        .collect();
    let ids: BTreeSet<String> = kept.iter().cloned().collect();
    let second = kept.len() - ids.len();
    (ids, second)
}

/// Runs a command of the API with this standard input.
async fn command(world: &World, name: &str, input: &str) -> (bool, String) {
    let path = harness::program::binary_path("beckon-api").unwrap();
    let mut running = Command::new(path)
        .arg(name)
        .env_clear()
        .envs(world.settings().iter().cloned())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = running.stdin.take().unwrap();
    pipe.write_all(input.as_bytes()).await.unwrap();
    drop(pipe);
    let output = running.wait_with_output().await.unwrap();
    let both = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(both).unwrap())
}

#[tokio::test]
async fn nothing_is_sent_until_an_operator_resumes_and_marked_mails_are_not_sent_again() {
    let mut moving = Moving::start(usual().api_setting("BECKON_HOLD_AFTER_PROMOTION", "true")).await;
    let batch = moving.begin().await;
    let refused = command(&moving.world, "resume-sending", "").await;

    fail_over(&mut moving).await;
    let world = &moving.world;
    let error = held(world).await;
    let (sent_before, _) = in_the_relays_log(world);
    let late = world.person("ada@example.org").await;
    let held = world.invite(json!({ "users": [late] })).await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    let (sent_meanwhile, second_meanwhile) = in_the_relays_log(world);
    let lines = sent_before.iter().map(String::as_str).collect::<Vec<_>>().join("\n");
    let (is_marked, marked) = command(world, "mark-sent", &lines).await;
    let (is_resumed, resumed) = command(world, "resume-sending", "").await;
    let finished = world.finished(batch).await;
    world.finished(held).await;
    let (_, second) = in_the_relays_log(world);

    assert!(
        !refused.0 && refused.1.contains("sending is not on hold"),
        "{}",
        refused.1
    );
    assert!(
        error.contains("failover.md") && error.contains("resume-sending"),
        "{error}"
    );
    assert_eq!((sent_meanwhile.len(), second_meanwhile), (sent_before.len(), 0));
    assert!(is_marked && marked.contains("marked as sent"), "{marked}");
    assert!(is_resumed && resumed.contains("Sending is resumed"), "{resumed}");
    println!(
        "figure: held: {} had been sent; {}; second mails {second}",
        sent_before.len(),
        marked.trim()
    );
    assert_eq!(second, 0, "what was marked was sent again");
    assert_eq!(finished["counts"]["sent"], 1_500, "{finished}");
    let figures = world.api_metric("beckon_database_promoted_timestamp_seconds").await;
    assert!(figures > 1_000_000_000.0, "{figures}");
    world.assert_sums().await;
}

#[tokio::test]
async fn without_the_hold_the_change_is_logged_and_lost_mails_are_sent_again() {
    let mut moving = Moving::start(usual()).await;
    let batch = moving.begin().await;

    fall_behind(&moving).await;
    let began = Instant::now();
    tokio::time::sleep(LAG).await;
    let bytes = crash(&mut moving).await;
    tokio::time::sleep(IN_PROGRESS).await;
    let unknown_since = began.elapsed();
    let (taken, _) = in_the_relays_log(&moving.world);
    let known = recorded(&moving, Which::Second).await;
    moving.lead_to(Which::Second);
    let waited = moving
        .next_mail("asynchronous failover, from the move of the address to the next mail")
        .await;
    let finished = moving.world.finished(batch).await;
    let (ids, second) = in_the_relays_log(&moving.world);
    // Fenced: it is read, and no address leads to it.
    moving.servers.start_again(Which::First).await.unwrap();
    let lost = recorded(&moving, Which::First).await.difference(&known).count();
    let unknown = taken.difference(&known).count();

    println!(
        "figure: {bytes} bytes of WAL from {LAG:?} lost: {lost} records of sent mails lost, {unknown} mails unknown to \
         the standby, {second} second mails, {} counted as unsure",
        finished["counts"]["unsure"]
    );
    assert!(waited < Duration::from_secs(30), "{waited:?}");
    assert_eq!((finished["counts"]["sent"].as_u64(), ids.len()), (Some(1_500), 1_500));
    // Each mail whose record is lost is sent again, and no mail that the standby knows of.
    assert!(
        lost > 0 && (lost..=unknown).contains(&second),
        "{lost}..={unknown}: {second}"
    );
    // One second's mails may have been published ahead.
    let most = RATE * (unknown_since.as_secs() + 2);
    assert!(second as u64 <= most, "{second} second mails, at most {most}");
    assert!(
        moving
            .world
            .logs()
            .contains("Postgres was promoted or restored, and sending continues")
    );
}

#[tokio::test]
async fn a_batch_accepted_in_the_lost_time_is_gone_although_its_mails_were_sent() {
    let mut moving = Moving::start(usual().api_setting("BECKON_HOLD_AFTER_PROMOTION", "true")).await;
    let import = moving.world.people(20).await;
    fall_behind(&moving).await;
    let invite = async |world: &World| {
        let recipients = Some(json!({ "import": import }));
        let answer = world.ask(Method::POST, "/v1/invites", recipients, Some("invites of November"));
        answer.await.expect(202)["batch"].clone()
    };
    let lost = invite(&moving.world).await;
    moving.world.relay.wait_for(20, PATIENCE).await.unwrap();

    crash(&mut moving).await;
    moving.lead_to(Which::Second);
    let world = &moving.world;
    held(world).await;
    let page = format!("/v1/batches/{}", lost.as_str().unwrap());
    world
        .eventually("the batch to be gone", async || {
            (world.get(&page).await.status == 404).then_some(())
        })
        .await;
    let (taken, _) = in_the_relays_log(world);
    let lines = taken.iter().map(String::as_str).collect::<Vec<_>>().join("\n");
    let (is_marked, marked) = command(world, "mark-sent", &lines).await;
    let again = invite(world).await;
    let (is_resumed, resumed) = command(world, "resume-sending", "").await;
    world.relay.wait_for(40, PATIENCE).await.unwrap();

    println!("figure: a batch of 20 in the lost time: {}", marked.trim());
    assert!(
        is_marked && marked.contains("0 marked as sent") && marked.contains("20 are not in this database"),
        "{marked}"
    );
    assert!(is_resumed, "{resumed}");
    assert_ne!(again, lost, "the idempotency key is lost too");
    let finished = world.finished(again.as_str().unwrap().parse().unwrap()).await;
    assert_eq!(
        (finished["counts"]["sent"].as_u64(), world.relay.accepted_count()),
        (Some(20), 40)
    );
}

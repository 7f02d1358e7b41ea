//! A standby with asynchronous replication is promoted and lacks the mails sent last.

use crate::json;
use crate::postgres_moves::Moving;
use harness::replicated::Which;
use harness::stack::Stop;
use harness::{Setup, World};
use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

/// How long the standby lags behind.
const LAG: Duration = Duration::from_secs(3);

fn usual() -> Setup {
    Setup::default()
        .workers(2)
        .api_setting("BECKON_MAIL_RATE", "50")
        .worker_setting("BECKON_LEASE", "1min")
}

/// Sends until the standby has lagged for [`LAG`], and fails over to it.
async fn fail_over(moving: &mut Moving) {
    moving.servers.caught_up().await.unwrap();
    moving.servers.stream().stall();
    tokio::time::sleep(LAG).await;
    moving.servers.stop(Which::First, Stop::Kill).await.unwrap();
    moving.servers.promote(Which::Second).await.unwrap();
    moving.lead_to(Which::Second);
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
    let error = world
        .eventually("the hold to be logged", async || {
            let logs = world.logs();
            let error = logs.lines().find(|line| line.contains("sending is on hold"));
            error.map(str::to_owned)
        })
        .await;
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

    fail_over(&mut moving).await;
    let waited = moving
        .next_mail("asynchronous failover, from the move of the address to the next mail")
        .await;
    let finished = moving.world.finished(batch).await;
    let (ids, second) = in_the_relays_log(&moving.world);

    println!(
        "figure: {LAG:?} of WAL lost: {second} second mails, {} counted",
        finished["counts"]["unsure"]
    );
    assert!(waited < Duration::from_secs(30), "{waited:?}");
    assert_eq!((finished["counts"]["sent"].as_u64(), ids.len()), (Some(1_500), 1_500));
    // About 50 mails per second were sent meanwhile.
    assert!(second < 600, "{second}");
    assert!(
        moving
            .world
            .logs()
            .contains("Postgres was promoted or restored, and sending continues")
    );
}

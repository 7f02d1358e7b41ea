//! The standby is promoted while the old primary still runs and keeps its connections: it is not fenced.
//!
//! Replication is synchronous, so the old primary waits for a standby that it no longer has. Then it is switched to
//! accept writes alone, and processes that still used it would send every mail a second time.

use crate::figure;
use crate::postgres_moves::{Moving, PEOPLE, assert_counted, usual};
use harness::replicated::Which;
use harness::world::PATIENCE;
use std::time::{Duration, Instant};

/// The longest time from the move of the address to the next mail.
const MAX_OUTAGE: Duration = Duration::from_secs(15);

/// Sessions of Beckon. Those of the tests have no name.
const SESSIONS: &str = "select count(*)::text from pg_stat_activity
        where datname = 'beckon' and application_name <> ''";

/// Changes with any write: a running dispatcher and worker write every few seconds.
const WRITES: &str = "select concat_ws(', ',
        (select count(*) || ' sent' from deliveries where state = 'sent'),
        (select max(moved_at) from deliveries), (select max(started_at) from attempts),
        (select seen_at from dispatcher), (select max(seen_at) from workers))";

/// Mails in progress at the move are sent within a second; the next ones need the new primary.
async fn mail_flows(moving: &Moving, what: &str) -> Duration {
    let began = Instant::now();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let before = moving.world.relay.accepted_count();
    moving.world.relay.wait_for(before + 10, 2 * PATIENCE).await.unwrap();
    figure(what, began)
}

/// Makes the old primary accept writes alone, and waits until no session of Beckon is left there.
async fn the_old_one_accepts_writes(moving: &Moving) {
    moving.address.restore().await.unwrap();
    for step in [
        "alter system reset synchronous_standby_names",
        "select pg_reload_conf()",
    ] {
        moving.servers.ask(Which::First, step).await.unwrap();
    }
    let began = Instant::now();
    moving
        .world
        .eventually("no session of Beckon on the old primary", async || {
            let sessions = moving.servers.answer(Which::First, "beckon", SESSIONS).await.ok()?;
            (sessions == "0").then_some(())
        })
        .await;
    figure(
        "the old primary accepts writes, until no session of Beckon is left there",
        began,
    );
}

async fn an_old_primary_is_left(is_silent: bool) {
    let mut moving = Moving::start(usual()).await;
    moving.servers.synchronous().await.unwrap();
    let batch = moving.begin().await;

    if is_silent {
        moving.address.silence();
    }
    moving.servers.promote(Which::Second).await.unwrap();
    moving.lead_to(Which::Second);
    let how = if is_silent { "silent" } else { "answering" };
    let what = format!("the old primary is not fenced and {how}, from the move of the address to the next mails");
    let waited = mail_flows(&moving, &what).await;
    moving.all_moved().await;
    the_old_one_accepts_writes(&moving).await;
    let before = moving.servers.answer(Which::First, "beckon", WRITES).await.unwrap();
    moving.world.turn_to_database(&moving.url).unwrap();
    let finished = moving.world.finished(batch).await;
    let after = moving.servers.answer(Which::First, "beckon", WRITES).await.unwrap();

    println!("figure: the old primary at the end: {after}");
    assert!(waited < MAX_OUTAGE, "{waited:?}");
    assert_eq!(before, after, "the old primary was written to");
    assert_eq!(finished["counts"]["sent"], PEOPLE, "{finished}");
    assert_counted(&moving.world, &finished);
    moving.world.assert_promises_kept().await;
}

#[tokio::test]
async fn connections_to_an_old_primary_are_closed() {
    an_old_primary_is_left(false).await;
}

#[tokio::test]
async fn silent_connections_to_an_old_primary_are_closed() {
    an_old_primary_is_left(true).await;
}

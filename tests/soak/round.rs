//! One round: faults under load, quiet until nothing is owed, and the check.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use harness::relay::Behaviour;
use harness::{HarnessError, Result, World};
use sqlx::Row as _;

use crate::fault::{Drawn, Faults};
use crate::figures::Figures;
use crate::load::{Asked, Load};
use crate::scene::Scene;

/// How long faults follow one another.
const UNDER_FAULTS: Duration = Duration::from_secs(40);

/// How long after the last fault everything must have finished.
const DRAIN: Duration = Duration::from_mins(2);

/// How many of the users with one mail sign in each round.
const SIGN_INS: usize = 20;

/// Runs a round and adds its statistics to the figures.
///
/// # Errors
///
/// When a step fails, or a backlog does not drain. A broken promise panics.
pub(crate) async fn run(scene: &mut Scene, round: usize, faults: &mut Faults, figures: &mut Figures) -> Result<()> {
    let ending = Arc::new(AtomicBool::new(false));
    let load = tokio::spawn(Load::new(&scene.world, round, &ending).run());
    happen(scene, faults, figures).await?;
    ending.store(true, Ordering::Relaxed);
    let asked = load
        .await
        .map_err(|fault| HarnessError::because("the load ended early", fault))??;
    drain(&scene.world, round, figures).await?;
    check(&scene.world, round, &asked, figures).await
}

async fn happen(scene: &mut Scene, faults: &mut Faults, figures: &mut Figures) -> Result<()> {
    let end = Instant::now() + UNDER_FAULTS;
    figures.latest_faults.clear();
    while Instant::now() < end {
        let Drawn { fault, lasts, pause } = faults.draw()?;
        *figures.faults.entry(format!("{fault:?}")).or_default() += 1;
        figures.latest_faults.push(format!("{fault:?} for {lasts:.1?}"));
        figures.look_at_memory(&scene.world);
        fault.begin(scene).await?;
        tokio::time::sleep(lasts).await;
        fault.end(scene).await?;
        tokio::time::sleep(pause).await;
    }
    Ok(())
}

/// Waits until nothing is owed. The relay behaves normally by now, and retries are made due immediately.
async fn drain(world: &World, round: usize, figures: &mut Figures) -> Result<()> {
    let ours = of_round(round);
    world
        .relay
        .set_where(move |person| person.contains(&ours), Behaviour::Accept);
    let began = Instant::now();
    loop {
        world.let_pauses_pass().await;
        let owed: i64 = sqlx::query_scalar(
            "select count(*) from deliveries where state in ('waiting', 'queued', 'sending', 'retrying')",
        )
        .fetch_one(&world.db)
        .await
        .map_err(|fault| HarnessError::because("could not read the ledger", fault))?;
        if owed == 0 {
            break;
        }
        if began.elapsed() > DRAIN {
            return Err(HarnessError::new(format!(
                "{owed} mails are still owed {DRAIN:?} after {}\n{}",
                figures.latest_faults.join(", "),
                diagnosis(world).await
            )));
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    figures.longest_drain = figures.longest_drain.max(began.elapsed());
    Ok(())
}

/// The mails that are owed, and the ends of all logs.
async fn diagnosis(world: &World) -> String {
    let mut lines = Vec::new();
    for state in ["waiting", "queued", "sending", "retrying"] {
        lines.extend(world.rows("deliveries").with("state", state).texts().await);
    }
    for table in ["batches", "workers", "dispatcher", "claims"] {
        let rows = world.rows(table).texts().await;
        lines.extend(rows.iter().rev().take(20).map(|row| format!("{table} {row}")));
    }
    lines.push(format!("now {}", world.now().await));
    let programs = world.api.iter().chain(&world.workers);
    lines.extend(programs.map(|program| format!("--- {}", program.log_tail())));
    lines.join("\n")
}

/// The marker in the addresses of a round.
pub(crate) fn of_round(round: usize) -> String {
    format!("r{round}-")
}

async fn check(world: &World, round: usize, asked: &Asked, figures: &mut Figures) -> Result<()> {
    world.assert_promises_kept().await;
    let ours = of_round(round);
    let signed_in = world
        .assert_mailed_passwords_work(|person| person.contains(&ours), SIGN_INS)
        .await;
    let row = sqlx::query(
        "select (select count(*) from batches) as batches,
                (select count(*) from deliveries) as deliveries,
                (select count(*) from deliveries where state <> 'sent') as others,
                (select count(*) from attempts where verdict = 'unsure') as unsure,
                (select count(*) from pg_stat_activity
                 where datname = current_database() and state like 'idle in transaction%') as in_transaction",
    )
    .fetch_one(&world.db)
    .await
    .map_err(|fault| HarnessError::because("could not read the ledger", fault))?;
    let of = |name: &str| usize::try_from(row.get::<i64, _>(name)).unwrap_or_default();
    figures.deliveries += asked.people;
    figures.asked_again += asked.again;
    figures.longest_answer = figures.longest_answer.max(asked.longest);
    assert_eq!(
        of("deliveries"),
        figures.deliveries,
        "every accepted request is there once"
    );
    assert_eq!(of("others"), 0, "all are sent in the end");
    assert_eq!(of("in_transaction"), 0, "connections are left in a transaction");
    figures.rounds += 1;
    figures.mails = world.relay.accepted_count();
    figures.second_mails = figures.mails - figures.deliveries;
    figures.unsure = of("unsure");
    figures.sign_ins += signed_in;
    Ok(())
}

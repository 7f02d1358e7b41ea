//! Attacks the API with everything an unauthenticated client can send, while an administrator, a platform's sign-in
//! page and batches keep working.
//!
//! Everything is real and runs only on this machine: one API and one worker with their default limits, Postgres,
//! RabbitMQ, and clients with source addresses in 127.0.0.0/8. Each attack is limited in number and rate, and all of
//! them end with the run. The run fails when a sign-in is slow or refused, a probe does not answer, the API restarts or
//! exceeds its memory limit, or a mail of the batch is missing.
//!
//! ```text
//! attack [--seconds N] [--only ATTACK,…]
//! ```

mod attacks;
mod bystanders;
mod figures;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use attacks::{Attacks, SLOW, SLOW_BODIES};
use bystanders::Bystander;
use figures::Figures;
use harness::{HarnessError, Setup, World};
use serde_json::json;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Duration unless the command line sets another.
const USUAL: Duration = Duration::from_hours(1);

/// Users in each batch that is sent meanwhile,
const BATCH: usize = 500;
/// the number of groups of such users,
const GROUPS: usize = 100;
/// the batches of password emails that a group gets one after the other. A user has at most five working mailed
/// passwords, and gets no further one.
const PASSWORDS_PER_GROUP: usize = 5;
/// and the pause after a batch of invites and one of password emails.
const BETWEEN_BATCHES: Duration = Duration::from_secs(20);

/// The API's memory limit.
const MAX_MEMORY: u64 = 150 * 1024 * 1024;

/// Upper limit for 99 of 100 sign-ins.
const MAX_SIGN_IN: Duration = Duration::from_secs(2);

#[tokio::main]
async fn main() -> ExitCode {
    let Some((lasting, attacks)) = parse(std::env::args().skip(1)) else {
        eprintln!(
            "attack [--seconds N] [--only ATTACK,…]: attacks an API on this machine for so long [3600], with all \
             attacks or only these: {}",
            Attacks::NAMES.join(", ")
        );
        return ExitCode::from(2);
    };
    match run(lasting, attacks).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("attack: {fault}");
            ExitCode::FAILURE
        }
    }
}

/// Parses the command line.
fn parse(mut words: impl Iterator<Item = String>) -> Option<(Duration, Attacks)> {
    let (mut lasting, mut attacks) = (USUAL, Attacks::all());
    while let Some(word) = words.next() {
        match (&*word, words.next()?) {
            ("--seconds", value) => lasting = Duration::from_secs(value.parse().ok()?),
            ("--only", value) => attacks = Attacks::named(&value)?,
            _ => return None,
        }
    }
    Some((lasting, attacks))
}

async fn run(lasting: Duration, attacks: Attacks) -> harness::Result<()> {
    let world = Arc::new(World::try_with(Setup::default().own_stack()).await?);
    let bystanders = bystanders::Bystanders::prepare(&world).await?;
    let figures = Arc::new(Figures::default());
    let end = CancellationToken::new();
    let mut tasks = JoinSet::new();
    // Before the attack, which takes all slots for uploads of its key.
    world.people(BATCH * GROUPS).await;
    bystanders.begin(&mut tasks, &figures, &end);
    attacks.begin(&world, &mut tasks, &figures, &end)?;
    let mut sending = tokio::spawn(keep_sending(Arc::clone(&world), end.clone()));
    // It ends earlier only if a mail is missing.
    let ended_early = tokio::time::timeout(lasting, &mut sending).await.ok();
    end.cancel();
    while tasks.join_next().await.is_some() {}
    println!("{figures}");
    let sent = match ended_early {
        Some(sent) => sent,
        None => sending.await,
    };
    let batches = sent.map_err(|fault| HarnessError::because("a batch", fault))??;
    println!("{batches} batches of {BATCH} mails were sent meanwhile");
    figures.check(MAX_SIGN_IN)?;
    for what in Bystander::ALL.map(Bystander::as_str) {
        figures::require(figures.number_of(what) > 0, || format!("{what}: never"))?;
    }
    figures::require(!attacks.has("slow") || figures.number_of(SLOW) >= SLOW_BODIES, || {
        "too few slow bodies".to_owned()
    })?;
    let api = world.api.as_ref();
    figures::require(api.is_some_and(|api| api.exit_code().is_none()), || {
        "the API has ended".to_owned()
    })?;
    let memory = api.and_then(harness::program::Program::max_memory).unwrap_or_default();
    println!("API: at most {} MiB of memory", memory / 1024 / 1024);
    figures::require(memory < MAX_MEMORY, || format!("the API took {memory} bytes of memory"))
}

/// Sends invites and password mails in turn until the end. Returns the number of batches.
///
/// # Errors
///
/// When a mail is missing.
async fn keep_sending(world: Arc<World>, end: CancellationToken) -> harness::Result<usize> {
    let mut batches = 0;
    for round in 0..GROUPS * PASSWORDS_PER_GROUP {
        if end.is_cancelled() {
            break;
        }
        let first = round / PASSWORDS_PER_GROUP * BATCH + 1;
        let emails: Vec<String> = (first..first + BATCH)
            .map(|n| format!("person{n}@example.org"))
            .collect();
        for kind in ["invites", "password-resets"] {
            let accepted = world
                .post(
                    &format!("/v1/{kind}"),
                    json!({ "emails": emails, "include_recent": true }),
                )
                .await;
            let batch = accepted.expect(202);
            let id = batch
                .get("batch")
                .and_then(serde_json::Value::as_str)
                .unwrap_or_default();
            let id = id.parse().map_err(|fault| HarnessError::because("no batch", fault))?;
            let finished = world.finished(id).await;
            let sent = finished.pointer("/counts/sent").and_then(serde_json::Value::as_u64);
            figures::require(sent == u64::try_from(BATCH).ok(), || {
                format!("the batch came to {finished}")
            })?;
            batches += 1;
        }
        tokio::select! {
            () = tokio::time::sleep(BETWEEN_BATCHES) => {}
            () = end.cancelled() => {}
        }
    }
    Ok(batches)
}

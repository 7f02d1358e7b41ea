//! Attacks the API with everything an unauthenticated client can send, while an administrator, a platform's sign-in
//! page and a batch keep working.
//!
//! Everything is real and runs only on this machine: one API and one worker with their default limits, Postgres,
//! RabbitMQ, and clients with source addresses in 127.0.0.0/8. Each attack is limited in number and rate, and all of
//! them end with the run. The run fails when a sign-in is slow or refused, a probe does not answer, the API restarts or
//! exceeds its memory limit, or a mail of the batch is missing.
//!
//! ```text
//! attack [--seconds N]
//! ```

mod attacks;
mod bystanders;
mod figures;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use figures::Figures;
use harness::{Setup, World};
use serde_json::json;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Duration unless the command line sets another.
const USUAL: Duration = Duration::from_hours(1);

/// Users in the batch that runs meanwhile.
const BATCH: usize = 5_000;

/// The API's memory limit.
const MAX_MEMORY: u64 = 150 * 1024 * 1024;

/// Upper limit for 99 of 100 sign-ins.
const MAX_SIGN_IN: Duration = Duration::from_secs(2);

#[tokio::main]
async fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let lasting = match (words.next().as_deref(), words.next().map(|text| text.parse())) {
        (None, _) => USUAL,
        (Some("--seconds"), Some(Ok(seconds))) => Duration::from_secs(seconds),
        _ => {
            eprintln!("attack [--seconds N]: attacks an API on this machine for so long [3600]");
            return ExitCode::from(2);
        }
    };
    match run(lasting).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("attack: {fault}");
            ExitCode::FAILURE
        }
    }
}

async fn run(lasting: Duration) -> harness::Result<()> {
    let world = Arc::new(World::try_with(Setup::default().own_stack()).await?);
    let bystanders = bystanders::Bystanders::prepare(&world).await?;
    let figures = Arc::new(Figures::default());
    let end = CancellationToken::new();
    let mut tasks = JoinSet::new();
    let import = world.people(BATCH).await;
    bystanders.begin(&mut tasks, &figures, &end);
    attacks::begin(&world, &mut tasks, &figures, &end)?;
    let batch = world.invite(json!({ "import": import })).await;
    tokio::time::sleep(lasting).await;
    end.cancel();
    while tasks.join_next().await.is_some() {}
    let finished = world.finished(batch).await;
    println!("{figures}");
    figures.check(MAX_SIGN_IN)?;
    let sent = finished.pointer("/counts/sent").and_then(serde_json::Value::as_u64);
    figures::require(sent == u64::try_from(BATCH).ok(), || {
        format!("the batch came to {finished}")
    })?;
    let api = world.api.as_ref();
    figures::require(api.is_some_and(|api| api.exit_code().is_none()), || {
        "the API has ended".to_owned()
    })?;
    let memory = api.and_then(harness::program::Program::memory_most).unwrap_or_default();
    println!("API: at most {} MiB of memory", memory / 1024 / 1024);
    figures::require(memory < MAX_MEMORY, || format!("the API took {memory} bytes of memory"))
}

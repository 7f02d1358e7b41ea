//! `make demo`: the whole system on one machine, in one command.
//!
//! The demo is a normal caller: it imports users, sends, and reads the ledger through the public API. Only the mail
//! server is its own, one that keeps what it receives and refuses some of it. The demo shows what happens and checks
//! it; with `--once` the exit code is the result of the check.

mod api;
mod check;
mod fault;
mod follow;
mod inbox;
mod ledger;
mod mistakes;
mod people;
mod show;
mod stop;
mod system;
mod voice;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use harness::World;

use crate::api::Api;
use crate::check::Complaints;
use crate::fault::{Fault, Result};
use crate::people::Person;
use crate::show::{Member, Show};
use crate::stop::{INTERRUPTED, Stop};
use crate::voice::{Voice, counted, lasting};

const USAGE: &str = "usage: demo [--once]

Runs Beckon on this machine with made-up people, and stays until Ctrl-C.

  --once   ends by itself; exit 0 only if the ledger adds up and every mail was caught";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let is_once = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => false,
        ["--once"] => true,
        ["--help" | "-h"] => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::FAILURE;
        }
    };
    let outcome = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime.block_on(demo(is_once)),
        Err(fault) => Err(Fault::new(
            format!("the system gives it no threads ({fault})"),
            "try again on a machine with less load",
        )),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(Fault::Stopped) => {
            eprintln!("\nStopped before its end. Nothing is left behind.");
            ExitCode::from(INTERRUPTED)
        }
        Err(Fault::Trouble(trouble)) => {
            eprintln!("\n{trouble}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the demo from start to end. Returns whether every check passed.
async fn demo(is_once: bool) -> Result<bool> {
    let stop = Stop::listen()?;
    let mut voice = Voice::new();
    let people = people::people();
    voice.print("Beckon, the whole of it on this machine, with made-up people. No mail leaves it.")?;
    voice.step("Starting a private PostgreSQL and RabbitMQ, a mail catcher, the API and a worker")?;
    let (listener, pages) = inbox::listen().await?;
    let started = Instant::now();
    let start = Box::pin(voice.while_waiting("Starting", system::start(pages)));
    let world = Arc::new(stop.or(async { start.await? }).await?);
    voice.print(&format!("   Ready in {}.", lasting(started.elapsed())))?;
    let api = Api::new(world.base(), world.key());
    let site = inbox::open(listener, &world, &api, &people);
    let show = Show {
        world: &world,
        api: &api,
        people: &people,
        voice: &mut voice,
        complaints: Complaints::default(),
    };
    let mut outcome = stop.or(show.run(&people::sheet(&people))).await;
    if let Ok((member, complaints)) = &outcome {
        outcome = match print_end(&mut voice, complaints, &people) {
            Ok(()) if is_once => outcome,
            Ok(()) => match stay(&mut voice, &world, &api, &format!("http://{pages}"), member, &stop).await {
                Ok(()) => outcome,
                Err(fault) => Err(fault),
            },
            Err(fault) => Err(fault),
        };
    }
    site.close().await;
    let ended = system::end(world, &mut voice).await;
    let (_, complaints) = outcome?;
    ended.map(|()| complaints.list().is_empty())
}

fn print_end(voice: &mut Voice, complaints: &Complaints, people: &[Person]) -> Result<()> {
    voice.step("Checking the ledger against the mail catcher")?;
    if complaints.list().is_empty() {
        let line = format!(
            "All checks passed: the ledger adds up, and none of the {} people was forgotten.",
            counted(people.len())
        );
        return voice.lines(&[line]);
    }
    voice.lines(&["Something is wrong:".to_owned()])?;
    let lines: Vec<String> = complaints
        .list()
        .iter()
        .take(20)
        .map(|line| format!("- {line}"))
        .collect();
    voice.lines(&lines)
}

/// Lists what there is to look at, and waits for Ctrl-C.
async fn stay(voice: &mut Voice, world: &World, api: &Api, pages: &str, member: &Member, stop: &Stop) -> Result<()> {
    let base = api.base();
    let administrator = world.administrator().await;
    voice.print("")?;
    voice.print("Have a look around:")?;
    voice.lines(&[
        format!("Console        {base}/"),
        format!(
            "               as {} with {}",
            administrator.email, administrator.password
        ),
        format!("Caught mails   {pages}/"),
        format!("Sign-in page   {pages}/sign-in"),
        format!("               as {} with {}", member.email, member.password),
        format!("API            {base}   documented at {base}/docs"),
        format!("API key        {}", api.key()),
        format!(
            "For example    curl -H 'Authorization: Bearer {}' {base}/v1/batches",
            api.key()
        ),
    ])?;
    voice.print("")?;
    voice.print("Ctrl-C ends everything.")?;
    stop.asked().await;
    Ok(())
}

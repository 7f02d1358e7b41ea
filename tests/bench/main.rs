//! The load generator and its measurements.
//!
//! Each run has its own servers, configured for full durability (`Stack::start_durable`), one API process and one
//! worker with default settings, and our own relay, inside this process, as a sink that only counts. Only the sizes are
//! chosen here: everything printed was measured in this run, on this machine, and is shown beside the goals of Beckon's
//! design.
//!
//! ```text
//! bench [--quick] [--runs N] [--only import,idle,invites,behind,passwords] [--peers FOLDER] [--json FILE]
//! bench --compare BEFORE AFTER
//! ```

mod api;
mod catalog;
mod counts;
mod figures;
mod history;
mod machine;
mod measures;
mod number;
mod options;
mod peers;
mod people;
mod process;
mod report;
mod saved;
mod scene;

use std::path::Path;
use std::process::ExitCode;

use figures::Figures;
use harness::Result;
use machine::Machine;
use options::{Asked, Options};
use peers::Peers;
use report::Report;
use saved::Saved;
use scene::Scene;

#[tokio::main]
async fn main() -> ExitCode {
    let done = match options::read(std::env::args().skip(1)) {
        Ok(Asked::Measure(options)) => measure_and_report(&options).await,
        Ok(Asked::Compare(before, after)) => compare(&before, &after),
        Ok(Asked::Help) => Ok(format!("{}\n", options::HELP)),
        Err(fault) => {
            eprintln!("bench: {fault}\n\n{}", options::HELP);
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(text) => print!("{text}"),
        Err(fault) => {
            eprintln!("bench: {fault}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

async fn measure_and_report(options: &Options) -> Result<String> {
    let report = measure(options).await?;
    if let Some(file) = &options.json {
        Saved::of(&report).write(file)?;
    }
    Ok(if options.markdown {
        report.markdown()
    } else {
        report.text()
    })
}

fn compare(before: &Path, after: &Path) -> Result<String> {
    Ok(Saved::read(before)?.beside(&Saved::read(after)?))
}

/// All runs, one after the other.
async fn measure(options: &Options) -> Result<Report> {
    let mut figures = Figures::default();
    let mut machine = Machine::look()?;
    let peers = match &options.peers {
        Some(folder) => Some(Peers::start(folder).await?),
        None => None,
    };
    for run in 1..=options.runs {
        eprintln!(
            "Run {run} of {}: starting Postgres, RabbitMQ, API and worker",
            options.runs
        );
        let mut scene = Scene::start(options).await?;
        machine.add_servers(&scene).await?;
        if options.history > 0 {
            eprintln!("  a history of {} mails", options.history);
            history::write(&scene.world, options.history, &mut figures).await?;
        }
        measures::all(&mut scene, options, &mut figures).await?;
        drop(scene);
        if let (Some(peers), Some(ours)) = (&peers, measures::invites::ours(&figures)) {
            eprintln!("  the floor and the best peer");
            peers.measure(options.recipients, ours, &mut figures).await?;
        }
    }
    Ok(Report {
        machine,
        options: options.clone(),
        figures,
    })
}

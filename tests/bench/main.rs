//! The load generator, and what it measures.
//!
//! Each run has servers of its own, set up to keep every promise (`Stack::start_durable`), one API
//! process and one worker as shipped, and our own relay, inside this process, as a sink that only
//! counts. Nothing but the sizes is chosen here: what is printed was measured in this run, on
//! this machine, beside the goals of Beckon's design.
//!
//! ```text
//! bench [--quick] [--runs N] [--only import,idle,invites,behind,passwords] [--history N] [--markdown]
//! ```

mod api;
mod catalog;
mod figures;
mod history;
mod machine;
mod measures;
mod number;
mod options;
mod people;
mod process;
mod report;
mod scene;

use std::process::ExitCode;

use figures::Figures;
use harness::Result;
use machine::Machine;
use options::{Asked, Options};
use report::Report;
use scene::Scene;

#[tokio::main]
async fn main() -> ExitCode {
    let options = match options::read(std::env::args().skip(1)) {
        Ok(Asked::Measure(options)) => options,
        Ok(Asked::Help) => {
            println!("{}", options::HELP);
            return ExitCode::SUCCESS;
        }
        Err(fault) => {
            eprintln!("bench: {fault}\n\n{}", options::HELP);
            return ExitCode::from(2);
        }
    };
    match measure(&options).await {
        Ok(report) if options.markdown => print!("{}", report.markdown()),
        Ok(report) => print!("{}", report.text()),
        Err(fault) => {
            eprintln!("bench: {fault}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// All runs, one after the other.
async fn measure(options: &Options) -> Result<Report> {
    let mut figures = Figures::default();
    let mut machine = Machine::look()?;
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
    }
    Ok(Report {
        machine,
        options: options.clone(),
        figures,
    })
}

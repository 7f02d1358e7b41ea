//! The endurance test: steady load, one fault after the other drawn from a seed, and once a minute the promises
//! compared with the relay's log.
//!
//! Everything is real and each part is a process of its own: Postgres, RabbitMQ, one API, two workers, with a fault
//! proxy on every connection between them. A round lasts about a minute: faults while users are imported, invited and
//! mailed passwords, then quiet until nothing is owed, then the check. The first broken promise ends the run and prints
//! how to reproduce the faults of its round.
//!
//! ```text
//! soak [--minutes N] [--seed N] [--skip N]
//! ```

mod fault;
mod figures;
mod load;
mod options;
mod round;
mod scene;

use std::process::ExitCode;
use std::time::Instant;

use fault::Faults;
use figures::Figures;
use options::{Asked, Options};
use scene::Scene;

#[tokio::main]
async fn main() -> ExitCode {
    let options = match options::read(std::env::args().skip(1)) {
        Ok(Asked::Run(options)) => options,
        Ok(Asked::Help) => {
            println!("{}", options::HELP);
            return ExitCode::SUCCESS;
        }
        Err(fault) => {
            eprintln!("soak: {fault}\n\n{}", options::HELP);
            return ExitCode::from(2);
        }
    };
    match endure(&options).await {
        Ok(figures) => {
            println!("{figures}");
            ExitCode::SUCCESS
        }
        Err(fault) => {
            eprintln!("soak: {fault}");
            ExitCode::FAILURE
        }
    }
}

async fn endure(options: &Options) -> harness::Result<Figures> {
    println!("Seed {}, {} minutes", options.seed, options.minutes.as_secs() / 60);
    let mut faults = Faults::of_seed(options.seed, options.skip)?;
    let mut scene = Scene::start().await?;
    let mut figures = Figures::default();
    let began = Instant::now();
    for round in 1.. {
        let before = faults.drawn;
        if let Err(fault) = round::run(&mut scene, round, &mut faults, &mut figures).await {
            eprintln!(
                "The faults of this round again: --seed {} --skip {before}",
                options.seed
            );
            return Err(fault);
        }
        println!("{}", figures.line(round, began.elapsed()));
        if began.elapsed() >= options.minutes {
            break;
        }
    }
    Ok(figures)
}

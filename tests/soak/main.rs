//! The endurance test: steady load, one fault after the other drawn from a seed, and once a minute the promises
//! compared with the relay's log.
//!
//! Everything is real and each part is a process of its own: Postgres, RabbitMQ, one API, two workers, with a fault
//! proxy on every connection between them. A round lasts about a minute: faults while users are imported, invited and
//! mailed passwords, then quiet until nothing is owed, then the check. The first broken promise ends the run and prints
//! the seed that reproduces the faults.
//!
//! ```text
//! soak [--minutes N] [--seed N]
//! ```

mod fault;
mod figures;
mod load;
mod options;
mod round;
mod scene;

use std::process::ExitCode;
use std::time::Instant;

use options::{Asked, Options};
use rand::SeedableRng as _;
use rand::rngs::SmallRng;

use figures::Figures;
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
            eprintln!("soak: {fault}\nThe same faults again: --seed {}", options.seed);
            ExitCode::FAILURE
        }
    }
}

async fn endure(options: &Options) -> harness::Result<Figures> {
    println!("Seed {}, {} minutes", options.seed, options.minutes.as_secs() / 60);
    let mut random = SmallRng::seed_from_u64(options.seed);
    let mut scene = Scene::start().await?;
    let mut figures = Figures::default();
    let began = Instant::now();
    for round in 1.. {
        round::run(&mut scene, round, &mut random, &mut figures).await?;
        println!("{}", figures.line(round, began.elapsed()));
        if began.elapsed() >= options.minutes {
            break;
        }
    }
    Ok(figures)
}

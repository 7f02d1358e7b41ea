//! The endurance run: steady load, one fault after the other drawn from a seed, and once a minute the
//! promises compared with what the relay saw.
//!
//! Everything is real and each part a process of its own: Postgres, RabbitMQ, one API, two workers,
//! with a fault proxy on every line between them. A round lasts about a minute: faults while people
//! are imported, invited and given passwords, then quiet until nothing is owed, then the check. The
//! first promise that is broken ends the run, with the seed that brings the same faults again.
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

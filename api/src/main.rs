//! The `beckon-api` program.

use api::StartError;
use api::config::{Args, Command, Settings};
use clap::Parser as _;
use shared::config::{EXIT_CONFIG, Faults};
use shared::lifecycle::Lifecycle;
use shared::{healthcheck::healthcheck, memory, telemetry};
use std::process::ExitCode;
mod allocator;

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    if args.command == Some(Command::Healthcheck) {
        return healthcheck("BECKON_PROBES_LISTEN", &args.api.beckon_probes_listen).await;
    }
    let mut faults = Faults::default();
    let logging = args.logging(&mut faults);
    let settings = args.settings(&mut faults);
    let (logging, settings) = match faults.into_result(logging.zip(settings)) {
        Ok(settings) => settings,
        Err(faults) => {
            eprintln!("{faults}");
            return ExitCode::from(EXIT_CONFIG);
        }
    };
    if let Err(fault) = telemetry::start(logging) {
        eprintln!("could not start logging: {fault}");
    }
    memory::disable_coredumps();
    let database = settings.database.clone();
    match execute(args.command.unwrap_or(Command::Serve), settings).await {
        Ok(code) => code,
        Err(fault) => {
            let fault = fault.explained(&database).await;
            tracing::error!("{fault}");
            ExitCode::from(fault.exit_code())
        }
    }
}

async fn execute(command: Command, settings: Settings) -> Result<ExitCode, StartError> {
    match command {
        Command::Serve => {
            let lifecycle = Lifecycle::new();
            let listening = lifecycle.listen_to_signals();
            listening.map_err(|fault| StartError::System("listen for signals", fault))?;
            let finished = Box::pin(api::run(settings, lifecycle)).await?;
            return Ok(ExitCode::from(u8::from(!finished)));
        }
        Command::Migrate => api::migrate(&settings.database).await?,
        Command::Healthcheck => {} // Answered before any setting is read.
        Command::CheckConfig(check) => return Ok(api::check_config(&settings, check).await),
        Command::AddAdministrator(admission) => api::administrators::admit(&settings, admission).await?,
        Command::Failover(step) => println!("{}", api::failover::take(step, &settings).await?),
        Command::CreateKey(key) => println!("{}", api::create_key(&settings, key).await?),
    }
    Ok(ExitCode::SUCCESS)
}

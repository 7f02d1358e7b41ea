//! `beckon-worker`: runs a worker, checks its settings, or checks a running worker.

use clap::Parser as _;
use shared::config::{EXIT_CONFIG, Faults};
use shared::healthcheck::healthcheck;
use shared::lifecycle::Lifecycle;
use shared::{memory, telemetry};
use std::process::ExitCode;
use tracing::error;
use worker::config::{Args, Command};

mod allocator;

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    if args.command == Some(Command::Healthcheck) {
        return healthcheck("BECKON_PROBES_LISTEN", &args.worker.beckon_probes_listen).await;
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
    // With two TLS providers in one process rustls would panic. This selects one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    if let Some(Command::CheckConfig(check)) = args.command {
        if check.connect {
            return worker::check_connections(settings).await.report();
        }
        println!("The settings are valid.");
        return ExitCode::SUCCESS;
    }
    let lifecycle = Lifecycle::new();
    if let Err(fault) = telemetry::start(logging) {
        eprintln!("could not start logging: {fault}");
    }
    memory::disable_coredumps();
    if let Err(fault) = lifecycle.listen_to_signals() {
        error!(error = %fault, "Could not listen for signals");
        return ExitCode::FAILURE;
    }
    match worker::run(settings, lifecycle).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(fault) => {
            error!(error = ?fault, "Could not start: {fault}");
            ExitCode::from(fault.exit_code())
        }
    }
}

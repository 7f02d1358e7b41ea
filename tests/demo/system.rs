//! The whole system for the demo: started, watched, and shut down in order.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use harness::program::Program;
use harness::stack::Stack;
use harness::{Setup, World};
use nix::sys::signal::Signal;

use crate::fault::{Fault, Result};
use crate::voice::Voice;

/// How long a program may take to shut down: its grace period and a margin.
const FAREWELL: Duration = Duration::from_secs(25);

/// Lines of each log that an error quotes.
const TAIL_LINES: usize = 12;

/// Twice the size of the servers' files (50), and the 50 below which `RabbitMQ` blocks publishers.
const ROOM_MIB: u128 = 150;

/// Starts servers, relay, API and a worker whose mails link to the demo's own sign-in page.
pub(crate) async fn start(pages: SocketAddr) -> Result<World> {
    check_room()?;
    let attempt = "could not start the private PostgreSQL and RabbitMQ";
    let stack = Stack::start()
        .await
        .map_err(|fault| Fault::of_harness(attempt, &fault))?;
    if let Some(folder) = stack.folder() {
        // The programs' files are also placed where the servers' supervisor removes them, even when this process is
        // killed. It fails only if already set, which changes nothing.
        let _ = tempfile::env::override_temp_dir(folder);
    }
    let sign_in_url = format!("http://{pages}/sign-in");
    let setup = Setup::default()
        .own_stack()
        .api_setting("BECKON_SIGN_IN_URL", &sign_in_url)
        .worker_setting("BECKON_SIGN_IN_URL", &sign_in_url)
        .worker_setting("BECKON_RETRY_FIRST", "2s");
    World::on_stack(stack, setup)
        .await
        .map_err(|fault| Fault::of_harness("could not start the API and the worker", &fault))
}

/// Fails if the disk is too full: servers then stop working in ways that are hard to diagnose.
fn check_room() -> Result<()> {
    let place = std::env::temp_dir();
    let Ok(disk) = nix::sys::statvfs::statvfs(&place) else {
        return Ok(());
    };
    let free = u128::from(disk.blocks_available()) * u128::from(disk.fragment_size()) / (1024 * 1024);
    if free >= ROOM_MIB {
        return Ok(());
    }
    Err(Fault::new(
        format!("{} has {free} MiB free, and the demo needs {ROOM_MIB}", place.display()),
        "make room there, or name a folder with more room in the variable TMPDIR",
    ))
}

/// Fails if the API or a worker has ended by itself.
pub(crate) fn check_programs(world: &World) -> Result<()> {
    for program in programs(world) {
        if let Some(code) = program.exit_code() {
            let what = format!("one of Beckon's programs ended with exit code {code}");
            return Err(Fault::new(what, "please report it with the end of its log below").seen(tail(program)));
        }
    }
    Ok(())
}

/// The end of all logs, for an error whose reason may be there.
pub(crate) fn log_tails(world: &World) -> String {
    programs(world).map(tail).collect::<Vec<_>>().join("\n")
}

/// The end of its log, without answers to the demo's own requests.
fn tail(program: &Program) -> String {
    let log = program.log();
    let written: Vec<&str> = log
        .lines()
        .filter(|line| !line.contains("Answered a request"))
        .collect();
    let first = written.len().saturating_sub(TAIL_LINES);
    written.get(first..).unwrap_or_default().join("\n")
}

/// Shuts down worker and API as an operator would, then the servers, and removes the folder.
pub(crate) async fn end(world: Arc<World>, voice: &mut Voice) -> Result<()> {
    voice.print("")?;
    voice.print("Ending the worker, the API and the servers (Ctrl-C again ends at once) …")?;
    let mut in_good_order = true;
    for program in programs(&world) {
        program.signal(Signal::SIGTERM);
        in_good_order &= program.ended(FAREWELL).await.is_ok_and(|code| code == 0);
    }
    let folder = world.stack().folder().map(std::path::Path::to_path_buf);
    world.db.close().await;
    // The last owner: dropping the world ends what it holds, servers last.
    drop(world);
    let left = folder.filter(|folder| folder.exists());
    match (left, in_good_order) {
        (Some(folder), _) => Err(Fault::new(
            format!("the folder {} could not be removed", folder.display()),
            "remove it by hand",
        )),
        (None, true) => voice.print("Ended in good order. No process and no folder is left behind."),
        (None, false) => {
            voice.print("Ended; a program had to be killed, for it did not stop in good order. Nothing is left behind.")
        }
    }
}

/// The worker first, so that it can still report the outcomes of its mails.
fn programs(world: &World) -> impl Iterator<Item = &Program> {
    world.workers.iter().chain(&world.api)
}

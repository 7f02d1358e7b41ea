//! The faults, how each starts and how it ends.

use std::time::Duration;

use harness::relay::Mode;
use harness::stack::Stop;
use harness::{HarnessError, Result};
use nix::sys::signal::Signal;
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};

use crate::scene::{Line, Scene};

/// A fault.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// `kill -9` of a worker.
    WorkerDies,
    /// A worker shuts down in an orderly way, as in a rollout.
    WorkerStops,
    /// A worker is frozen for longer than its leases.
    WorkerStalls,
    /// `kill -9` of the API.
    ApiDies,
    /// The API shuts down in an orderly way.
    ApiStops,
    /// The broker restarts.
    BrokerRestarts(Stop),
    /// The broker loses everything.
    BrokerWiped,
    /// The broker blocks publishers.
    BrokerAlarm,
    /// Postgres restarts.
    DatabaseRestarts(Stop),
    /// Postgres is read-only.
    DatabaseReadOnly,
    /// A connection between two processes is faulty.
    LineIs(Line, Bad),
    /// The relay is in this mode.
    RelayIs(Mode),
    /// The relay refuses connections.
    RelayAway,
    /// The relay closes all connections at once.
    RelayHangsUp,
}

/// How a connection can be faulty.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bad {
    /// Cut, and cannot be re-established.
    Cut,
    /// Silently drops everything.
    Stalled,
    /// Requests arrive, but their answers do not.
    Deaf,
    /// Everything takes this long.
    Slow(Duration),
    /// Reset once.
    Reset,
    /// Everything arrives in tiny pieces.
    Sliced,
    /// Ends after this many bytes.
    Short(usize),
}

impl Bad {
    const ALL: [Self; 7] = [
        Self::Cut,
        Self::Stalled,
        Self::Deaf,
        Self::Slow(Duration::from_millis(150)),
        Self::Reset,
        Self::Sliced,
        Self::Short(20_000),
    ];
}

/// Range of a fault's duration in seconds; the longest outlasts a stalled worker's lease.
const LASTS: std::ops::Range<f64> = 0.5..8.0;

/// The faults of a seed, one after the other.
pub(crate) struct Faults {
    random: SmallRng,
    /// Number of faults drawn.
    pub(crate) drawn: u64,
}

/// A fault with its duration, and the pause after it.
pub(crate) struct Drawn {
    pub(crate) fault: Fault,
    pub(crate) lasts: Duration,
    pub(crate) pause: Duration,
}

impl Faults {
    /// The faults of a seed after the first `skip`.
    ///
    /// # Errors
    ///
    /// There is no fault to draw.
    pub(crate) fn of_seed(seed: u64, skip: u64) -> Result<Self> {
        let random = SmallRng::seed_from_u64(seed);
        let mut faults = Self { random, drawn: 0 };
        for _ in 0..skip {
            faults.draw()?;
        }
        Ok(faults)
    }

    /// The next one.
    ///
    /// # Errors
    ///
    /// There is no fault to draw.
    pub(crate) fn draw(&mut self) -> Result<Drawn> {
        self.drawn += 1;
        let fault = Fault::draw(&mut self.random)?;
        let mut seconds = || self.random.random_range(LASTS);
        let lasts = Duration::from_secs_f64(seconds());
        let pause = Duration::from_secs_f64(seconds() / 4.0);
        Ok(Drawn { fault, lasts, pause })
    }
}

impl Fault {
    /// Every possible fault.
    pub(crate) fn all() -> Vec<Self> {
        let mut all = vec![
            Self::WorkerDies,
            Self::WorkerStops,
            Self::WorkerStalls,
            Self::ApiDies,
            Self::ApiStops,
            Self::BrokerRestarts(Stop::Graceful),
            Self::BrokerRestarts(Stop::Kill),
            Self::BrokerWiped,
            Self::BrokerAlarm,
            Self::DatabaseRestarts(Stop::Graceful),
            Self::DatabaseRestarts(Stop::Kill),
            Self::DatabaseReadOnly,
            Self::RelayIs(Mode::NeverGreets),
            Self::RelayIs(Mode::Greets("554 5.7.1 no service".into())),
            Self::RelayIs(Mode::RefusesSender),
            Self::RelayIs(Mode::Busy),
            Self::RelayAway,
            Self::RelayHangsUp,
        ];
        all.extend(
            Line::ALL
                .iter()
                .flat_map(|line| Bad::ALL.map(|bad| Self::LineIs(*line, bad))),
        );
        all
    }

    /// Draws one of them at random.
    fn draw(random: &mut SmallRng) -> Result<Self> {
        let all = Self::all();
        // Weighted towards deaths, which are most frequent where machines come and go.
        let often = [Self::WorkerDies, Self::WorkerDies, Self::WorkerDies, Self::ApiDies];
        let drawn = all.iter().chain(&often).cloned().collect::<Vec<_>>();
        let drawn = drawn.choose(random).cloned();
        drawn.ok_or_else(|| HarnessError::new("there is no fault to draw"))
    }

    /// Starts the fault.
    ///
    /// # Errors
    ///
    /// When it cannot be started.
    pub(crate) async fn begin(&self, scene: &mut Scene) -> Result<()> {
        let world = &mut scene.world;
        match self {
            Self::WorkerDies => world.kill_worker(0).await,
            Self::WorkerStops => drop(world.stop_worker(0).await),
            Self::WorkerStalls => world
                .workers
                .iter()
                .take(1)
                .for_each(|worker| worker.signal(Signal::SIGSTOP)),
            Self::ApiDies => world.kill_api().await,
            Self::ApiStops => drop(world.stop_api().await),
            Self::BrokerRestarts(how) => world.stack().restart_broker(*how).await?,
            Self::BrokerWiped => world.stack().wipe_broker().await?,
            Self::BrokerAlarm => world.stack().broker_alarm(true).await?,
            Self::DatabaseRestarts(how) => world.stack().restart_postgres(*how).await?,
            Self::DatabaseReadOnly => read_only(scene, "alter system set default_transaction_read_only = on").await?,
            Self::LineIs(line, bad) => worsen(scene, *line, *bad).await,
            Self::RelayIs(mode) => world.relay.set_mode(mode.clone()),
            Self::RelayAway => {
                world.relay.pause_listening().await;
                world.relay.hang_up();
            }
            Self::RelayHangsUp => world.relay.hang_up(),
        }
        Ok(())
    }

    /// Ends the fault.
    ///
    /// # Errors
    ///
    /// When it cannot be ended, or a program does not start again.
    pub(crate) async fn end(&self, scene: &mut Scene) -> Result<()> {
        let world = &mut scene.world;
        match self {
            Self::WorkerDies | Self::WorkerStops | Self::ApiDies | Self::ApiStops => scene.complete().await?,
            Self::WorkerStalls => world.workers.iter().for_each(|worker| worker.signal(Signal::SIGCONT)),
            Self::BrokerAlarm => world.stack().broker_alarm(false).await?,
            Self::DatabaseReadOnly => read_only(scene, "alter system reset default_transaction_read_only").await?,
            Self::LineIs(line, _) => {
                if let Some(proxy) = scene.proxy(*line) {
                    proxy.restore().await?;
                }
            }
            Self::RelayIs(_) => world.relay.set_mode(Mode::Normal),
            Self::RelayAway => world.relay.resume_listening().await?,
            Self::BrokerRestarts(_) | Self::BrokerWiped | Self::DatabaseRestarts(_) | Self::RelayHangsUp => {}
        }
        Ok(())
    }
}

async fn worsen(scene: &Scene, line: Line, bad: Bad) {
    let Some(proxy) = scene.proxy(line) else { return };
    match bad {
        Bad::Cut => proxy.cut().await,
        Bad::Stalled => proxy.stall(),
        Bad::Deaf => proxy.stall_replies(),
        Bad::Slow(latency) => proxy.latency(latency),
        Bad::Reset => proxy.reset(),
        Bad::Sliced => proxy.slice(40),
        Bad::Short(bytes) => proxy.limit(bytes),
    }
}

async fn read_only(scene: &Scene, statement: &'static str) -> Result<()> {
    for statement in [statement, "select pg_reload_conf()"] {
        let done = sqlx::raw_sql(statement).execute(&scene.world.db).await;
        done.map_err(|fault| HarnessError::because("could not change Postgres' settings", fault))?;
    }
    Ok(())
}

//! The servers and programs of one run, and the resources they use.

use std::path::Path;
use std::time::Duration;

use harness::program::Program;
use harness::relay::{Keep, Script};
use harness::stack::Stack;
use harness::{HarnessError, Result, Setup, World};

use crate::options::Options;
use crate::process;

/// Defaults that the harness overrides for tests: tests need a short lease to avoid waiting, and few connections,
/// because many tests share a Postgres.
const AS_SHIPPED: [(&str, &str); 2] = [("BECKON_LEASE", "60s"), ("BECKON_DATABASE_CONNECTIONS", "10")];

/// Timeout of one API call; an import of a million rows takes long.
const ANSWER: Duration = Duration::from_mins(10);

/// A running system with everything it depends on.
pub(crate) struct Scene {
    /// The system.
    pub(crate) world: World,
    /// The client for its API.
    pub(crate) http: reqwest::Client,
    /// Its processes.
    pub(crate) processes: Processes,
}

/// Process ids.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Processes {
    /// The API.
    pub(crate) api: u32,
    /// The worker.
    pub(crate) worker: u32,
    postgres: u32,
    broker: u32,
}

/// Processor seconds, since each process's start or between two moments.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cpu {
    /// The API.
    pub(crate) api: f64,
    /// The worker.
    pub(crate) worker: f64,
    /// All of Postgres's processes.
    pub(crate) postgres: f64,
    /// The Erlang VM.
    pub(crate) broker: f64,
    /// This process: relay and load generator.
    pub(crate) sink: f64,
}

impl Scene {
    /// Starts everything.
    ///
    /// # Errors
    ///
    /// What did not start.
    pub(crate) async fn start(options: &Options) -> Result<Self> {
        let relay = Script {
            keep: Keep::Counts,
            local_parts_speak: false,
            ..Script::default()
        };
        let mut setup = Setup {
            relay,
            ..Setup::default()
        };
        let shipped = AS_SHIPPED.map(|(name, value)| (name.to_owned(), value.to_owned()));
        for (name, value) in shipped.iter().chain(&options.settings) {
            setup = setup.api_setting(name, value).worker_setting(name, value);
        }
        let world = World::on_stack(Stack::start_durable().await?, setup).await?;
        let processes = Processes::of(&world)?;
        let http = reqwest::Client::builder()
            .timeout(ANSWER)
            .build()
            .map_err(|fault| HarnessError::because("could not prepare calls to the API", fault))?;
        Ok(Self { world, http, processes })
    }

    /// The processor time used so far.
    ///
    /// # Errors
    ///
    /// When a process has ended.
    pub(crate) fn cpu(&self) -> Result<Cpu> {
        let Processes {
            api,
            worker,
            postgres,
            broker,
        } = self.processes;
        Ok(Cpu {
            api: process::cpu(api)?,
            worker: process::cpu(worker)?,
            postgres: process::cpu_of_family(postgres)?,
            broker: process::cpu_of_family(broker)?,
            sink: process::cpu(std::process::id())?,
        })
    }
}

impl Processes {
    fn of(world: &World) -> Result<Self> {
        let started = |program: Option<&Program>| {
            program
                .and_then(|program| u32::try_from(program.pid().as_raw()).ok())
                .ok_or_else(|| HarnessError::new("API or worker has not been started"))
        };
        let private = HarnessError::new("the servers are not private");
        let folder: &Path = world.stack().folder().ok_or(private)?;
        Ok(Self {
            api: started(world.api.as_ref())?,
            worker: started(world.workers.first())?,
            postgres: process::noted_in(&folder.join("postgres/postmaster.pid"))?,
            broker: process::noted_in(&folder.join("broker/pid"))?,
        })
    }
}

impl Cpu {
    /// The processor time used since an earlier reading.
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            api: self.api - before.api,
            worker: self.worker - before.worker,
            postgres: self.postgres - before.postgres,
            broker: self.broker - before.broker,
            sink: self.sink - before.sink,
        }
    }

    /// The total.
    pub(crate) fn sum(self) -> f64 {
        self.api + self.worker + self.postgres + self.broker + self.sink
    }
}

//! The world under test, with a fault proxy on every connection.

use harness::faults::FaultProxy;
use harness::{Result, Setup, World};

/// Number of workers.
pub(crate) const WORKERS: usize = 2;

/// Duration of a claim: short, so that deliveries held by a dead worker are due again within a round.
const LEASE: &str = "5s";

/// Connections between two processes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Line {
    /// The API and Postgres.
    ApiDatabase,
    /// The API and the broker.
    ApiBroker,
    /// The workers and Postgres.
    WorkerDatabase,
    /// The workers and the broker.
    WorkerBroker,
    /// The workers and the relay.
    WorkerRelay,
}

impl Line {
    /// All connections.
    pub(crate) const ALL: [Self; 5] = [
        Self::ApiDatabase,
        Self::ApiBroker,
        Self::WorkerDatabase,
        Self::WorkerBroker,
        Self::WorkerRelay,
    ];
}

/// A world whose programs connect to everything through proxies.
pub(crate) struct Scene {
    pub(crate) world: World,
    proxies: Vec<FaultProxy>,
    api: Vec<(String, String)>,
    worker: Vec<(String, String)>,
}

impl Scene {
    /// Starts servers, proxies and programs.
    ///
    /// # Errors
    ///
    /// When one does not start.
    pub(crate) async fn start() -> Result<Self> {
        let setup = Setup::default().own_stack().workers(0);
        let mut world = World::try_with(setup).await?;
        let (database, broker) = (
            world.setting("DATABASE_URL").to_owned(),
            world.setting("AMQP_URL").to_owned(),
        );
        let relay = format!("smtp://{}?tls=none", world.relay.address());
        let mut proxies = Vec::new();
        for upstream in [&database, &broker, &database, &broker, &relay] {
            proxies.push(FaultProxy::in_front_of(upstream).await?);
        }
        let through = |line: Line, name: &str, direct: &str| -> Result<(String, String)> {
            let url = proxies.get(line as usize).map(|proxy| proxy.url(direct)).transpose()?;
            Ok((name.to_owned(), url.unwrap_or_default()))
        };
        let api = vec![
            through(Line::ApiDatabase, "DATABASE_URL", &database)?,
            through(Line::ApiBroker, "AMQP_URL", &broker)?,
        ];
        let worker = vec![
            through(Line::WorkerDatabase, "DATABASE_URL", &database)?,
            through(Line::WorkerBroker, "AMQP_URL", &broker)?,
            through(Line::WorkerRelay, "SMTP_URL", &relay)?,
            ("BECKON_LEASE".to_owned(), LEASE.to_owned()),
        ];
        world.stop_api().await;
        let mut scene = Self {
            world,
            proxies,
            api,
            worker,
        };
        scene.complete().await?;
        Ok(scene)
    }

    /// The proxy on a connection.
    pub(crate) fn proxy(&self, line: Line) -> Option<&FaultProxy> {
        self.proxies.get(line as usize)
    }

    /// Starts the programs that are not running.
    ///
    /// # Errors
    ///
    /// When one does not start.
    pub(crate) async fn complete(&mut self) -> Result<()> {
        if self.world.api.is_none() {
            self.world.start_api_with(&borrowed(&self.api)).await?;
        }
        while self.world.workers.len() < WORKERS {
            self.world.start_worker_with(&borrowed(&self.worker)).await?;
        }
        Ok(())
    }
}

fn borrowed(settings: &[(String, String)]) -> Vec<(&str, &str)> {
    settings
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect()
}

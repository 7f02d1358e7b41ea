//! A real Prometheus that scrapes a world.
#![expect(
    clippy::indexing_slicing,
    reason = "a JSON value indexed by a name it lacks is null, and null finds nothing"
)]

use std::net::SocketAddr;
use std::path::Path;

use reqwest::{Client, Url};
use serde_json::Value;

use crate::error::{HarnessError, Result};
use crate::installed::path_of;
use crate::ports::Port;
use crate::program::Program;
use crate::world::{PATIENCE, Setup, World};

/// The shipped rules.
const RULES: &str = include_str!("../../deploy/prometheus/rules/beckon.rules.yml");

/// The shipped rules without waiting times and with short ranges, because a test cannot wait ten minutes.
pub fn rules_in_a_hurry() -> String {
    let mut rules = String::new();
    for line in RULES.lines() {
        let waits = ["for: ", "keep_firing_for: "]
            .iter()
            .any(|word| line.trim_start().starts_with(word));
        if !waits {
            rules.push_str(line);
            rules.push('\n');
        }
    }
    for span in ["[5m]", "[10m]", "[15m]", "[30m]", "[1h]", "[6h]"] {
        rules = rules.replace(span, "[10s]");
    }
    rules
}

/// Scrape targets, named like the jobs that rules and dashboards use.
struct Targets {
    /// The API's metrics endpoint.
    api: SocketAddr,
    /// The worker's metrics endpoint.
    worker: Option<SocketAddr>,
    brokers: Vec<SocketAddr>,
}

/// A running Prometheus. Dropping it ends it.
#[derive(Debug)]
pub struct Prometheus {
    program: Program,
    /// The port of the worker's metrics endpoint.
    _worker: Option<Port>,
    base: String,
    http: Client,
}

impl Prometheus {
    /// Starts a world with one worker, and a Prometheus that scrapes all of it and evaluates these rules every second.
    /// `rules` is empty for none.
    ///
    /// # Errors
    ///
    /// When one of them does not start; the text quotes a log.
    pub async fn over_a_world(rules: &str) -> Result<(World, Self)> {
        let worker = Port::claim()?;
        let setup = Setup::default().worker_setting("BECKON_PROBES_LISTEN", &worker.address().to_string());
        // The metrics port of an external broker is unknown.
        let setup = match std::env::var_os("AMQP_URL") {
            Some(_) => setup.own_stack(),
            None => setup,
        };
        let world = World::try_with(setup).await?;
        let unknown = || HarnessError::new("the port of the broker's metrics is unknown");
        let targets = Targets {
            api: world.probes_address(),
            worker: Some(worker.address()),
            brokers: vec![world.stack().broker_figures().ok_or_else(unknown)?],
        };
        let prometheus = Self::start(&world, &targets, Some(worker), rules).await?;
        Ok((world, prometheus))
    }

    /// Starts a Prometheus that scrapes a world's API and these RabbitMQ nodes, with these rules.
    ///
    /// # Errors
    ///
    /// When it does not start.
    pub async fn over_brokers(world: &World, brokers: Vec<SocketAddr>, rules: &str) -> Result<Self> {
        let targets = Targets {
            api: world.probes_address(),
            worker: None,
            brokers,
        };
        Self::start(world, &targets, None, rules).await
    }

    async fn start(world: &World, targets: &Targets, worker: Option<Port>, rules: &str) -> Result<Self> {
        let (program, base) = start(world, targets, rules).await?;
        let http = Client::builder()
            .no_proxy()
            .build()
            .map_err(|fault| HarnessError::because("could not make a client", fault))?;
        Ok(Self {
            program,
            _worker: worker,
            base,
            http,
        })
    }

    /// The current result of a query.
    ///
    /// # Errors
    ///
    /// When Prometheus does not answer or rejects the query.
    pub async fn query(&self, query: &str) -> Result<Vec<Value>> {
        let unheard = |fault| HarnessError::because(self.program.log_tail(), fault);
        let url = Url::parse_with_params(&format!("{}/api/v1/query", self.base), [("query", query)])
            .map_err(|fault| HarnessError::because("could not ask Prometheus", fault))?;
        let mut answer: Value = self
            .http
            .get(url)
            .send()
            .await
            .map_err(unheard)?
            .json()
            .await
            .map_err(unheard)?;
        if answer["status"] != "success" {
            return Err(HarnessError::new(format!("{query}: {}", answer["error"])));
        }
        let found = answer["data"]["result"].take();
        Ok(found.as_array().cloned().unwrap_or_default())
    }

    /// Waits until a query returns a result.
    ///
    /// # Panics
    ///
    /// When it returns none within [`PATIENCE`].
    pub async fn eventually_finds(&self, world: &World, query: &str) -> Vec<Value> {
        let wish = format!("Prometheus to find {query} ({PATIENCE:?})");
        world
            .eventually(&wish, async || {
                let found = self.query(query).await.ok()?;
                (!found.is_empty()).then_some(found)
            })
            .await
    }
}

/// Starts Prometheus and returns it with its base address.
async fn start(world: &World, targets: &Targets, rules: &str) -> Result<(Program, String)> {
    let failed = |fault| HarnessError::because("could not write the settings of Prometheus", fault);
    let folder = world.folder();
    let (settings, own_rules) = (folder.join("prometheus.yml"), folder.join("own.rules.yml"));
    std::fs::write(&own_rules, rules).map_err(failed)?;
    std::fs::write(&settings, config(targets, &own_rules)).map_err(failed)?;
    let address = world.spare_address()?;
    let arguments = [
        format!("--config.file={}", settings.display()),
        format!("--storage.tsdb.path={}", folder.join("prometheus").display()),
        format!("--web.listen-address={address}"),
    ];
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let path = path_of("PROMETHEUS").await?;
    let program = Program::start_at(&path, folder, "prometheus", &arguments, &[]).await?;
    Ok((program, format!("http://{address}")))
}

/// Its configuration: that of `deploy/prometheus/prometheus.yml` with an interval of 1 s instead of 15 s. Several nodes
/// of RabbitMQ on one machine may take longer than that to answer, and have 5 s.
fn config(targets: &Targets, rules: &Path) -> String {
    let rules = rules.display();
    let list = |targets: &[SocketAddr]| {
        let quoted: Vec<String> = targets.iter().map(|target| format!("'{target}'")).collect();
        format!("static_configs: [{{ targets: [{}] }}]", quoted.join(", "))
    };
    let (api, worker) = (list(&[targets.api]), list(targets.worker.as_slice()));
    let pace = if targets.brokers.len() > 1 {
        "scrape_interval: 5s\n  scrape_timeout: 5s\n  "
    } else {
        ""
    };
    let brokers = format!("{pace}{}", list(&targets.brokers));
    format!(
        "global:\n  scrape_interval: 1s\n  scrape_timeout: 1s\n  evaluation_interval: 1s\n\
         rule_files: ['{rules}']\n\
         scrape_configs:\n\
         - job_name: beckon-api\n  {api}\n\
         - job_name: beckon-worker\n  {worker}\n\
         - job_name: rabbitmq\n  {brokers}\n\
         - job_name: rabbitmq-queues\n  metrics_path: /metrics/detailed\n  \
           params: {{ family: [queue_coarse_metrics, queue_consumer_count, ra_metrics] }}\n  \
           {brokers}\n"
    )
}

//! The stack's broker: virtual hosts, stopping and starting it, and its alarms.
//!
//! Virtual hosts are created through the management plugin in 20 ms each, while `rabbitmqctl` takes 450 ms to start an
//! Erlang machine. The plugin adds nothing measurable to the start of the broker.

use std::net::SocketAddr;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use reqwest::{Client, Method, StatusCode};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{PULSE, Ports, Server, Stack, Stop};
use crate::error::{HarnessError, Result};

/// Settings of a broker for tests: small files.
pub(super) const FAST: &[&str] = &["raft.wal_max_size_bytes = 64000000"];
/// Settings of a broker for measurements: the defaults.
pub(super) const DURABLE: &[&str] = &[];

/// The shipped policies.
pub const SHIPPED_POLICIES: &str = include_str!("../../../deploy/rabbitmq/definitions.json");
/// The shipped configuration of the broker.
pub(crate) const SHIPPED_CONFIGURATION: &str = include_str!("../../../deploy/rabbitmq/rabbitmq.conf");

/// Memory above which the broker blocks publishers: more than it needs, less than the machine has.
const MEMORY: &str = "1GB";
/// Free disk space below which it blocks publishers.
const DISK: &str = "50MB";
/// The first bytes a client sends. A broker that is up answers with a method frame, type 1.
const PROTOCOL_HEADER: &[u8] = b"AMQP\0\0\x09\x01";
/// Makes the broker write the names of its quorum queues to disk.
const SAVE_NAMES: &str = "eval {ok,Names}=ra_system:lookup_name(quorum_queues,directory_rev),dets:sync(Names).";
/// Timeout for a request to the broker.
const ANSWER: Duration = Duration::from_mins(1);

impl Stack {
    /// Creates a virtual host with the shipped policies and returns its URL.
    ///
    /// With `AMQP_URL` none can be created: that URL is returned, and worlds use it in turn.
    pub async fn create_vhost(&self, name: &str) -> Result<String> {
        let Some(own) = &self.own else {
            return Ok(self.amqp_url.clone());
        };
        self.make_vhost(name).await?;
        own.vhosts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(name.to_owned());
        Ok(format!("amqp://guest:guest@{}/{name}", own.ports.amqp.address()))
    }

    /// Deletes a virtual host with all its queues, but not the one of `AMQP_URL`.
    pub async fn delete_vhost(&self, name: &str) -> Result<()> {
        let Some(own) = &self.own else { return Ok(()) };
        own.vhosts.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
        let status = self.manage(Method::DELETE, &format!("vhosts/{name}"), None).await?;
        if status == StatusCode::NOT_FOUND {
            return Ok(());
        }
        accepted(status, &format!("could not delete virtual host {name}"))
    }

    /// Sets a policy for queues of a virtual host.
    ///
    /// `policy` is the body for the management API: `pattern`, `definition`, `apply-to`, `priority`. A queue follows
    /// only the policy with the highest priority; that of the shipped one is 10. Wiping the broker removes it.
    pub async fn put_policy(&self, vhost: &str, name: &str, policy: &Value) -> Result<()> {
        let path = format!("policies/{vhost}/{name}");
        let status = self.manage(Method::PUT, &path, Some(policy)).await?;
        accepted(status, &format!("could not lay policy {name} over {vhost}"))
    }

    /// The address of the private broker's management API.
    ///
    /// It has no message counts, because collecting them would slow down the bench. A passive declare returns them.
    pub fn management_url(&self) -> Option<String> {
        let address = self.own.as_ref()?.ports.management.address();
        Some(format!("http://{address}/api"))
    }

    /// The address of the private broker's metrics.
    pub fn broker_figures(&self) -> Option<SocketAddr> {
        Some(self.own.as_ref()?.ports.figures.address())
    }

    /// Stops the private broker. Until it is started again, connections are refused.
    ///
    /// Before a crash the broker writes its queues to disk. Otherwise RabbitMQ 3.10.8, killed a second after a queue
    /// was created, had no leader for that queue for at least a minute after its start, in three runs of several
    /// hundred. A separate journey tests Beckon with such a queue.
    pub async fn stop_broker(&self, how: Stop) -> Result<()> {
        let signal = match how {
            Stop::Graceful => "TERM",
            Stop::Kill => {
                self.broker_ctl(SAVE_NAMES).await?;
                "KILL"
            }
        };
        self.stop_server(Server::Broker, signal).await
    }

    /// Starts the private broker on its ports and waits until it accepts connections.
    pub async fn start_broker(&self) -> Result<()> {
        let Ports { amqp, management, .. } = &self.own()?.ports;
        let (amqp, management) = (amqp.address(), management.address());
        self.start_server(Server::Broker, || async move {
            greets(amqp).await && TcpStream::connect(management).await.is_ok()
        })
        .await
    }

    /// Restarts the private broker with everything it had stored.
    ///
    /// Affects all users of the stack.
    pub async fn restart_broker(&self, how: Stop) -> Result<()> {
        self.stop_broker(how).await?;
        self.start_broker().await
    }

    /// Deletes everything in the private broker: queues, messages, policies.
    ///
    /// The virtual hosts of this stack are created again, empty and with the shipped policies.
    pub async fn wipe_broker(&self) -> Result<()> {
        let own = self.own()?;
        self.stop_server(Server::Broker, "KILL").await?;
        own.supervisor.ask("wipe").await?;
        self.start_broker().await?;
        let vhosts = own.vhosts.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for name in vhosts {
            self.make_vhost(&name).await?;
        }
        Ok(())
    }

    /// Sets or clears the private broker's memory alarm, during which it blocks all publishers.
    ///
    /// Returns once the broker reports it.
    pub async fn broker_alarm(&self, on: bool) -> Result<()> {
        let limit = if on { "1024" } else { MEMORY };
        self.broker_ctl(&format!("set_vm_memory_high_watermark absolute {limit}"))
            .await?;
        self.until_alarm(on).await
    }

    /// Sets or clears the private broker's disk alarm, which also blocks all publishers.
    pub async fn broker_disk_alarm(&self, on: bool) -> Result<()> {
        let limit = if on { "1000000GB" } else { DISK };
        self.broker_ctl(&format!("set_disk_free_limit {limit}")).await?;
        self.until_alarm(on).await
    }

    /// Waits until the broker reports an alarm, or none.
    async fn until_alarm(&self, on: bool) -> Result<()> {
        let deadline = Instant::now() + ANSWER;
        loop {
            let status = self.manage(Method::GET, "health/checks/alarms", None).await?;
            if status.is_success() != on {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(HarnessError::new(format!(
                    "the broker's alarm did not become {on} within {ANSWER:?}; it answers {status}"
                )));
            }
            tokio::time::sleep(PULSE).await;
        }
    }

    /// Runs `rabbitmqctl` with these arguments for the private broker.
    ///
    /// # Errors
    ///
    /// When it fails; the text quotes its output.
    pub async fn broker_ctl(&self, words: &str) -> Result<()> {
        let own = self.own()?;
        let supervisor = &own.supervisor;
        let _turn = own.rabbitmqctl.lock().await;
        supervisor.ask(format!("ctl {words}")).await?;
        // rabbitmqctl limits its own work to 20 s; starting it may take a few more.
        let deadline = Instant::now() + ANSWER * 2;
        while supervisor.ask("lives ctl").await? == "yes" && Instant::now() < deadline {
            tokio::time::sleep(PULSE).await;
        }
        match supervisor.ask("ctl-exit").await?.as_str() {
            "exit 0" => Ok(()),
            other => {
                let (tail, ended) = (supervisor.log_tail("ctl"), other);
                Err(HarnessError::new(format!(
                    "rabbitmqctl {words} ended with '{ended}'; it wrote:\n{tail}"
                )))
            }
        }
    }

    pub(super) async fn configure_broker(&self, further: &[&str]) -> Result<()> {
        let own = self.own()?;
        let memory = format!("vm_memory_high_watermark.absolute = {MEMORY}");
        let management = format!("management.tcp.port = {}", own.ports.management.number());
        let disk = format!("disk_free_limit.absolute = {DISK}");
        let figures = format!("prometheus.tcp.port = {}", own.ports.figures.number());
        let lines = [
            "log.console = true",
            "log.console.level = warning",
            "log.file = false",
            "management.tcp.ip = 127.0.0.1",
            // Collecting statistics would slow down the bench, and journeys query the queues directly.
            "management_agent.disable_metrics_collector = true",
            "prometheus.tcp.ip = 127.0.0.1",
            &memory,
            &disk,
            &management,
            &figures,
        ];
        let set = |line: &str| line.split('=').next().unwrap_or_default().trim().to_owned();
        let own_settings: Vec<String> = lines.iter().chain(further).copied().map(set).collect();
        // The shipped configuration, except for paths and the size of the machine.
        let shipped = SHIPPED_CONFIGURATION.lines().filter(|line| {
            let setting = set(line);
            let is_elsewhere = setting == "load_definitions" || setting.starts_with("vm_memory_high_watermark");
            !setting.is_empty() && !setting.starts_with('#') && !is_elsewhere && !own_settings.contains(&setting)
        });
        for line in lines.iter().copied().chain(further.iter().copied()).chain(shipped) {
            own.supervisor.ask(format!("configure {line}")).await?;
        }
        Ok(())
    }

    async fn make_vhost(&self, name: &str) -> Result<()> {
        let status = self.manage(Method::PUT, &format!("vhosts/{name}"), None).await?;
        accepted(status, &format!("could not create virtual host {name}"))?;
        let shipped = serde_json::from_str(SHIPPED_POLICIES)
            .map_err(|e| HarnessError::because("could not read deploy/rabbitmq/definitions.json", e))?;
        let status = self
            .manage(Method::POST, &format!("definitions/{name}"), Some(&shipped))
            .await?;
        accepted(
            status,
            &format!("could not import deploy/rabbitmq/definitions.json into {name}"),
        )
    }

    async fn manage(&self, method: Method, path: &str, body: Option<&Value>) -> Result<StatusCode> {
        let Some(url) = self.management_url() else {
            return Err(HarnessError::new("the broker's management API is unknown"));
        };
        let failed = |e| HarnessError::because(format!("could not ask the broker for {path}"), e);
        // A new client for each request: a kept connection would belong to the runtime that opened it.
        let client = Client::builder().no_proxy().timeout(ANSWER).build().map_err(failed)?;
        let mut request = client
            .request(method, format!("{url}/{path}"))
            .basic_auth("guest", Some("guest"))
            .header("content-type", "application/json");
        if let Some(body) = body {
            request = request.json(body);
        }
        Ok(request.send().await.map_err(failed)?.status())
    }
}

fn accepted(status: StatusCode, otherwise: &str) -> Result<()> {
    if status.is_success() {
        return Ok(());
    }
    Err(HarnessError::new(format!("{otherwise}: the broker answered {status}")))
}

/// Whether a broker answers at this address.
pub(crate) async fn greets(address: SocketAddr) -> bool {
    let greeting = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(PROTOCOL_HEADER).await?;
        stream.read_u8().await
    };
    matches!(tokio::time::timeout(Duration::from_secs(2), greeting).await, Ok(Ok(1)))
}

//! Three RabbitMQ nodes, clustered as in `deploy/rabbitmq/cluster.conf`, with their own port mapper, cookie and ports.

mod files;
mod programs;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use tokio::process::Command;

use crate::error::{HarnessError, Result};
use crate::ports::Port;
use crate::program::Program;
use crate::stack::{Stop, greets};

use files::COOKIE;
use programs::Programs;

/// Timeout for the start of a node. Three at once on two cores take half a minute, and a node waits for missing ones.
const START: Duration = Duration::from_mins(3);
/// The virtual host of Beckon, named as in `deploy/`.
const VHOST: &str = "beckon";

/// Timeout for a command to a node.
const ANSWER: Duration = Duration::from_mins(1);

/// The version of RabbitMQ.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Release {
    /// The installed version.
    Installed,
    /// Version 4, which `deploy/setup --rabbitmq 4` unpacks.
    Four,
}

/// Three nodes. Dropping this ends them.
#[derive(Debug)]
pub struct BrokerCluster {
    // Dropped before the folder, which must exist until they have ended.
    nodes: Vec<Node>,
    _epmd: Program,
    epmd: Port,
    folder: tempfile::TempDir,
    programs: Programs,
}

#[derive(Debug)]
struct Node {
    name: String,
    amqp: Port,
    dist: Port,
    figures: Port,
    program: Option<Program>,
    starts: usize,
}

impl BrokerCluster {
    /// Prepares three nodes with the shipped configuration but without peer discovery, and starts none. A node of
    /// RabbitMQ 4 waits for minutes for missing peers.
    ///
    /// # Errors
    ///
    /// When a program is missing.
    pub async fn strangers(release: Release) -> Result<Self> {
        let cluster = Self::prepare(release, &[]).await?;
        for at in 0..3 {
            let file = cluster.folder_of(at).join("rabbitmq.conf");
            let lines = std::fs::read_to_string(&file).unwrap_or_default();
            let kept: Vec<&str> = lines
                .lines()
                .filter(|line| !line.starts_with("cluster_formation"))
                .collect();
            std::fs::write(&file, kept.join("\n") + "\n")
                .map_err(|e| HarnessError::because("could not prepare RabbitMQ nodes", e))?;
        }
        Ok(cluster)
    }

    /// Starts a node and joins it to the cluster of the first one.
    ///
    /// # Errors
    ///
    /// When it does not start or does not join.
    pub async fn start_and_join(&mut self, at: usize) -> Result<()> {
        self.start_node(at).await?;
        let first = self.name(0).to_owned();
        for words in [&["stop_app"][..], &["join_cluster", &first], &["start_app"]] {
            self.command(at, "rabbitmqctl", words).await?;
        }
        self.ready(at).await
    }

    /// Prepares three nodes with the shipped configuration, overridden by these settings, and starts none.
    ///
    /// # Errors
    ///
    /// When a program is missing.
    pub async fn prepare(release: Release, settings: &[&str]) -> Result<Self> {
        let failed = |e: std::io::Error| HarnessError::because("could not prepare RabbitMQ nodes", e);
        let programs = Programs::of(release).await?;
        let folder = match &programs.root {
            Some(root) => tempfile::tempdir_in(root.join("tmp")),
            None => tempfile::tempdir(),
        }
        .map_err(failed)?;
        let epmd = Port::claim()?;
        let (path, mut arguments) = programs.invocation(&programs.epmd);
        arguments.extend(["-port", &epmd.number().to_string(), "-address", "127.0.0.1"].map(str::to_owned));
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let mapper = Program::start_at(&path, folder.path(), "epmd", &arguments, &[]).await?;
        let mut nodes = Vec::new();
        for at in 1..=3 {
            nodes.push(Node {
                name: format!("mq{at}@localhost"),
                amqp: Port::claim()?,
                dist: Port::claim()?,
                figures: Port::claim()?,
                program: None,
                starts: 0,
            });
        }
        let cluster = Self {
            nodes,
            _epmd: mapper,
            epmd,
            folder,
            programs,
        };
        for at in 0..3 {
            cluster.configure(at, release, settings).map_err(failed)?;
        }
        Ok(cluster)
    }

    /// Starts three nodes with the shipped configuration, overridden by these settings.
    ///
    /// # Errors
    ///
    /// When one of them does not start; the text quotes its log.
    pub async fn start(release: Release, settings: &[&str]) -> Result<Self> {
        let mut cluster = Self::prepare(release, settings).await?;
        // RabbitMQ 4 waits for the others; 3.10 starts faster if the first node is running.
        cluster.launch(0).await?;
        if release == Release::Installed {
            cluster.ready(0).await?;
        }
        for at in 1..3 {
            cluster.launch(at).await?;
        }
        for at in 0..3 {
            cluster.ready(at).await?;
        }
        Ok(cluster)
    }

    /// The addresses of all nodes, in the format of `AMQP_URL`.
    pub fn urls(&self) -> String {
        let urls: Vec<String> = (0..self.nodes.len()).map(|at| self.url(at)).collect();
        urls.join(",")
    }

    /// The address of a node.
    pub fn url(&self, at: usize) -> String {
        format!("amqp://guest:guest@{}/{VHOST}", self.node(at).amqp.address())
    }

    /// The name of a node in the cluster.
    pub fn name(&self, at: usize) -> &str {
        &self.node(at).name
    }

    /// The addresses of the nodes' metrics.
    pub fn figures(&self) -> Vec<std::net::SocketAddr> {
        self.nodes.iter().map(|node| node.figures.address()).collect()
    }

    /// Starts a node and waits until it accepts connections.
    ///
    /// # Errors
    ///
    /// When it does not; the text quotes its log.
    pub async fn start_node(&mut self, at: usize) -> Result<()> {
        self.launch(at).await?;
        self.ready(at).await
    }

    /// Stops a node.
    ///
    /// # Errors
    ///
    /// When it does not end.
    pub async fn stop_node(&mut self, at: usize, how: Stop) -> Result<()> {
        let signal = match how {
            Stop::Graceful => Signal::SIGTERM,
            Stop::Kill => Signal::SIGKILL,
        };
        if let Some(program) = self.node_mut(at).program.take() {
            program.signal(signal);
            program.ended(ANSWER).await?;
        }
        Ok(())
    }

    /// Sends a signal to a node, such as SIGSTOP.
    pub fn signal(&self, at: usize, signal: Signal) {
        if let Some(program) = &self.node(at).program {
            program.signal(signal);
        }
    }

    /// Partitions a node from the others. Clients still reach all nodes.
    ///
    /// # Errors
    ///
    /// When a command to a node fails.
    pub async fn cut_off(&self, at: usize) -> Result<()> {
        let others: Vec<usize> = (0..self.nodes.len()).filter(|other| *other != at).collect();
        for other in &others {
            self.set_cookie(*other, &[at], "cut_off").await?;
        }
        self.set_cookie(at, &others, "cut_off").await?;
        let names: Vec<String> = others.iter().map(|other| self.node(*other).name.clone()).collect();
        let leave = format!("[erlang:disconnect_node(N) || N <- ['{}']].", names.join("','"));
        // The node may pause itself before it has answered, and then it never does.
        let words = ["eval", leave.as_str()];
        let leaving = self.command(at, "rabbitmqctl", &words);
        let _ = tokio::time::timeout(Duration::from_secs(10), leaving).await;
        Ok(())
    }

    /// Ends the partition of a node.
    ///
    /// # Errors
    ///
    /// When a command to a node fails.
    pub async fn join_again(&self, at: usize) -> Result<()> {
        let others: Vec<usize> = (0..self.nodes.len()).filter(|other| *other != at).collect();
        self.set_cookie(at, &others, COOKIE).await?;
        for other in &others {
            self.set_cookie(*other, &[at], COOKIE).await?;
        }
        Ok(())
    }

    async fn set_cookie(&self, at: usize, of: &[usize], cookie: &str) -> Result<()> {
        let names: Vec<String> = of.iter().map(|other| self.node(*other).name.clone()).collect();
        let set = format!("[erlang:set_cookie(N,{cookie}) || N <- ['{}']].", names.join("','"));
        self.command(at, "rabbitmqctl", &["eval", &set]).await.map(drop)
    }

    /// The number of members of each of Beckon's queues, by name.
    ///
    /// # Errors
    ///
    /// When the node does not answer.
    pub async fn members(&self, at: usize) -> Result<Vec<(String, usize)>> {
        let printed = self
            .command(
                at,
                "rabbitmqctl",
                &["--silent", "list_queues", "--vhost", VHOST, "name", "members"],
            )
            .await?;
        Ok(printed
            .lines()
            .filter(|line| line.starts_with("beckon."))
            .filter_map(|line| line.split_once('\t'))
            .map(|(name, members)| (name.to_owned(), members.matches("@localhost").count()))
            .collect())
    }

    /// The leader of a queue.
    ///
    /// # Errors
    ///
    /// When the node does not answer, or the queue has no leader.
    pub async fn leader_of(&self, at: usize, queue: &str) -> Result<usize> {
        let printed = self
            .command(
                at,
                "rabbitmqctl",
                &["--silent", "list_queues", "--vhost", VHOST, "name", "leader"],
            )
            .await?;
        let leader = printed
            .lines()
            .find_map(|line| line.strip_prefix(queue)?.strip_prefix('\t'));
        leader
            .and_then(|leader| {
                self.nodes
                    .iter()
                    .position(|node| leader.trim().trim_matches('\'') == node.name)
            })
            .ok_or_else(|| HarnessError::new(format!("{queue} has no leader:\n{printed}")))
    }

    /// Runs a RabbitMQ command for a node and returns its output.
    ///
    /// # Errors
    ///
    /// When it fails.
    pub async fn command(&self, at: usize, program: &str, words: &[&str]) -> Result<String> {
        let (path, arguments) = self.programs.invocation(&self.programs.rabbitmq.join(program));
        let running = Command::new(path)
            .args(arguments)
            .args(["--timeout", "50"])
            .args(words)
            .current_dir(self.folder.path())
            .env_clear()
            .envs(self.environment(at))
            .kill_on_drop(true)
            .output();
        let output = tokio::time::timeout(ANSWER, running)
            .await
            .map_err(|e| HarnessError::because(format!("{program} {words:?} did not end"), e))?
            .map_err(|e| HarnessError::because(format!("could not run {program}"), e))?;
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() {
            return Ok(printed);
        }
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        Err(HarnessError::new(format!(
            "{program} {words:?} failed: {printed}{complaint}"
        )))
    }

    fn node(&self, at: usize) -> &Node {
        self.nodes.get(at).unwrap_or_else(|| panic!("there is no node {at}"))
    }

    fn node_mut(&mut self, at: usize) -> &mut Node {
        self.nodes
            .get_mut(at)
            .unwrap_or_else(|| panic!("there is no node {at}"))
    }

    fn folder_of(&self, at: usize) -> PathBuf {
        self.folder.path().join(format!("node{at}"))
    }

    async fn launch(&mut self, at: usize) -> Result<()> {
        let (path, arguments) = self
            .programs
            .invocation(&self.programs.rabbitmq.join("rabbitmq-server"));
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let (environment, folder) = (self.environment(at), self.folder_of(at));
        let node = self.node_mut(at);
        node.starts += 1;
        let log = format!("server-{}", node.starts);
        let program = Program::start_at(&path, &folder, &log, &arguments, &environment).await?;
        node.program = Some(program);
        Ok(())
    }

    async fn ready(&self, at: usize) -> Result<()> {
        let node = self.node(at);
        let deadline = Instant::now() + START;
        while !greets(node.amqp.address()).await {
            let program = node.program.as_ref();
            let has_ended = program.is_none_or(|program| program.exit_code().is_some());
            if has_ended || Instant::now() > deadline {
                let tail = program.map(Program::log_tail).unwrap_or_default();
                return Err(HarnessError::new(format!("{} did not come up:\n{tail}", node.name)));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }
}

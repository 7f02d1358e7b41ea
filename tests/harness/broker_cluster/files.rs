//! The configuration of a node.

use super::{BrokerCluster, Release};
use crate::stack::SHIPPED_CONFIGURATION;

/// The additional settings of a cluster.
const CLUSTER: &str = include_str!("../../../deploy/rabbitmq/cluster.conf");
/// The additional settings of RabbitMQ 4.
const MEMBERS: &str = include_str!("../../../deploy/rabbitmq/members.conf");

/// The Erlang cookie, with which nodes authenticate each other.
pub(super) const COOKIE: &str = "beckonjourneys";

impl BrokerCluster {
    pub(super) fn configure(&self, at: usize, release: Release, own: &[&str]) -> std::io::Result<()> {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = self.folder_of(at);
        std::fs::create_dir_all(folder.join("log"))?;
        let cookie = folder.join(".erlang.cookie");
        std::fs::write(&cookie, COOKIE)?;
        std::fs::set_permissions(&cookie, std::fs::Permissions::from_mode(0o400))?;
        std::fs::write(folder.join("enabled_plugins"), "[rabbitmq_prometheus].\n")?;
        std::fs::write(folder.join("env.conf"), "")?;
        let figures = format!("prometheus.tcp.port = {}", self.node(at).figures.number());
        let usual = [
            // As in definitions.json, which has no user for a test.
            "default_vhost = beckon",
            "log.console = true",
            "log.console.level = info",
            "log.file = false",
            "raft.wal_max_size_bytes = 64000000",
            "vm_memory_high_watermark.absolute = 1GB",
            "disk_free_limit.absolute = 50MB",
            "prometheus.tcp.ip = 127.0.0.1",
            &figures,
        ];
        let key = |line: &str| line.split('=').next().unwrap_or_default().trim().to_owned();
        let given: Vec<String> = usual.iter().chain(own).map(|line| key(line)).collect();
        let newer = if release == Release::Four { MEMBERS } else { "" };
        let shipped = SHIPPED_CONFIGURATION
            .lines()
            .chain(CLUSTER.lines())
            .chain(newer.lines());
        let shipped = shipped.filter(|line| {
            let key = key(line);
            let is_elsewhere = key == "load_definitions" || key.starts_with("vm_memory_high_watermark");
            !key.is_empty() && !key.starts_with('#') && !is_elsewhere && !given.contains(&key)
        });
        let lines: Vec<String> = usual
            .iter()
            .chain(own)
            .map(|line| (*line).to_owned())
            .chain(shipped.map(|line| self.with_names(line)))
            .collect();
        std::fs::write(folder.join("rabbitmq.conf"), lines.join("\n") + "\n")
    }

    /// A line of the shipped configuration with the names of these nodes.
    fn with_names(&self, line: &str) -> String {
        (0..self.nodes.len()).fold(line.to_owned(), |line, at| {
            line.replace(&format!("rabbit@rabbitmq-{}", at + 1), &self.node(at).name)
        })
    }

    pub(super) fn environment(&self, at: usize) -> Vec<(String, String)> {
        let (node, folder) = (self.node(at), self.folder_of(at));
        let inside = |name: &str| self.programs.within(&folder.join(name));
        let home = self.programs.within(&folder);
        let further = "-kernel inet_dist_use_interface {127,0,0,1} +S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none";
        [
            ("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin".to_owned()),
            ("LANG", "C.UTF-8".to_owned()),
            ("HOME", home),
            ("RUNNING_UNDER_SYSTEMD", "true".to_owned()),
            ("ERL_EPMD_ADDRESS", "127.0.0.1".to_owned()),
            ("ERL_EPMD_PORT", self.epmd.number().to_string()),
            ("RABBITMQ_NODENAME", node.name.clone()),
            ("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1".to_owned()),
            ("RABBITMQ_NODE_PORT", node.amqp.number().to_string()),
            ("RABBITMQ_DIST_PORT", node.dist.number().to_string()),
            ("RABBITMQ_MNESIA_BASE", inside("mnesia")),
            ("RABBITMQ_LOG_BASE", inside("log")),
            ("RABBITMQ_PID_FILE", inside("pid")),
            ("RABBITMQ_CONFIG_FILE", inside("rabbitmq")),
            ("RABBITMQ_ENABLED_PLUGINS_FILE", inside("enabled_plugins")),
            ("RABBITMQ_ADVANCED_CONFIG_FILE", inside("advanced.config")),
            ("RABBITMQ_CONF_ENV_FILE", inside("env.conf")),
            ("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", further.to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }
}

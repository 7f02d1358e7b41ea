//! The worker's settings.

use crate::outcome::Retries;
use crate::retry::RetrySettings;
use crate::send::RelayUrl;
use shared::config::{
    CheckRequest, DatabaseSettings, Faults, LetterSettings, Lifetimes, SharedArgs, duration, listen_address, switch,
    whole_number,
};
use shared::password::Cost;
use shared::release::VERSION_AND_REVISION;
use shared::telemetry::LogSettings;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Renders mails, hands them to the relay and records the outcome of each one.
#[derive(clap::Parser, Debug)]
#[command(name = "beckon-worker", version = VERSION_AND_REVISION)]
pub struct Args {
    /// What to do
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Settings of both processes
    #[command(flatten)]
    pub shared: SharedArgs,
    /// Settings of the worker
    #[command(flatten)]
    pub worker: WorkerArgs,
}

/// The worker's commands.
#[derive(clap::Subcommand, Clone, Copy, Debug, Eq, PartialEq)]
pub enum Command {
    /// Send mails until stopped (the default)
    Run,
    /// Check the settings, report every error, and exit
    CheckConfig(CheckRequest),
    /// Ask the worker whose probes listen at `BECKON_PROBES_LISTEN` whether it is ready, and exit
    Healthcheck,
}

/// Settings of the worker alone.
#[derive(clap::Args, Debug)]
pub struct WorkerArgs {
    /// The relay: `smtps://user:pass@host:465`, `smtp://host:587?tls=required`, `smtp://localhost:25?tls=none`
    #[arg(long, env = "SMTP_URL", hide_env_values = true, global = true)]
    pub smtp_url: Option<String>,
    /// A file that contains `SMTP_URL`
    #[arg(long, env = "SMTP_URL_FILE", global = true)]
    pub smtp_url_file: Option<PathBuf>,
    /// Allow `tls=none` to a relay that is not on this machine
    #[arg(long, env = "BECKON_ALLOW_PLAINTEXT_SMTP", default_value = "false", global = true)]
    pub beckon_allow_plaintext_smtp: String,
    /// Maximum number of connections from this worker to the relay
    #[arg(long, env = "BECKON_SMTP_CONNECTIONS", default_value = "20", global = true)]
    pub beckon_smtp_connections: String,
    /// Where /healthz, /readyz and /metrics listen
    #[arg(long, env = "BECKON_PROBES_LISTEN", default_value = "127.0.0.1:8081", global = true)]
    pub beckon_probes_listen: String,
    /// How long a claim lasts before another worker may take over; renewed while the mail is being sent
    #[arg(long, env = "BECKON_LEASE", default_value = "60s", global = true)]
    pub beckon_lease: String,
    /// Pause before the second attempt; each further pause is twice as long
    #[arg(long, env = "BECKON_RETRY_FIRST", default_value = "5min", global = true)]
    pub beckon_retry_first: String,
    /// Longest pause between attempts
    #[arg(long, env = "BECKON_RETRY_LONGEST", default_value = "4h", global = true)]
    pub beckon_retry_longest: String,
    /// How long after its first attempt an invite is abandoned
    #[arg(long, env = "BECKON_INVITE_GIVE_UP", default_value = "48h", global = true)]
    pub beckon_invite_give_up: String,
    /// How long after its first attempt a password mail is abandoned
    #[arg(long, env = "BECKON_PASSWORD_GIVE_UP", default_value = "24h", global = true)]
    pub beckon_password_give_up: String,
    /// Folder on a local disk where accepted mails are kept until Postgres has recorded them, so that a worker that is
    /// killed causes hardly any second mails; `off` for none
    #[arg(long, env = "BECKON_JOURNAL", default_value = "/tmp/beckon-journal", global = true)]
    pub beckon_journal: String,
    /// How long a stop waits for mails that the relay has not answered; any left then are recorded as unsure
    #[arg(long, env = "BECKON_STOP_GRACE", default_value = "75s", global = true)]
    pub beckon_stop_grace: String,
}

/// The validated settings of a worker.
pub struct Settings {
    /// Postgres.
    pub database: DatabaseSettings,
    /// RabbitMQ.
    pub brokers: Vec<String>,
    /// The relay.
    pub relay: RelayUrl,
    /// Maximum number of connections to the relay.
    pub connections: usize,
    /// Where traces are exported.
    pub collector: Option<String>,
    /// Settings of the mails, such as their sender.
    pub letters: LetterSettings,
    /// Where the probes listen.
    pub probes_listen: SocketAddr,
    /// How long a claim lasts without renewal.
    pub lease: Duration,
    /// When attempts are retried.
    pub retries: Retries,
    /// How long mailed passwords are valid.
    pub lifetimes: Lifetimes,
    /// Cost of hashing mailed passwords.
    pub mailed_password_cost: Cost,
    /// Folder of the journal, if there is one.
    pub journal: Option<PathBuf>,
    /// How long a stop may take.
    pub stop_grace: Duration,
}

impl Args {
    /// Reads the log settings first, so that problems with the rest can be logged.
    pub fn logging(&self, faults: &mut Faults) -> Option<LogSettings> {
        self.shared.logging(faults)
    }

    /// Reads the settings.
    pub fn settings(&self, faults: &mut Faults) -> Option<Settings> {
        let database = self.shared.database(faults);
        let brokers = self.shared.brokers(faults);
        let letters = self.shared.letters(faults);
        let collector = self.shared.collector(faults);
        let mailed_password_cost = self.shared.mailed_password_cost(faults);
        let worker = &self.worker;
        let relay = worker.relay(faults);
        let connections = faults.read(
            "BECKON_SMTP_CONNECTIONS",
            &worker.beckon_smtp_connections,
            whole_number(1, 1000),
        );
        let probes_listen = faults.read("BECKON_PROBES_LISTEN", &worker.beckon_probes_listen, listen_address);
        let lease = faults.read("BECKON_LEASE", &worker.beckon_lease, lease);
        let retries = worker.retries(faults);
        let journal = faults.read("BECKON_JOURNAL", &worker.beckon_journal, journal);
        let stop_grace = faults.read("BECKON_STOP_GRACE", &worker.beckon_stop_grace, duration);
        Some(Settings {
            database: database?,
            brokers: brokers?,
            collector: collector?,
            relay: relay?,
            connections: connections?,
            lifetimes: letters.as_ref()?.lifetimes,
            letters: letters?,
            mailed_password_cost: mailed_password_cost?,
            probes_listen: probes_listen?,
            lease: lease?,
            retries: retries?,
            journal: journal?,
            stop_grace: stop_grace?,
        })
    }
}

impl WorkerArgs {
    fn relay(&self, faults: &mut Faults) -> Option<RelayUrl> {
        let url = faults.secret("SMTP_URL", self.smtp_url.clone(), self.smtp_url_file.as_deref());
        let allow = faults.read("BECKON_ALLOW_PLAINTEXT_SMTP", &self.beckon_allow_plaintext_smtp, switch);
        faults.read("SMTP_URL", &url?, |text| {
            RelayUrl::parse(text, allow.unwrap_or(false)).map_err(|fault| format!("cannot be used: {fault}"))
        })
    }

    fn retries(&self, faults: &mut Faults) -> Option<Retries> {
        let first = faults.read("BECKON_RETRY_FIRST", &self.beckon_retry_first, duration);
        let longest = faults.read("BECKON_RETRY_LONGEST", &self.beckon_retry_longest, duration);
        let invites = faults.read("BECKON_INVITE_GIVE_UP", &self.beckon_invite_give_up, duration);
        let passwords = faults.read("BECKON_PASSWORD_GIVE_UP", &self.beckon_password_give_up, duration);
        let (first, longest) = (first?, longest?);
        if first > longest {
            faults.add("BECKON_RETRY_FIRST", "is longer than BECKON_RETRY_LONGEST");
            return None;
        }
        Some(Retries {
            settings: RetrySettings { first, longest },
            invites_give_up_after: invites?,
            passwords_give_up_after: passwords?,
        })
    }
}

/// Parses the lease. Below one second a worker would do nothing but renew; above ten minutes a dead worker's
/// mails would wait too long.
fn lease(text: &str) -> Result<Duration, String> {
    let lease = duration(text)?;
    if (Duration::from_secs(1)..=Duration::from_mins(10)).contains(&lease) {
        Ok(lease)
    } else {
        Err(format!("is {text:?}; write a time from 1s to 10min"))
    }
}

/// Parses the folder of the journal. A relative one would depend on where the worker is started.
fn journal(text: &str) -> Result<Option<PathBuf>, String> {
    match Path::new(text) {
        _ if text == "off" => Ok(None),
        folder if folder.is_absolute() => Ok(Some(folder.to_owned())),
        _ => Err(format!("is {text:?}; write an absolute path or `off`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_is_an_absolute_path_or_off() {
        assert_eq!(journal("off"), Ok(None));
        assert_eq!(journal("/var/lib/beckon"), Ok(Some(PathBuf::from("/var/lib/beckon"))));
        for wrong in ["", "journal", "./journal"] {
            let expected = format!("is {wrong:?}; write an absolute path or `off`");
            assert_eq!(journal(wrong), Err(expected));
        }
    }
}

//! Settings of an API process.

use crate::http::client_address::{ForwardedHeader, TrustedProxies};
use shared::config::{
    CheckRequest, DatabaseSettings, Faults, LetterSettings, SharedArgs, duration, listen_address, rate, switch,
    whole_number,
};
use shared::password::Cost;
use shared::release::VERSION_AND_REVISION;
use shared::telemetry::LogSettings;
use std::net::SocketAddr;
use std::time::Duration;

/// Accepts requests, publishes jobs, and serves the console.
#[derive(clap::Parser, Debug)]
#[command(name = "beckon-api", version = VERSION_AND_REVISION)]
pub struct Args {
    /// What to do
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Settings of both processes
    #[command(flatten)]
    pub shared: SharedArgs,
    /// Settings of the API
    #[command(flatten)]
    pub api: ApiArgs,
}

/// The commands.
#[derive(clap::Subcommand, Clone, Debug, Eq, PartialEq)]
pub enum Command {
    /// Serve the API and the console and dispatch jobs until stopped (the default)
    Serve,
    /// Migrate the database schema to this release, then exit
    Migrate,
    /// Check the settings, print every error, then exit
    CheckConfig(CheckRequest),
    /// Check whether the API whose probes listen at `BECKON_PROBES_LISTEN` is ready, then exit
    Healthcheck,
    /// Create an API key and print it to standard output; it cannot be shown again
    CreateKey(KeyRequest),
    /// Add an administrator, who can then sign in to the console
    AddAdministrator(Admission),
    /// Steps for an operator after a failover of Postgres
    #[command(flatten)]
    Failover(FailoverStep),
}

/// A step after a failover of Postgres.
#[derive(clap::Subcommand, Clone, Copy, Debug, Eq, PartialEq)]
pub enum FailoverStep {
    /// Resume sending that is on hold after a promotion of Postgres (`BECKON_HOLD_AFTER_PROMOTION`)
    ResumeSending,
    /// Mark invites as sent; reads one Message-ID or delivery id per line from standard input
    MarkSent,
}

/// A key to create.
#[derive(clap::Args, Clone, Debug, Eq, PartialEq)]
pub struct KeyRequest {
    /// Purpose of the key, shown wherever its use is recorded; must be unique among valid keys
    #[arg(long)]
    pub name: String,
    /// How long the key is valid: 1h to 365d, or never for a key that does not expire
    #[arg(long, default_value = "365d", value_parser = key_lifetime)]
    pub expires: KeyLifetime,
    /// Allow the key to read the audit log
    #[arg(long)]
    pub read_audit_log: bool,
}

/// How long a key is valid.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum KeyLifetime {
    /// For this time.
    For(Duration),
    /// Until it is revoked.
    Endless,
}

impl KeyLifetime {
    /// The time until it expires, if it does.
    pub const fn duration(self) -> Option<Duration> {
        match self {
            Self::For(duration) => Some(duration),
            Self::Endless => None,
        }
    }
}

/// An administrator to add. The password is read from standard input.
#[derive(clap::Args, Clone, Debug, Eq, PartialEq)]
pub struct Admission {
    /// Email address for signing in
    #[arg(long)]
    pub email: String,
    /// Name shown on pages and in the audit log [default: the address]
    #[arg(long)]
    pub name: Option<String>,
    /// Read the password from standard input: one line of at least 15 characters
    #[arg(long, required = true)]
    pub password_stdin: bool,
    /// Set a new password for an existing administrator, and enable them if they are disabled
    #[arg(long)]
    pub renew: bool,
}

/// The settings that only the API has.
#[derive(clap::Args, Debug)]
pub struct ApiArgs {
    /// Address on which the API and the console listen
    #[arg(long, env = "BECKON_LISTEN", default_value = "127.0.0.1:8080", global = true)]
    pub beckon_listen: String,
    /// Address on which /healthz, /readyz and /metrics listen
    #[arg(long, env = "BECKON_PROBES_LISTEN", default_value = "127.0.0.1:8082", global = true)]
    pub beckon_probes_listen: String,
    /// Reverse proxies whose `BECKON_FORWARDED_HEADER` is trusted to contain the client's address: addresses or
    /// networks such as 10.0.0.0/8, separated by commas
    #[arg(long, env = "BECKON_TRUSTED_PROXIES", default_value = "", global = true)]
    pub beckon_trusted_proxies: String,
    /// Header in which trusted proxies report the client: x-forwarded-for or forwarded; the other one is ignored
    #[arg(
        long,
        env = "BECKON_FORWARDED_HEADER",
        default_value = "x-forwarded-for",
        global = true
    )]
    pub beckon_forwarded_header: String,
    /// Emails per second over all workers, or unlimited
    #[arg(long, env = "BECKON_MAIL_RATE", default_value = "unlimited", global = true)]
    pub beckon_mail_rate: String,
    /// Number of unknown addresses in 100 at which a batch is paused automatically, or 0 for no limit
    #[arg(long, env = "BECKON_BRAKE_BOUNCES", default_value = "10", global = true)]
    pub beckon_brake_bounces: String,
    /// Migrate the schema to this release before serving
    #[arg(long, env = "BECKON_MIGRATE", default_value = "true", global = true)]
    pub beckon_migrate: String,
    /// A password email that is not attempted within this time after the start of its batch expires unsent
    #[arg(long, env = "BECKON_PASSWORD_STALE", default_value = "24h", global = true)]
    pub beckon_password_stale: String,
    /// How long a batch sent from the console can be undone before it starts, up to 10min
    #[arg(long, env = "BECKON_HOLD", default_value = "30s", global = true)]
    pub beckon_hold: String,
    /// Put sending on hold after a standby of Postgres was promoted, until `beckon-api resume-sending`; recommended
    /// with asynchronous replication
    #[arg(long, env = "BECKON_HOLD_AFTER_PROMOTION", default_value = "false", global = true)]
    pub beckon_hold_after_promotion: String,
    /// How long the details of emails are kept, at least 7d; deleted month by month, totals are kept
    #[arg(long, env = "BECKON_DETAILS_KEPT", default_value = "90d", global = true)]
    pub beckon_details_kept: String,
    /// Threads that check passwords [default: number of cores]
    #[arg(long, env = "BECKON_HASH_THREADS", global = true)]
    pub beckon_hash_threads: Option<String>,
    /// How long a shutdown waits for requests in progress
    #[arg(long, env = "BECKON_STOP_GRACE", default_value = "30s", global = true)]
    pub beckon_stop_grace: String,
}

/// The parsed settings of an API process.
pub struct Settings {
    /// Postgres.
    pub database: DatabaseSettings,
    /// RabbitMQ.
    pub brokers: Vec<String>,
    /// The collector for traces.
    pub collector: Option<String>,
    /// Settings that appear in emails, for previews.
    pub letters: LetterSettings,
    /// The address to listen on.
    pub listen: SocketAddr,
    /// The address on which probes are answered.
    pub probes_listen: SocketAddr,
    /// The reverse proxies whose forwarding header is trusted.
    pub trusted_proxies: TrustedProxies,
    /// Emails per second.
    pub mail_rate: Option<f64>,
    /// Percentage of unknown addresses at which a batch is paused automatically; `None` for no limit.
    pub brake_bounces: Option<i64>,
    /// Whether to migrate at startup.
    pub migrate: bool,
    /// When a password email that has not been attempted expires.
    pub password_stale: Duration,
    /// How long a batch sent from the console can be undone.
    pub hold: Duration,
    /// Whether sending is put on hold after a promotion of Postgres.
    pub hold_after_promotion: bool,
    /// How long the details of emails are kept.
    pub details_kept: Duration,
    /// Threads that check passwords.
    pub hash_threads: usize,
    /// The hashing cost of mailed passwords.
    pub mailed_password_cost: Cost,
    /// How long a shutdown may take.
    pub stop_grace: Duration,
}

impl Args {
    /// Reads the log settings first, so that everything else can be logged.
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
        let api = &self.api;
        let listen = faults.read("BECKON_LISTEN", &api.beckon_listen, listen_address);
        let probes_listen = faults.read("BECKON_PROBES_LISTEN", &api.beckon_probes_listen, listen_address);
        let trusted_proxies = faults.read(
            "BECKON_TRUSTED_PROXIES",
            &api.beckon_trusted_proxies,
            TrustedProxies::parse,
        );
        let forwarded_header = faults.read(
            "BECKON_FORWARDED_HEADER",
            &api.beckon_forwarded_header,
            ForwardedHeader::parse,
        );
        let mail_rate = faults.read("BECKON_MAIL_RATE", &api.beckon_mail_rate, rate);
        let brake_bounces = faults.read("BECKON_BRAKE_BOUNCES", &api.beckon_brake_bounces, percent);
        let migrate = faults.read("BECKON_MIGRATE", &api.beckon_migrate, switch);
        let password_stale = faults.read("BECKON_PASSWORD_STALE", &api.beckon_password_stale, duration);
        let hold = faults.read("BECKON_HOLD", &api.beckon_hold, hold);
        let hold_after_promotion = faults.read("BECKON_HOLD_AFTER_PROMOTION", &api.beckon_hold_after_promotion, switch);
        let details_kept = faults.read("BECKON_DETAILS_KEPT", &api.beckon_details_kept, details_kept);
        let hash_threads = match &api.beckon_hash_threads {
            Some(text) => faults.read("BECKON_HASH_THREADS", text, whole_number(1, 256)),
            None => Some(std::thread::available_parallelism().map_or(1, std::num::NonZero::get)),
        };
        let stop_grace = faults.read("BECKON_STOP_GRACE", &api.beckon_stop_grace, duration);
        Some(Settings {
            database: database?,
            brokers: brokers?,
            collector: collector?,
            letters: letters?,
            listen: listen?,
            probes_listen: probes_listen?,
            trusted_proxies: trusted_proxies?.naming_clients_in(forwarded_header?),
            mail_rate: mail_rate?,
            brake_bounces: brake_bounces?,
            migrate: migrate?,
            password_stale: password_stale?,
            hold: hold?,
            hold_after_promotion: hold_after_promotion?,
            details_kept: details_kept?,
            hash_threads: hash_threads?,
            mailed_password_cost: mailed_password_cost?,
            stop_grace: stop_grace?,
        })
    }
}

/// Minimum retention: an administrator still finds a failed email after a holiday, and passwords, which are valid up
/// to a week, expire before their details are deleted.
const MIN_DETAILS_RETENTION: Duration = Duration::from_hours(7 * 24);

/// Maximum hold, twenty times the default. To send later, a batch has a start time instead.
const MAX_HOLD: Duration = Duration::from_mins(10);

/// Minimum lifetime of a key. A shorter one is a mistyped unit.
const MIN_KEY_LIFETIME: Duration = Duration::from_hours(1);

fn key_lifetime(text: &str) -> Result<KeyLifetime, String> {
    if text == "never" {
        return Ok(KeyLifetime::Endless);
    }
    let lifetime = duration(text).ok().filter(|lifetime| *lifetime >= MIN_KEY_LIFETIME);
    lifetime
        .map(KeyLifetime::For)
        .ok_or_else(|| "write a time from 1h to 365d, or never".to_owned())
}

fn details_kept(text: &str) -> Result<Duration, String> {
    duration(text)
        .ok()
        .filter(|kept| *kept >= MIN_DETAILS_RETENTION)
        .ok_or_else(|| format!("is {text:?}; write a time of 7d or more"))
}

/// Reads a percentage; `None` for 0.
fn percent(text: &str) -> Result<Option<i64>, String> {
    let number = whole_number(0, 100)(text)?;
    Ok(i64::try_from(number).ok().filter(|percent| *percent > 0))
}

fn hold(text: &str) -> Result<Duration, String> {
    duration(text)
        .ok()
        .filter(|hold| *hold <= MAX_HOLD)
        .ok_or_else(|| format!("is {text:?}; write a time from 0s to 10min"))
}

//! An API process's settings.

use crate::client_address::{ForwardedHeader, TrustedProxies};
use shared::config::{
    CheckRequest, DatabaseSettings, Faults, LetterSettings, SharedArgs, duration, listen_address, rate, switch,
    whole_number,
};
use shared::password::Cost;
use shared::release::VERSION_AND_REVISION;
use shared::telemetry::LogSettings;
use std::net::SocketAddr;
use std::time::Duration;

/// Takes requests in, puts jobs out, shows what became of them.
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

/// What the program can be told to do.
#[derive(clap::Subcommand, Clone, Debug, Eq, PartialEq)]
pub enum Command {
    /// Answer requests and dispatch until stopped (the default)
    Serve,
    /// Bring the database's schema up to this release, and leave
    Migrate,
    /// Check the settings, say every fault, and leave
    CheckConfig(CheckRequest),
    /// Ask the API whose probes listen at `BECKON_PROBES_LISTEN` whether it is ready, and leave
    Healthcheck,
    /// Create an API key and print it, once and alone, on standard output
    CreateKey(KeyRequest),
    /// Let somebody use the console
    AddAdministrator(Admission),
    /// What a failover of Postgres asks of a person
    #[command(flatten)]
    Failover(FailoverStep),
}

/// What a person does after a failover of Postgres.
#[derive(clap::Subcommand, Clone, Copy, Debug, Eq, PartialEq)]
pub enum FailoverStep {
    /// Let sending go on that is held after a promotion of Postgres (`BECKON_HOLD_AFTER_PROMOTION`)
    ResumeSending,
    /// Mark invites as sent: one Message-ID or delivery id a line on standard input
    MarkSent,
}

/// A key to make.
#[derive(clap::Args, Clone, Debug, Eq, PartialEq)]
pub struct KeyRequest {
    /// What the key is for; shown wherever its use is recorded. No other key that works has this name
    #[arg(long)]
    pub name: String,
    /// How long it works, from 1h to 365d, or never to make one that does not expire
    #[arg(long, default_value = "365d", value_parser = key_lifetime)]
    pub expires: KeyLifetime,
    /// Let it read the audit log
    #[arg(long)]
    pub read_audit_log: bool,
}

/// How long a key works.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum KeyLifetime {
    /// So long.
    For(Duration),
    /// Until it is revoked.
    Endless,
}

impl KeyLifetime {
    /// Until it expires; none when it does not.
    pub const fn duration(self) -> Option<Duration> {
        match self {
            Self::For(duration) => Some(duration),
            Self::Endless => None,
        }
    }
}

/// Somebody to let into the console. Their password comes in on standard input.
#[derive(clap::Args, Clone, Debug, Eq, PartialEq)]
pub struct Admission {
    /// Their email address, with which they sign in
    #[arg(long)]
    pub email: String,
    /// What they are called on pages and in the audit log [default: their address]
    #[arg(long)]
    pub name: Option<String>,
    /// Read their password from standard input: one line of 15 characters or more
    #[arg(long, required = true)]
    pub password_stdin: bool,
    /// Give somebody who is an administrator already this password, and let them in again
    #[arg(long)]
    pub renew: bool,
}

/// Settings only the API has.
#[derive(clap::Args, Debug)]
pub struct ApiArgs {
    /// Where the API and the console listen
    #[arg(long, env = "BECKON_LISTEN", default_value = "127.0.0.1:8080", global = true)]
    pub beckon_listen: String,
    /// Where /healthz, /readyz and /metrics listen
    #[arg(long, env = "BECKON_PROBES_LISTEN", default_value = "127.0.0.1:8082", global = true)]
    pub beckon_probes_listen: String,
    /// Reverse proxies that may name the client in `BECKON_FORWARDED_HEADER`: addresses or networks such as
    /// 10.0.0.0/8, separated by commas
    #[arg(long, env = "BECKON_TRUSTED_PROXIES", default_value = "", global = true)]
    pub beckon_trusted_proxies: String,
    /// The one header in which they name it, x-forwarded-for or forwarded; the other is not read
    #[arg(
        long,
        env = "BECKON_FORWARDED_HEADER",
        default_value = "x-forwarded-for",
        global = true
    )]
    pub beckon_forwarded_header: String,
    /// Mails per second over all workers, or unlimited
    #[arg(long, env = "BECKON_MAIL_RATE", default_value = "unlimited", global = true)]
    pub beckon_mail_rate: String,
    /// How many unknown addresses of 100 make a batch pause itself, or 0 for any number
    #[arg(long, env = "BECKON_BRAKE_BOUNCES", default_value = "10", global = true)]
    pub beckon_brake_bounces: String,
    /// Bring the schema up to this release before serving
    #[arg(long, env = "BECKON_MIGRATE", default_value = "true", global = true)]
    pub beckon_migrate: String,
    /// A password mail not tried within this time of its batch's start expires unsent
    #[arg(long, env = "BECKON_PASSWORD_STALE", default_value = "24h", global = true)]
    pub beckon_password_stale: String,
    /// How long a batch sent from the console can be undone before it starts, up to 10min
    #[arg(long, env = "BECKON_HOLD", default_value = "30s", global = true)]
    pub beckon_hold: String,
    /// Hold sending after a standby of Postgres was promoted, until `beckon-api resume-sending`; recommended where
    /// replication is asynchronous
    #[arg(long, env = "BECKON_HOLD_AFTER_PROMOTION", default_value = "false", global = true)]
    pub beckon_hold_after_promotion: String,
    /// How long the details of mails are kept, 7d or more; dropped by the month, totals stay
    #[arg(long, env = "BECKON_DETAILS_KEPT", default_value = "90d", global = true)]
    pub beckon_details_kept: String,
    /// Threads that check passwords [default: number of cores]
    #[arg(long, env = "BECKON_HASH_THREADS", global = true)]
    pub beckon_hash_threads: Option<String>,
    /// How long a stop waits for requests that have begun
    #[arg(long, env = "BECKON_STOP_GRACE", default_value = "30s", global = true)]
    pub beckon_stop_grace: String,
}

/// What an API process runs with.
pub struct Settings {
    /// Postgres.
    pub database: DatabaseSettings,
    /// RabbitMQ.
    pub brokers: Vec<String>,
    /// Where traces go.
    pub collector: Option<String>,
    /// What mails say about their sender, for previews.
    pub letters: LetterSettings,
    /// Where to listen.
    pub listen: SocketAddr,
    /// Where to answer probes.
    pub probes_listen: SocketAddr,
    /// The reverse proxies whose forwarding header is believed.
    pub trusted_proxies: TrustedProxies,
    /// Mails a second.
    pub mail_rate: Option<f64>,
    /// How many unknown addresses of a hundred make a batch pause itself; none is any number.
    pub brake_bounces: Option<i64>,
    /// Whether to migrate first.
    pub migrate: bool,
    /// When an untried password mail expires.
    pub password_stale: Duration,
    /// How long a batch sent from the console can be undone.
    pub hold: Duration,
    /// Whether sending is held after a promotion of Postgres.
    pub hold_after_promotion: bool,
    /// How long the details of mails are kept.
    pub details_kept: Duration,
    /// Threads that check passwords.
    pub hash_threads: usize,
    /// What the verifiers of mailed passwords cost.
    pub mailed_password_cost: Cost,
    /// How long a stop may take.
    pub stop_grace: Duration,
}

impl Args {
    /// Reads what to log, first of all, so that the rest can be told there.
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

/// A mail that failed is still in its details when somebody comes back from a holiday; and passwords,
/// which live up to a week, end before their details do.
const DETAILS_KEPT_LEAST: Duration = Duration::from_hours(7 * 24);

/// Twenty times the default, so that nobody has to hurry; a mail for later has a start time instead.
const HOLD_MOST: Duration = Duration::from_mins(10);

/// Less is a slip of the unit.
const KEY_LIFETIME_LEAST: Duration = Duration::from_hours(1);

fn key_lifetime(text: &str) -> Result<KeyLifetime, String> {
    if text == "never" {
        return Ok(KeyLifetime::Endless);
    }
    let lifetime = duration(text).ok().filter(|lifetime| *lifetime >= KEY_LIFETIME_LEAST);
    lifetime
        .map(KeyLifetime::For)
        .ok_or_else(|| "write a time from 1h to 365d, or never".to_owned())
}

fn details_kept(text: &str) -> Result<Duration, String> {
    duration(text)
        .ok()
        .filter(|kept| *kept >= DETAILS_KEPT_LEAST)
        .ok_or_else(|| format!("is {text:?}; write a time of 7d or more"))
}

/// A share; none for nought.
fn percent(text: &str) -> Result<Option<i64>, String> {
    let number = whole_number(0, 100)(text)?;
    Ok(i64::try_from(number).ok().filter(|percent| *percent > 0))
}

fn hold(text: &str) -> Result<Duration, String> {
    duration(text)
        .ok()
        .filter(|hold| *hold <= HOLD_MOST)
        .ok_or_else(|| format!("is {text:?}; write a time from 0s to 10min"))
}

//! Settings, read once from flags and the environment. All errors are reported together.
//!
//! `clap` holds each setting's name, default and explanation, so `--help` is the reference. It returns plain
//! text, and the values are parsed here: three mistyped settings give three lines, and no line repeats a
//! secret.

mod collector;
mod lifetimes;
mod loopback;
mod sender;
mod servers;
mod web_address;

pub use lifetimes::Lifetimes;
pub use loopback::is_loopback;
pub use sender::Sender;
pub use servers::DatabaseSettings;

use crate::password::Cost;
use std::fmt::Display;
use std::path::Path;
use std::time::Duration;

/// The exit code for a configuration that cannot be used (`EX_CONFIG` of sysexits.h).
pub const EXIT_CONFIG: u8 = 78;

/// Errors in the settings, one line each.
#[derive(Debug, Default)]
pub struct Faults(Vec<String>);

impl Faults {
    /// Adds an error in `name`; `problem` continues the sentence "NAME …".
    pub fn add(&mut self, name: &str, problem: impl Display) {
        self.0.push(format!("{name} {problem}"));
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns `value` if there are no errors.
    ///
    /// # Errors
    ///
    /// Every error found so far; the process prints them and exits with [`EXIT_CONFIG`].
    pub fn into_result<T>(self, value: Option<T>) -> Result<T, Self> {
        match value {
            Some(value) if self.0.is_empty() => Ok(value),
            _ => Err(self),
        }
    }

    /// Reads a required setting.
    pub fn required(&mut self, name: &str, value: Option<String>) -> Option<String> {
        let value = value.filter(|text| !text.trim().is_empty());
        if value.is_none() {
            self.add(name, "is not set");
        }
        value
    }

    /// Reads a secret, given directly or as the path of a file that contains it.
    pub fn secret(&mut self, name: &str, value: Option<String>, file: Option<&Path>) -> Option<String> {
        match (value.filter(|text| !text.trim().is_empty()), file) {
            (Some(_), Some(_)) => {
                self.add(name, format_args!("and {name}_FILE are both set; keep one"));
                None
            }
            (Some(value), None) => Some(value),
            (None, Some(path)) => match std::fs::read_to_string(path) {
                Ok(text) if text.trim_end_matches(['\r', '\n']).contains(['\r', '\n']) => {
                    self.add(name, format_args!("in {} has more than one line", path.display()));
                    None
                }
                Ok(text) => self.required(name, Some(text.trim_end_matches(['\r', '\n']).to_owned())),
                Err(fault) => {
                    self.add(name, format_args!("cannot be read from {}: {fault}", path.display()));
                    None
                }
            },
            (None, None) => self.required(name, None),
        }
    }

    /// Reads a value with a parser whose error continues the sentence "NAME …".
    pub fn read<T, E: Display>(
        &mut self,
        name: &str,
        text: &str,
        reader: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        match reader(text.trim()) {
            Ok(value) => Some(value),
            Err(problem) => {
                self.add(name, problem);
                None
            }
        }
    }
}

impl Display for Faults {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

/// Maximum of every duration. Intervals in Postgres are limited as well.
const LONGEST: Duration = Duration::from_hours(365 * 24);

/// Reads `30s`, `5min`, `4h`, `3d`, `250ms`; a bare `0` needs no unit.
///
/// # Errors
///
/// What to write instead.
pub fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let wrong = || format!("is {text:?}; write a time with its unit, like 30s, 5min, 4h or 3d, up to 365d");
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let milliseconds = match unit.trim() {
        "ms" => Some(1),
        "s" => Some(1_000),
        "m" | "min" => Some(60_000),
        "h" => Some(3_600_000),
        "d" => Some(86_400_000),
        "" if number == 0 => Some(0),
        _ => None,
    };
    milliseconds
        .and_then(|factor: u64| number.checked_mul(factor))
        .map(Duration::from_millis)
        .filter(|time| *time <= LONGEST)
        .ok_or_else(wrong)
}

/// Reads a whole number from `least` to `most`.
pub fn whole_number(least: usize, most: usize) -> impl Fn(&str) -> Result<usize, String> {
    move |text| {
        text.parse()
            .ok()
            .filter(|number| (least..=most).contains(number))
            .ok_or_else(|| format!("is {text:?}; write a whole number from {least} to {most}"))
    }
}

/// Reads `true` or `false`.
///
/// # Errors
///
/// What to write instead.
pub fn switch(text: &str) -> Result<bool, String> {
    match text {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err(format!("is {text:?}; write true or false")),
    }
}

/// Reads a rate in mails per second; empty or `unlimited` means no limit.
///
/// # Errors
///
/// What to write instead.
pub fn rate(text: &str) -> Result<Option<f64>, String> {
    if text.is_empty() || text == "unlimited" {
        return Ok(None);
    }
    match text.parse::<f64>() {
        Ok(rate) if rate.is_finite() && rate > 0.0 => Ok(Some(rate)),
        _ => Err(format!(
            "is {text:?}; write mails per second, like 50 or 0.5, or unlimited"
        )),
    }
}

/// Reads the address to listen on, `host:port`.
///
/// # Errors
///
/// What to write instead.
pub fn listen_address(text: &str) -> Result<std::net::SocketAddr, String> {
    text.parse()
        .ok()
        .filter(|address: &std::net::SocketAddr| address.port() != 0)
        .ok_or_else(|| format!("is {text:?}; write an IP address and a port, like 127.0.0.1:8080"))
}

/// What `check-config` checks.
#[derive(clap::Args, Clone, Copy, Debug, Eq, PartialEq)]
pub struct CheckRequest {
    /// Also connect to every server that the settings name, and fetch the page at `BECKON_SIGN_IN_URL` once; exit 1
    /// if one cannot be used
    #[arg(long)]
    pub connect: bool,
}

/// The settings of both processes.
#[derive(clap::Args, Debug)]
pub struct SharedArgs {
    /// Address of Postgres: `postgres://user:password@host/database?sslmode=verify-full`
    #[arg(long, env = "DATABASE_URL", global = true, hide_env_values = true)]
    pub database_url: Option<String>,
    /// File that contains `DATABASE_URL`
    #[arg(long, env = "DATABASE_URL_FILE", global = true)]
    pub database_url_file: Option<std::path::PathBuf>,
    /// Allow connections to Postgres on another machine without sslmode=verify-full
    #[arg(
        long,
        env = "BECKON_ALLOW_PLAINTEXT_DATABASE",
        global = true,
        default_value = "false"
    )]
    pub beckon_allow_plaintext_database: String,
    /// Address of RabbitMQ: `amqps://user:password@host/vhost`; several, separated by commas, are tried in turn
    #[arg(long, env = "AMQP_URL", global = true, hide_env_values = true)]
    pub amqp_url: Option<String>,
    /// File that contains `AMQP_URL`
    #[arg(long, env = "AMQP_URL_FILE", global = true)]
    pub amqp_url_file: Option<std::path::PathBuf>,
    /// Allow connections to RabbitMQ on another machine without TLS
    #[arg(long, env = "BECKON_ALLOW_PLAINTEXT_AMQP", global = true, default_value = "false")]
    pub beckon_allow_plaintext_amqp: String,
    /// Sender of all emails: `Name <address>`
    #[arg(long, env = "BECKON_MAIL_FROM", global = true)]
    pub beckon_mail_from: Option<String>,
    /// Base of every link in an email: `https://invite.example.org`
    #[arg(long, env = "BECKON_PUBLIC_URL", global = true)]
    pub beckon_public_url: Option<String>,
    /// The organisation's name, merge field `organisation`
    #[arg(long, env = "BECKON_ORGANISATION", global = true, default_value = "Beckon")]
    pub beckon_organisation: String,
    /// The page where people sign in, merge field `sign_in_url`: `https://example.org/sign-in`
    #[arg(long, env = "BECKON_SIGN_IN_URL", global = true)]
    pub beckon_sign_in_url: Option<String>,
    /// How long a user's first password works, counted from the relay's acceptance of the email
    #[arg(long, env = "BECKON_FIRST_PASSWORD_LIFETIME", global = true, default_value = "72h")]
    pub beckon_first_password_lifetime: String,
    /// The same for users who have signed in before
    #[arg(long, env = "BECKON_RESET_PASSWORD_LIFETIME", global = true, default_value = "24h")]
    pub beckon_reset_password_lifetime: String,
    /// Hashing cost of a mailed password: light, or owasp for the cost of a chosen one. The API needs the same value as
    /// the workers, so that the time of a check does not reveal whether a user exists
    #[arg(long, env = "BECKON_MAILED_PASSWORD_COST", global = true, default_value = "light")]
    pub beckon_mailed_password_cost: String,
    /// Maximum number of connections to Postgres
    #[arg(long, env = "BECKON_DATABASE_CONNECTIONS", global = true, default_value = "10")]
    pub beckon_database_connections: String,
    /// Which events to log: a tracing filter
    #[arg(long, env = "BECKON_LOG", global = true, default_value = "info")]
    pub beckon_log: String,
    /// Format of the log: json or text [default: text on a terminal, json elsewhere]
    #[arg(long, env = "BECKON_LOG_FORMAT", global = true)]
    pub beckon_log_format: Option<String>,
    /// Collector for traces, OTLP over HTTP on a trusted network: `http://127.0.0.1:4318` [default: no traces]
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT", global = true)]
    pub otel_exporter_otlp_endpoint: Option<String>,
}

/// Settings that appear in emails: the sender, links, and how long a password works.
#[derive(Clone, Debug)]
pub struct LetterSettings {
    /// `Name <address>`, as configured.
    pub from: Sender,
    /// Base of links.
    pub public_url: String,
    /// Merge field `organisation`.
    pub organisation: String,
    /// Merge field `sign_in_url`.
    pub sign_in_url: String,
    /// Merge field `password_expires`.
    pub lifetimes: Lifetimes,
}

impl SharedArgs {
    /// Reads the settings that appear in emails.
    pub fn letters(&self, faults: &mut Faults) -> Option<LetterSettings> {
        let from = faults.required("BECKON_MAIL_FROM", self.beckon_mail_from.clone());
        let from = from.and_then(|text| faults.read("BECKON_MAIL_FROM", &text, Sender::parse));
        let public_url = faults.required("BECKON_PUBLIC_URL", self.beckon_public_url.clone());
        let public_url = public_url.and_then(|text| faults.read("BECKON_PUBLIC_URL", &text, web_address::base));
        let sign_in_url = self.sign_in_url(faults);
        let lifetimes = self.lifetimes(faults);
        Some(LetterSettings {
            from: from?,
            public_url: public_url?,
            organisation: self.beckon_organisation.clone(),
            sign_in_url: sign_in_url?,
            lifetimes: lifetimes?,
        })
    }

    /// Reads `BECKON_SIGN_IN_URL`. It has no default, because Beckon serves no sign-in page for users.
    fn sign_in_url(&self, faults: &mut Faults) -> Option<String> {
        let text = self
            .beckon_sign_in_url
            .as_deref()
            .filter(|text| !text.trim().is_empty());
        let Some(text) = text else {
            faults.add(
                "BECKON_SIGN_IN_URL",
                "is not set; every email links to the page where people sign in, which is part of your platform and \
                 not of Beckon: write its address, like https://example.org/sign-in",
            );
            return None;
        };
        faults.read("BECKON_SIGN_IN_URL", text, web_address::whole)
    }

    /// Reads the hashing cost of a mailed password.
    pub fn mailed_password_cost(&self, faults: &mut Faults) -> Option<Cost> {
        faults.read(
            "BECKON_MAILED_PASSWORD_COST",
            &self.beckon_mailed_password_cost,
            Cost::parse,
        )
    }

    /// Reads the log settings.
    pub fn logging(&self, faults: &mut Faults) -> Option<crate::telemetry::LogSettings> {
        let filter = faults.read("BECKON_LOG", &self.beckon_log, crate::telemetry::filter);
        let format = match self.beckon_log_format.as_deref() {
            None => Some(crate::telemetry::LogFormat::detect()),
            Some(text) => faults.read("BECKON_LOG_FORMAT", text, crate::telemetry::LogFormat::parse),
        };
        Some(crate::telemetry::LogSettings {
            filter: filter?,
            format: format?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        assert_eq!(duration("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(duration("5min"), Ok(Duration::from_mins(5)));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("3d"), Ok(Duration::from_hours(72)));
        assert_eq!(duration("0"), Ok(Duration::ZERO));
        for wrong in [
            "",
            "30",
            "s",
            "-1s",
            "1w",
            "99999999999999999999s",
            "18446744073709551615d",
        ] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn every_fault_is_reported() {
        let mut faults = Faults::default();
        faults.required("DATABASE_URL", None);
        faults.read("BECKON_HOLD", "soon", duration);
        let shown = faults.into_result::<()>(Some(())).unwrap_err().to_string();
        assert_eq!(
            shown,
            "DATABASE_URL is not set\nBECKON_HOLD is \"soon\"; write a time with its unit, like 30s, 5min, 4h or 3d, up to 365d"
        );
    }

    #[test]
    fn a_secret_comes_from_one_place() {
        let mut faults = Faults::default();
        let path = Path::new("/nowhere/at/all");
        assert_eq!(faults.secret("SMTP_URL", None, Some(path)), None);
        assert_eq!(faults.secret("AMQP_URL", Some("amqp://x".into()), Some(path)), None);
        let shown = faults.to_string();
        assert!(
            shown.contains("SMTP_URL cannot be read from /nowhere/at/all"),
            "{shown}"
        );
        assert!(shown.contains("AMQP_URL and AMQP_URL_FILE are both set"), "{shown}");
        assert!(!shown.contains("amqp://x"), "{shown}");
    }
}

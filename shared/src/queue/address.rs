//! Validation of broker URLs.

use crate::certificates;
use crate::config::is_loopback;
use std::path::PathBuf;
use url::Url;

/// The query parameter for the file of a private certificate authority, named as in RabbitMQ's URIs.
const AUTHORITY: &str = "cacertfile";

/// Checks the URL of a broker. The error continues the sentence "NAME …" and never repeats the URL, which contains
/// a password.
///
/// # Errors
///
/// What is wrong.
pub fn check_address(url: &str, allow_plaintext: bool) -> Result<(), String> {
    if !(url.starts_with("amqp://") || url.starts_with("amqps://")) {
        return Err("has an entry that does not start with amqp:// or amqps://".to_owned());
    }
    let read = url.parse::<lapin::uri::AMQPUri>().ok().zip(Url::parse(url).ok());
    let Some((_, read)) = read else {
        return Err("cannot be read; write amqps://user:password@host:5671/vhost".to_owned());
    };
    authority(url)?;
    let is_tls = read.scheme() == "amqps";
    if !is_tls && authority_of(&read).is_some() {
        return Err(format!("has {AUTHORITY}= for an amqp:// host; only amqps:// reads it"));
    }
    if is_tls || allow_plaintext || read.host_str().is_some_and(is_loopback) {
        return Ok(());
    }
    // The host is not repeated: any part of a mistyped URL may be the password.
    Err(format!(
        "has an entry that reaches RabbitMQ on another machine without TLS; write amqps:// (and {AUTHORITY}=/path.pem \
         for a private authority), or set BECKON_ALLOW_PLAINTEXT_AMQP=true"
    ))
}

/// Reads the PEM certificates of the authority that the URL names; `None` if it names none.
///
/// # Errors
///
/// Why the file cannot be used.
pub(super) fn authority(url: &str) -> Result<Option<String>, String> {
    let path = Url::parse(url).ok().and_then(|url| authority_of(&url));
    path.map(|path| certificates::read(&path)).transpose()
}

fn authority_of(url: &Url) -> Option<PathBuf> {
    let named = url.query_pairs().find(|(name, _)| name == AUTHORITY);
    named.map(|(_, path)| PathBuf::from(path.as_ref()))
}

/// Connection parameters that apply unless the URL sets them.
///
/// lapin detects a dead peer after two heartbeats, and the server's default of 60 s is too long. lapin keeps two
/// buffers of 32 frames: 8 MiB with the server's default of 128 KiB per frame, 1 MiB with this one. A job fills a
/// fiftieth of a frame.
const ASKED: [(&str, &str); 2] = [("heartbeat", "10"), ("frame_max", "16384")];

/// Adds the [`ASKED`] parameters to a URL.
pub(super) fn with_defaults(mut url: String) -> String {
    for (name, value) in ASKED {
        if !url.contains(&format!("{name}=")) {
            let divider = if url.contains('?') { '&' } else { '?' };
            url = format!("{url}{divider}{name}={value}");
        }
    }
    url
}

/// The host and port of a URL, without the login.
pub(super) fn host_of(url: &str) -> String {
    let Ok(url) = Url::parse(url) else {
        return "(an address that cannot be read)".to_owned();
    };
    let usual = if url.scheme() == "amqps" { 5671 } else { 5672 };
    let host = url.host_str().unwrap_or("(no host)");
    format!("{host}:{}", url.port().unwrap_or(usual))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_the_host_and_never_the_password() {
        assert_eq!(
            host_of("amqp://beckon:geheim@mq.example.org:5671/%2f"),
            "mq.example.org:5671"
        );
        assert_eq!(
            host_of("amqp://beckon:geheim@mq.example.org/%2f"),
            "mq.example.org:5672"
        );
        assert_eq!(
            host_of("amqps://beckon:geheim@mq.example.org/%2f"),
            "mq.example.org:5671"
        );
        assert!(!host_of("nonsense geheim").contains("geheim"));
    }

    #[test]
    fn heartbeat_and_frame_size_have_defaults() {
        for (given, expected) in [
            ("amqp://h/v", "amqp://h/v?heartbeat=10&frame_max=16384"),
            ("amqp://h/v?frame_max=9000", "amqp://h/v?frame_max=9000&heartbeat=10"),
            ("amqp://h/v?heartbeat=3", "amqp://h/v?heartbeat=3&frame_max=16384"),
            (
                "amqp://h/v?heartbeat=3&frame_max=0",
                "amqp://h/v?heartbeat=3&frame_max=0",
            ),
        ] {
            assert_eq!(with_defaults(given.into()), expected);
            assert!(expected.parse::<lapin::uri::AMQPUri>().is_ok(), "{expected}");
        }
    }

    #[test]
    fn a_broker_on_another_machine_needs_tls() {
        let fault = check_address("amqp://beckon:geheim@mq.example:5672/beckon", false).unwrap_err();
        assert!(
            fault.contains("without TLS; write amqps://") && !fault.contains("geheim"),
            "{fault}"
        );
        for good in [
            "amqps://beckon:geheim@mq.example/beckon",
            "amqp://beckon:geheim@127.0.0.1/beckon",
            "amqp://beckon:geheim@[::1]:5672/beckon",
            "amqp://beckon:geheim@localhost/beckon",
        ] {
            assert_eq!(check_address(good, false), Ok(()), "{good}");
        }
        assert_eq!(check_address("amqp://mq.example/beckon", true), Ok(()));
    }

    #[test]
    fn an_unusable_certificate_file_is_reported_at_startup() {
        let fault =
            check_address("amqps://beckon:geheim@mq.example/beckon?cacertfile=/nowhere.pem", false).unwrap_err();
        assert!(fault.contains("/nowhere.pem") && !fault.contains("geheim"), "{fault}");
        let fault = check_address("amqp://127.0.0.1/beckon?cacertfile=/nowhere.pem", false).unwrap_err();
        assert!(fault.contains("/nowhere.pem"), "{fault}");
    }
}

//! Validation of Postgres URLs.

use crate::config::is_loopback;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use std::str::FromStr as _;

/// Names of sqlx's parameter for the file of a private certificate authority.
const ROOT_CERTIFICATE: [&str; 3] = ["sslrootcert", "ssl-root-cert", "ssl-ca"];

/// The error for a URL with several hosts.
const SEVERAL_HOSTS: &str = "names several hosts or target_session_attrs, but Beckon connects to one host; use an \
     address that follows the primary, such as a virtual IP, a DNS name or a proxy. Beckon keeps no connection to a \
     server that accepts no writes";

/// Checks a Postgres URL. The error continues the sentence "NAME …" and never repeats the URL, which contains
/// a password.
///
/// Without `allow_plaintext`, Postgres on another machine needs `sslmode=verify-full`: `disable` and `allow`
/// use plain text, `prefer` falls back to it, `require` accepts any certificate, and `verify-ca` accepts one
/// of any host. Unix sockets and loopback addresses need nothing.
///
/// # Errors
///
/// What is wrong with the URL.
pub fn check_address(url: &str, allow_plaintext: bool) -> Result<(), String> {
    if !(url.starts_with("postgres://") || url.starts_with("postgresql://")) {
        return Err("does not start with postgres://".to_owned());
    }
    if names_several_hosts(url) {
        return Err(SEVERAL_HOSTS.to_owned());
    }
    let options = PgConnectOptions::from_str(url);
    let (Ok(options), Ok(url)) = (options, url::Url::parse(url)) else {
        return Err("cannot be read; write postgres://user:password@host:5432/database".to_owned());
    };
    for (name, path) in url.query_pairs() {
        if name == "target_session_attrs" {
            return Err(SEVERAL_HOSTS.to_owned());
        }
        if ROOT_CERTIFICATE.contains(&&*name) {
            crate::certificates::read(path.as_ref().as_ref())?;
        }
    }
    let host = options.get_host();
    let is_private = options.get_socket().is_some() || host.starts_with('/') || is_loopback(host);
    if is_private || allow_plaintext || matches!(options.get_ssl_mode(), PgSslMode::VerifyFull) {
        return Ok(());
    }
    let mode = match options.get_ssl_mode() {
        PgSslMode::Disable => "disable",
        PgSslMode::Allow => "allow",
        PgSslMode::Prefer => "prefer",
        PgSslMode::Require => "require",
        PgSslMode::VerifyCa => "verify-ca",
        PgSslMode::VerifyFull => "verify-full",
    };
    Err(format!(
        "reaches Postgres on another machine with sslmode={mode}, which does not verify that it is that machine; \
         write sslmode=verify-full (and sslrootcert=/path.pem for a private authority), \
         or set BECKON_ALLOW_PLAINTEXT_DATABASE=true"
    ))
}

/// Whether a URL names several hosts in libpq's syntax: `host1,host2`, or `?host=host1,host2`.
fn names_several_hosts(url: &str) -> bool {
    let (_, rest) = url.split_once("://").unwrap_or_default();
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(end);
    let hosts = authority.rsplit_once('@').map_or(authority, |(_, hosts)| hosts);
    let query = rest.split_once('?').map_or("", |(_, query)| query);
    hosts.contains(',')
        || url::form_urlencoded::parse(query.as_bytes())
            .any(|(name, value)| matches!(&*name, "host" | "hostaddr" | "port") && value.contains(','))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_hosts_are_refused_with_advice() {
        for several in [
            "postgres://beckon:geheim@db1.example,db2.example/beckon?sslmode=verify-full",
            "postgres://beckon:geheim@db1.example:5432,db2.example:5433/beckon",
            "postgres:///beckon?host=db1.example,db2.example&user=beckon",
            "postgres:///beckon?host=db1.example%2Cdb2.example",
            "postgres://beckon:geheim@db.example/beckon?port=5432,5433",
            "postgres://beckon:geheim@db.example/beckon?target_session_attrs=read-write",
        ] {
            let refusal = check_address(several, true).unwrap_err();
            assert!(
                refusal.contains("one host") && !refusal.contains("geheim"),
                "{several}: {refusal}"
            );
        }
        assert_eq!(
            check_address("postgres://beckon:ge,heim@127.0.0.1/beckon", false),
            Ok(())
        );
    }

    #[test]
    fn postgres_on_another_machine_is_verified() {
        let fault = |url: &str| check_address(url, false).unwrap_err();
        for mode in ["disable", "allow", "prefer", "require", "verify-ca"] {
            let refusal = fault(&format!("postgres://beckon:geheim@db.example/beckon?sslmode={mode}"));
            assert!(
                refusal.contains(&format!("sslmode={mode},")) && refusal.contains("write sslmode=verify-full"),
                "{refusal}"
            );
            assert!(!refusal.contains("geheim"), "{refusal}");
        }
        assert!(fault("postgres://beckon@db.example/beckon").contains("sslmode=prefer,"));
        assert!(fault("postgres://beckon@localhost/beckon?host=db.example").contains("sslmode=prefer,"));
        for good in [
            "postgres://beckon@db.example/beckon?sslmode=verify-full",
            "postgres://beckon@127.0.0.1/beckon",
            "postgres://beckon@[::1]/beckon",
            "postgres://beckon@localhost/beckon?sslmode=disable",
            "postgres://beckon@%2Frun%2Fpostgresql/beckon",
            "postgres:///beckon?host=/run/postgresql",
        ] {
            assert_eq!(check_address(good, false), Ok(()), "{good}");
        }
        assert_eq!(check_address("postgres://beckon@db.example/beckon", true), Ok(()));
    }
}

//! What an address of Postgres has to say.

use crate::config::is_loopback;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use std::str::FromStr as _;

/// Names under which sqlx takes the file of a private authority.
const ROOT_CERTIFICATE: [&str; 3] = ["sslrootcert", "ssl-root-cert", "ssl-ca"];

/// Checks an address of Postgres. What is wrong continues the sentence "NAME …" and never repeats the
/// address, which holds a password.
///
/// Without `allow_plaintext`, Postgres on another machine needs `sslmode=verify-full`: `disable` and
/// `allow` speak in the clear, `prefer` falls back to it, `require` takes any certificate, and `verify-ca`
/// takes one of any host. Unix sockets and loopback addresses need nothing.
///
/// # Errors
///
/// What is wrong.
pub fn check_address(url: &str, allow_plaintext: bool) -> Result<(), String> {
    if !(url.starts_with("postgres://") || url.starts_with("postgresql://")) {
        return Err("does not start with postgres://".to_owned());
    }
    let options = PgConnectOptions::from_str(url);
    let (Ok(options), Ok(url)) = (options, url::Url::parse(url)) else {
        return Err("cannot be read; write postgres://user:password@host:5432/database".to_owned());
    };
    for (name, path) in url.query_pairs() {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn postgres_on_another_machine_is_verified() {
        let fault = |url: &str| check_address(url, false).unwrap_err();
        for mode in ["disable", "allow", "prefer", "require", "verify-ca"] {
            let told = fault(&format!("postgres://beckon:geheim@db.example/beckon?sslmode={mode}"));
            assert!(
                told.contains(&format!("sslmode={mode},")) && told.contains("write sslmode=verify-full"),
                "{told}"
            );
            assert!(!told.contains("geheim"), "{told}");
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

//! The name of a server for log lines and pages, without the login.

use sqlx::postgres::PgConnectOptions;

/// Host and port, or socket and port.
pub(super) fn server_of(options: &PgConnectOptions) -> String {
    let (host, port) = (options.get_host(), options.get_port());
    match options.get_socket() {
        Some(socket) => format!("{}, port {port}", socket.display()),
        None if host.starts_with('/') => format!("{host}, port {port}"),
        None if host.contains(':') && !host.starts_with('[') => format!("[{host}]:{port}"),
        None => format!("{host}:{port}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::str::FromStr as _;

    #[test]
    fn the_server_is_named_without_the_login() {
        let named = |url: &str| server_of(&PgConnectOptions::from_str(url).unwrap());

        assert_eq!(named("postgres://beckon:geheim@db.example/beckon"), "db.example:5432");
        assert_eq!(
            named("postgres://beckon:geheim@127.0.0.1:6543/beckon"),
            "127.0.0.1:6543"
        );
        assert_eq!(
            named("postgres://beckon@%2Frun%2Fpostgresql/beckon"),
            "/run/postgresql, port 5432"
        );
    }
}
